"""Service keys, for scripts and for clients written for VALT's own API, and the tokens that stand for them.

A key is kept as its hash. It has 256 random bits of ``key mint``'s, so a plain SHA-256 is enough, and guessing it needs
no limit.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from gateway.errors import InvalidCredentialsError
from gateway.identity.access_token import AccessTokens
from gateway.model import Credentials, Identity, IdentityKind, Secret, Video
from gateway.ports import Clock, Store

PREFIX = "vgk_"
ISSUER = "valt-gateway"


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """One ``[[service_keys]]``. *secret_sha256* is hex; *expires* is Unix seconds, from which on it is void."""

    name: str
    secret_sha256: str
    groups: frozenset[str] = frozenset()
    expires: float | None = None

    @classmethod
    def until(cls, day: date | None, name: str, secret_sha256: str, groups: Iterable[str]) -> "ServiceKey":
        """One that is good to the end of *day* (UTC), its last."""
        over = None if day is None else datetime.combine(day, time(), UTC) + timedelta(days=1)
        return cls(name, secret_sha256, frozenset(groups), None if over is None else over.timestamp())


class ServiceKeys:
    """Implements ports.Authenticator: ``Authorization: Bearer vgk_…``, and VALT's own ``access_token`` parameter, which
    holds a key or a token that *proofs* sealed; in a link to a video, a token for that video alone."""

    name = "service_key"

    def __init__(self, keys: Iterable[ServiceKey], proofs: AccessTokens, clock: Clock, store: Store) -> None:
        self._keys = tuple(keys)
        self._proofs = proofs
        self._clock = clock
        self._store = store

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        scheme, _, bearer = credentials.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and bearer.strip().startswith(PREFIX):
            return self._of_key(self._known(bearer.strip()))
        token = credentials.access_token
        if token is None:
            return None
        is_key = token.reveal().startswith(PREFIX)
        identity = self._of_key(self._known(token.reveal())) if is_key else self._of_token(token)
        if credentials.video_token_only and identity.video is None:
            raise InvalidCredentialsError("an address that people open takes only a token for one video")
        return identity

    def log_in(self, name: str, secret: Secret) -> tuple[Identity, Secret]:
        """The identity of the key of that name, and a token that stands for it. InvalidCredentialsError."""
        key = self._known(secret.reveal())
        if not hmac.compare_digest(key.name.encode(), name.encode("utf-8", "replace")):
            raise InvalidCredentialsError("the service key has another name")
        return self._of_key(key), self._proofs.of_key(key.secret_sha256, self._clock.now())

    def prove(self, identity: Identity, video: Video) -> Secret:
        """A token with which *identity* sees *video*, as often as it likes, for an hour."""
        ours = (identity.issuer, identity.provider) == (ISSUER, self.name)
        key = next((key for key in self._keys if ours and key.name == identity.subject), None)
        return self._proofs.of_video(identity, video, None if key is None else key.secret_sha256, self._clock.now())

    def _known(self, secret: str) -> ServiceKey:
        digest = hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
        return self._good([key for key in self._keys if hmac.compare_digest(key.secret_sha256, digest)])

    def _good(self, found: list[ServiceKey]) -> ServiceKey:
        if not found:
            raise InvalidCredentialsError("no service key has this secret")
        if found[0].expires is not None and found[0].expires <= self._clock.now():
            raise InvalidCredentialsError(f"the service key {found[0].name!r} has expired")
        return found[0]

    def _of_key(self, key: ServiceKey) -> Identity:
        return Identity(key.name, ISSUER, self.name, IdentityKind.SERVICE_KEY, key.groups, expires_at=key.expires)

    def _of_token(self, token: Secret) -> Identity:
        said = self._proofs.opened(token, self._clock.now())
        if said is None:
            raise InvalidCredentialsError("the access token is none of ours, or its hour is over")
        if said["key"] is not None:
            key = self._good([key for key in self._keys if key.secret_sha256 == said["key"]])
            identity = replace(self._of_key(key), issued_at=said["iat"], expires_at=said["exp"])
        else:
            identity = Identity(
                said["sub"], said["iss"], said["prv"], IdentityKind.ACCESS_TOKEN, frozenset(said["grp"])
            )
        if said.get("ses") is not None and self._store.signed_out(said["ses"]):
            raise InvalidCredentialsError("the session that the access token was made in is over")
        if "vid" not in said:
            return identity
        return replace(
            identity,
            kind=IdentityKind.ACCESS_TOKEN,
            issued_at=said["iat"],
            expires_at=said["exp"],
            recording=said["rec"],
            video=said["vid"],
            session=said["ses"],
            revocation_keys=tuple(said.get("out", ())),
        )
