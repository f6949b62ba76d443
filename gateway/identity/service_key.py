"""Service keys, for scripts and for clients written for VALT's own API, and the access tokens issued to their holders.

The configuration holds only a hash of each key. Keys are 256 random bits (``key mint``), so a plain SHA-256 is enough
and guessing needs no rate limit.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from gateway.errors import InvalidCredentialsError
from gateway.identity.access_token import AccessTokens
from gateway.model import Credentials, Identity, IdentityKind, Secret, Video
from gateway.ports import Authenticator, Clock
from gateway.validity import SERVICE_KEY_ISSUER, SERVICE_KEY_PROVIDER

PREFIX = "vgk_"


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """One ``[[service_keys]]`` table."""

    name: str
    secret_sha256: str
    """Lower-case hex."""
    groups: frozenset[str] = frozenset()
    expires_at: float | None = None
    """Unix seconds from which the key is no longer valid."""

    @classmethod
    def with_last_day(cls, day: date | None, name: str, secret_sha256: str, groups: Iterable[str]) -> "ServiceKey":
        """Returns a key that is valid until the end of *day* (UTC), or for ever if *day* is None."""
        midnight = None if day in (None, date.max) else datetime.combine(day, time(), UTC) + timedelta(days=1)
        return cls(name, secret_sha256, frozenset(groups), None if midnight is None else midnight.timestamp())


class ServiceKeys(Authenticator):
    """Implements ports.Authenticator for ``Authorization: Bearer vgk_…`` and for VALT's ``access_token`` parameter,
    whose value is a service key or one of *access_tokens*."""

    name = SERVICE_KEY_PROVIDER

    def __init__(self, keys: Iterable[ServiceKey], access_tokens: AccessTokens, clock: Clock) -> None:
        self._keys = tuple(keys)
        self._access_tokens = access_tokens
        self._clock = clock

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Returns the identity, or None if there is neither a bearer service key nor an access token.

        Raises InvalidCredentialsError for an unknown or expired key or token, and for any access token but a video's
        where *video_token_only* is set.
        """
        scheme, _, bearer = credentials.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and bearer.strip().startswith(PREFIX):
            return self._key_identity(self._find_by_secret(bearer.strip()))
        token = credentials.access_token
        if token is None:
            return None
        if token.reveal().startswith(PREFIX):
            identity = self._key_identity(self._find_by_secret(token.reveal()))
        else:
            identity = self._token_identity(token)
        if credentials.video_token_only and identity.video is None:
            raise InvalidCredentialsError("a page's URL accepts only an access token for one video")
        return identity

    def log_in(self, name: str, secret: Secret) -> tuple[Identity, Secret]:
        """Returns the identity of the service key and an access token with the key's rights.

        Raises InvalidCredentialsError if no valid key has that name and secret.
        """
        key = self._find_by_secret(secret.reveal())
        if not hmac.compare_digest(key.name.encode(), name.encode("utf-8", "replace")):
            raise InvalidCredentialsError("the service key has another name")
        return self._key_identity(key), self._access_tokens.issue_for_key(key.secret_sha256, self._clock.now())

    def issue_video_token(self, identity: Identity, video: Video, identified_at: float | None = None) -> Secret:
        """Returns an access token with which *identity* may see *video*, any number of times, for an hour at most. See
        `AccessTokens.issue_for_video`; None is the present."""
        now = self._clock.now()
        return self._access_tokens.issue_for_video(identity, video, now, identified_at=identified_at or now)

    def _find_by_secret(self, secret: str) -> ServiceKey:
        return self._find_by_hash(hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest())

    def _find_by_hash(self, digest: str) -> ServiceKey:
        """Returns the valid key with that hash. Raises InvalidCredentialsError if there is none."""
        matching = [key for key in self._keys if hmac.compare_digest(key.secret_sha256, digest)]
        if not matching:
            raise InvalidCredentialsError("no service key has this secret")
        if matching[0].expires_at is not None and matching[0].expires_at <= self._clock.now():
            raise InvalidCredentialsError(f"the service key {matching[0].name!r} has expired")
        return matching[0]

    def _key_identity(self, key: ServiceKey) -> Identity:
        return Identity(
            subject=key.name,
            issuer=SERVICE_KEY_ISSUER,
            provider=self.name,
            kind=IdentityKind.SERVICE_KEY,
            groups=key.groups,
            expires_at=key.expires_at,
            ends_at=key.expires_at,
            service_key=key.secret_sha256,
        )

    def _token_identity(self, token: Secret) -> Identity:
        """Raises InvalidCredentialsError if the token has expired or its service key is no longer valid."""
        claims = self._access_tokens.read(token, self._clock.now())
        if claims is None:
            raise InvalidCredentialsError("the access token was not issued here or has expired")
        if claims["key"] is not None:
            identity = self._key_identity(self._find_by_hash(claims["key"]))
        else:
            groups = frozenset(claims["grp"])
            identity = Identity(claims["sub"], claims["iss"], claims["prv"], IdentityKind.ACCESS_TOKEN, groups)
            identity = replace(identity, selection=claims.get("sel", ""), ends_at=claims.get("end"))
        # Members with a default are absent from tokens of earlier releases.
        identity = replace(
            identity,
            issued_at=claims["iat"],
            leeway=claims.get("lee", 0.0),
            expires_at=claims["exp"],
            sealed_by=claims["sealed_by"],
        )
        if "vid" not in claims:
            return identity
        return replace(
            identity,
            kind=IdentityKind.ACCESS_TOKEN,
            recording=claims["rec"],
            video=claims["vid"],
            session=claims["ses"],
            revocation_keys=tuple(claims.get("out", ())),
        )
