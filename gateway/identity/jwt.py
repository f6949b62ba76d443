"""Signed tokens (JWT) of an issuer, in ``Authorization: Bearer …`` or in the header of a fronting proxy."""

from hashlib import sha256

from cachetools import TLRUCache

from gateway.errors import InvalidCredentialsError
from gateway.events import CacheLookup
from gateway.identity.claims import Claims, TokenRequirements, decode_unverified, verify
from gateway.identity.ignored_groups import IgnoredGroups
from gateway.identity.jwks import JwksClient
from gateway.model import Credentials, Identity, IdentityKind
from gateway.ports import Authenticator, Clock, Observer

_MAX_ENTRIES = 10_000
_HIT, _LOADED = CacheLookup("verified", "hit"), CacheLookup("verified", "loaded")


class JwtAuthenticator(Authenticator):
    """Verifies the token in *header* with the issuer's *keys*.

    A verified token is cached for *cache_ttl* seconds, or until its ``exp`` if that is sooner. The cache key contains a
    hash of the header's value and the generation of the key set, so that every entry is void when the issuer's keys
    change. Tokens that are not valid are not cached.
    """

    def __init__(
        self,
        name: str,
        header: str,
        expected: TokenRequirements,
        keys: JwksClient,
        clock: Clock,
        observer: Observer,
        *,
        cache_ttl: float = 60.0,
    ) -> None:
        self.name = name
        self._header = header.lower()
        self._expected = expected
        self._keys = keys
        self._clock = clock
        self._report = observer.reporter(CacheLookup)
        self._cache_ttl = cache_ttl
        self._ignored_groups = IgnoredGroups(name, clock, observer)
        self._verified: TLRUCache[tuple[bytes, int], tuple[Identity, float]] = TLRUCache(
            _MAX_ENTRIES, lambda _key, entry, _now: entry[1], timer=clock.monotonic
        )
        """Each identity with the monotonic deadline after which its token is verified again."""

    def cached(self, credentials: Credentials) -> Identity | None:
        """Returns the identity that a verified token in the header has proved, or None if it must be verified."""
        value = credentials.headers.get(self._header)
        if value is None:
            return None
        digest = sha256(value.encode("utf-8", "surrogateescape")).digest()
        try:
            identity, _ = self._verified[digest, self._keys.generation]
        except KeyError:
            return None
        self._report(_HIT)
        return identity

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Returns the identity, or None if the header has no token of this issuer.

        Raises InvalidCredentialsError if the token is not valid, IdentityProviderError if its key cannot be fetched.
        """
        identity = self.cached(credentials)
        value = credentials.headers.get(self._header)
        if identity is not None or value is None:
            return identity
        return await self._verify(value)

    def forget(self) -> None:
        """Remove every verified token from the cache."""
        self._verified.clear()

    async def _verify(self, value: str) -> Identity | None:
        token = self._extract_token(value)
        unverified = decode_unverified(token)
        if unverified is None or unverified[1].get("iss") != self._expected.issuer:
            return None
        header = unverified[0]
        if header.get("alg") not in self._expected.algorithms:
            raise InvalidCredentialsError("the token's algorithm is not allowed")
        claims = await self._keys.verify(
            header, lambda key: verify(token, header, key, self._expected, self._clock.now())
        )
        self._report(_LOADED)
        self._ignored_groups.add(claims.ignored_groups)
        identity = self._identity(claims)
        deadline = self._clock.monotonic() + min(self._cache_ttl, claims.expires_at - self._clock.now())
        # A token within the leeway after its exp has a deadline that has passed, and is not cached.
        digest = sha256(value.encode("utf-8", "surrogateescape")).digest()
        self._verified[digest, self._keys.generation] = (identity, deadline)
        return identity

    def _extract_token(self, value: str) -> str:
        """Returns the token in the header's *value*, or an empty string if ``Authorization`` has another scheme."""
        if self._header != "authorization":
            return value
        scheme, _, token = value.partition(" ")
        return token.strip(" ") if scheme.lower() == "bearer" else ""

    def _identity(self, claims: Claims) -> Identity:
        return Identity(
            subject=claims.subject,
            issuer=self._expected.issuer,
            provider=self.name,
            kind=IdentityKind.JWT,
            groups=claims.groups,
            issued_at=claims.issued_at,
            leeway=self._expected.leeway,
            expires_at=claims.expires_at,
        )
