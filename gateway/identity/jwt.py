"""A signed token in a header: ``Authorization: Bearer …``, or the header of a fronting proxy."""

from hashlib import sha256

from cachetools import TLRUCache

from gateway.errors import InvalidCredentialsError
from gateway.events import CacheLookup
from gateway.identity.claims import Claims, TokenRequirements, decode_unverified, verify
from gateway.identity.jwks import JwksClient
from gateway.model import Credentials, Identity, IdentityKind
from gateway.ports import Clock, Observer

_MAX_REMEMBERED = 10_000


class JwtAuthenticator:
    """A token that was verified once is remembered by the hash of what stood in the header, for *remember* seconds or
    until its ``exp``, whichever is sooner. The key holds the generation of the provider's keys: a rotation empties it.
    No bad one is kept."""

    def __init__(
        self,
        name: str,
        header: str,
        expected: TokenRequirements,
        keys: JwksClient,
        clock: Clock,
        observer: Observer,
        *,
        remember: float = 60.0,
    ) -> None:
        self.name = name
        self._header = header.lower()
        self._expected = expected
        self._keys = keys
        self._clock = clock
        self._remember = remember
        self._verified: TLRUCache[tuple[bytes, int], tuple[Identity, float]] = TLRUCache(
            _MAX_REMEMBERED, lambda _key, entry, _now: entry[1], timer=clock.monotonic
        )
        """Each identity with the monotonic deadline after which its token is verified anew."""
        self._observer = observer
        self._hit, self._loaded = CacheLookup("verified", "hit"), CacheLookup("verified", "loaded")

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        value = credentials.headers.get(self._header)
        if value is None:
            return None
        key = (sha256(value.encode("utf-8", "surrogateescape")).digest(), self._keys.generation)
        try:
            identity, _ = self._verified[key]
        except KeyError:
            pass
        else:
            self._observer.on_event(self._hit)
            return identity
        token = self._token(value)
        peeked = decode_unverified(token)
        if peeked is None or peeked[1].get("iss") != self._expected.issuer:
            return None
        header = peeked[0]
        if header.get("alg") not in self._expected.algorithms:
            raise InvalidCredentialsError("the token's algorithm is not one that is allowed")
        found = await self._keys.find(header.get("kid"), header["alg"])
        claims = verify(token, header, found, self._expected, self._clock.now())
        self._observer.on_event(self._loaded)
        identity = self._identity(claims)
        life = min(self._remember, claims.expires_at - self._clock.now())
        self._verified[key[0], self._keys.generation] = (identity, self._clock.monotonic() + life)
        return identity

    def forget(self) -> None:
        """Forget every verified token."""
        self._verified.clear()

    def _token(self, value: str) -> str:
        """The token in the header's *value*; "" where it is another scheme's."""
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
            expires_at=claims.expires_at,
        )
