"""Changes of person: a ticket of another person than the browser's, sealed into the page that asks for confirmation.

Without the question, a link with a ticket of somebody else's would sign the browser in as them. The ticket is used by
then, so that the sealed text takes its place; it is valid for five minutes and, like a ticket, once.
"""

import secrets as random
from collections.abc import Iterable

from gateway.errors import InvalidCredentialsError
from gateway.group_selection import GroupSelection
from gateway.model import Identity, IdentityKind, Secret
from gateway.ports import Clock, Store
from gateway.sealed import SealedTokens

LIFETIME = 300.0
"""Seconds."""
_VERSION = 1


class PersonSwitch:
    """Implements ports.PersonSwitch. The first of *secrets* seals and all of them unseal. Of a person's groups,
    those in *keep_groups* are sealed. *started_at*, in Unix seconds, is that of the process."""

    def __init__(
        self,
        secrets: Iterable[Secret],
        clock: Clock,
        store: Store,
        *,
        started_at: float,
        keep_groups: GroupSelection,
    ) -> None:
        self._sealed = SealedTokens(secrets, "switch", _VERSION)
        self._clock = clock
        self._store = store
        self._started_at = started_at
        self._keep_groups = keep_groups

    def seal(self, identity: Identity, path: str) -> str:
        """Returns a text that proves that *identity*, by a ticket, came to *path*."""
        return self._sealed.seal(
            {
                "jti": random.token_urlsafe(16),
                "exp": self._clock.now() + LIFETIME,
                "to": path,
                "sub": identity.subject,
                "iss": identity.issuer,
                "prv": identity.provider,
                "grp": self._keep_groups.select(identity.groups),
                "sel": self._keep_groups.digest,
                "iat": identity.issued_at,
                "lee": identity.leeway,
                "rec": identity.recording,
                "vid": identity.video,
            }
        )

    async def open(self, text: str) -> tuple[Identity, str]:
        """Returns the identity and the path in *text*. Whether the identity is still valid is for the caller to check.

        Raises InvalidCredentialsError if *text* was not sealed here, has expired or was used, or if the store has lost
        whether it was; BusyError if the store fails.
        """
        claims = self._sealed.unseal(text)
        if claims is None or self._clock.now() >= claims["exp"]:
            raise InvalidCredentialsError("the change of person was not offered here, or more than five minutes ago")
        sealed_at, complete_since = claims["exp"] - LIFETIME, self._store.complete_since
        if sealed_at < (self._started_at if complete_since is None else complete_since):
            raise InvalidCredentialsError("the change of person may have been confirmed, and that was lost since")
        if not await self._store.consume(f"switch {claims['jti']}", claims["exp"], since=sealed_at):
            raise InvalidCredentialsError("the change of person was confirmed before")
        identity = Identity(
            subject=claims["sub"],
            issuer=claims["iss"],
            provider=claims["prv"],
            kind=IdentityKind.TICKET,
            groups=frozenset(claims["grp"]),
            selection=claims.get("sel", ""),
            issued_at=claims["iat"],
            leeway=claims["lee"],
            recording=claims["rec"],
            video=claims["vid"],
        )
        return identity, claims["to"]
