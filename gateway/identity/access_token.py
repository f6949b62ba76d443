"""Access tokens of this gateway: sealed values of VALT's ``access_token`` parameter, valid for one hour.

A token names the service key that it was issued to. The key is looked up on every use, so that removing a key from the
configuration voids its tokens.
"""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.errors import TooManyGroupsError
from gateway.group_selection import GroupSelection
from gateway.model import Identity, Secret, Video
from gateway.sealed import SealedTokens

LIFETIME = 3600.0
"""Seconds for which a token is valid. Clients written for VALT log in again when their token is refused."""

_VERSION = 1
_MAX_LENGTH = 3000
"""Characters. A URL that carries the token stays within the limits of a request line."""


class AccessTokens:
    """Issues and reads access tokens.

    The first of *secrets* seals and all of them unseal. Of a person's groups, those in *keep_groups* are stored in a
    token. *on_issue* is called with the time until which a new token is valid.
    """

    def __init__(
        self,
        secrets: Iterable[Secret],
        *,
        keep_groups: GroupSelection,
        on_issue: Callable[[float], None] = lambda _until: None,
    ) -> None:
        self._sealed = SealedTokens(secrets, "access token", _VERSION)
        self._keep_groups = keep_groups
        self._on_issue = on_issue

    def issue_for_key(self, key_sha256: str, now: float) -> Secret:
        """Returns a token that has the rights of the service key with that hash."""
        return self._seal({"key": key_sha256, "iat": now, "exp": now + LIFETIME})

    def issue_for_video(self, identity: Identity, video: Video, now: float, *, identified_at: float) -> Secret:
        """Returns a token with which *identity* may see *video* and nothing else.

        It expires no later than what proved *identity*, and a revocation counts its issue as that of the proof;
        *identified_at*, in Unix seconds, is that of a proof without one. Raises TooManyGroupsError if the person's
        groups do not fit into a URL.
        """
        expires_at, keep = now + LIFETIME, self._keep_groups
        # What a session has stored stays whole: its selection promises more groups than another one would leave.
        groups = keep.select(identity.groups) if identity.selection is None else sorted(identity.groups)
        return self._seal(
            {
                "key": identity.service_key,
                "sub": identity.subject,
                "iss": identity.issuer,
                "prv": identity.provider,
                "grp": groups,
                "sel": keep.digest if identity.selection is None else identity.selection,
                "ses": identity.session,
                "out": identity.revocation_keys,
                "rec": video.recording,
                "vid": video.video,
                "end": identity.ends_at,
                "iat": identified_at if identity.issued_at is None else identity.issued_at,
                "lee": identity.leeway,
                "exp": expires_at if identity.expires_at is None else min(expires_at, identity.expires_at),
            }
        )

    def read(self, token: Secret, now: float) -> dict[str, Any] | None:
        """Returns the token's claims, with the id of the secret that sealed it as ``sealed_by``, or None if it was not
        issued here or has expired."""
        claims, secret = self._sealed.unseal_with_id(token.reveal())
        return {**claims, "sealed_by": secret} if claims is not None and now < claims["exp"] else None

    def _seal(self, claims: dict[str, Any]) -> Secret:
        self._on_issue(claims["exp"])
        token = self._sealed.seal(claims)
        if len(token) > _MAX_LENGTH:
            raise TooManyGroupsError("the groups of this person that rules name do not fit into a URL")
        return Secret(token)
