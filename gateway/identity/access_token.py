"""Tokens that the gateway itself gives out for ``access_token``: sealed, good for an hour, and nobody else's.

They are the store, as the session's cookie is, so a restart voids none where the key is configured. What made a token
is looked up again whenever it is used: a service key that is taken away takes its tokens with it.
"""

import base64
import json
import zlib
from collections.abc import Iterable
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import GatewayError
from gateway.model import Identity, IdentityKind, Secret, Video

HOUR = 3600.0
"""Seconds for which a token is good. Clients written for VALT log in again when theirs is refused."""

_FORMAT = 1
_MAX_TOKEN = 3000
"""Characters: an address that carries it stays within what a request line may have."""


class AccessTokens:
    """The first of *secrets* seals, all are accepted. Only groups in *keep_groups*, those that some rule names, are
    kept."""

    def __init__(self, secrets: Iterable[Secret], *, keep_groups: frozenset[str]) -> None:
        self._box = MultiFernet([Fernet(_derived(secret)) for secret in secrets])
        self._keep_groups = keep_groups

    def of_key(self, key: str, now: float) -> Secret:
        """A token that counts as the service key whose hash is *key*."""
        return self._sealed({"key": key, "iat": now, "exp": now + HOUR})

    def of_video(self, identity: Identity, video: Video, key: str | None, now: float) -> Secret:
        """A token with which *identity* sees *video* and nothing else; by the service key whose hash is *key*, if any.
        One that was made of such a token, or in a session, is good no longer than that. GatewayError where the person's
        groups do not fit into an address."""
        until = now + HOUR
        if identity.kind in (IdentityKind.ACCESS_TOKEN, IdentityKind.SESSION) and identity.expires_at is not None:
            until = min(until, identity.expires_at)
        return self._sealed(
            {
                "key": key,
                "sub": identity.subject,
                "iss": identity.issuer,
                "prv": identity.provider,
                "grp": sorted(identity.groups & self._keep_groups),
                "ses": identity.session,
                "out": identity.revocation_keys,
                "rec": video.recording,
                "vid": video.video,
                "iat": now,
                "exp": until,
            }
        )

    def opened(self, token: Secret, now: float) -> dict[str, Any] | None:
        """What a token of ours says, or None where it is foreign or its hour is over."""
        try:
            said = json.loads(zlib.decompress(self._box.decrypt(token.reveal().encode())))
        except (InvalidToken, ValueError, zlib.error):
            return None
        good = isinstance(said, dict) and said.get("v") == _FORMAT and now < said["exp"]
        return said if good else None

    def _sealed(self, said: dict[str, Any]) -> Secret:
        text = json.dumps({"v": _FORMAT, **said}, separators=(",", ":"), ensure_ascii=False)
        token = self._box.encrypt(zlib.compress(text.encode())).decode()
        if len(token) > _MAX_TOKEN:
            raise GatewayError("the groups of this person that rules name do not fit into an address")
        return Secret(token)


def _derived(secret: Secret) -> bytes:
    """A Fernet key of any secret text (HKDF, RFC 5869), another than the session's of the same text."""
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"valt-gateway access token")
    return base64.urlsafe_b64encode(kdf.derive(secret.reveal().encode()))
