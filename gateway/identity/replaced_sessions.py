"""Sessions whose cookies a browser was lately given others for, or was made to delete.

Browsers send requests at the same moment: some present a cookie that is replaced or deleted in response to another one
of them. Their responses must neither set the old cookie again nor delete the new one.
"""

import math
from collections.abc import Mapping

from cachetools import TTLCache

from gateway.model import Identity
from gateway.ports import Clock

_MAX, _TTL = 10_000, 120.0
"""Sessions that are remembered, and the seconds for which a request that presents one may still wait."""


class ReplacedSessions:
    """What the responses of one process have done to the browsers' cookies."""

    def __init__(self, clock: Clock) -> None:
        self._replaced: TTLCache[str | None, float] = TTLCache(_MAX, _TTL, timer=clock.monotonic)
        """When the session began whose cookie has replaced that of another one, Unix seconds, by the latter's id;
        infinity if the cookie was deleted."""

    def __repr__(self) -> str:
        return f"<ReplacedSessions count={len(self._replaced)}>"

    def replace(self, session: Identity, now: float) -> None:
        """Notes that the browser is given the cookie of a session that begins *now* in place of that of *session*."""
        self._replaced[session.session] = now

    def delete(self, session: Identity) -> None:
        """Notes that the browser is made to delete the cookie of *session*."""
        self._replaced[session.session] = math.inf

    def issued_at(self, sessions: Mapping[str, Identity]) -> dict[str, float]:
        """Returns when the sessions began that a browser has by now which presents *sessions*, Unix seconds, by the
        cookie's name: newer ones, where it was lately given one. A deleted one is as old as it was: a browser that has
        not received that response presents it further, and has it deleted again."""
        return {name: self._issued_at(session) or 0.0 for name, session in sessions.items()}

    def _issued_at(self, session: Identity) -> float | None:
        replaced_at = self._replaced.get(session.session, math.inf)
        return replaced_at if replaced_at < math.inf else session.issued_at

    def is_deleted(self, session: Identity) -> bool:
        """Whether the browser was lately made to delete the cookie of *session*; it may have another under that name,
        or not have received that response."""
        return self._replaced.get(session.session) == math.inf

    def is_gone(self, session: Identity) -> bool:
        """Whether the browser should have the cookie of *session*, as a request presents it, no more: it must not be
        set again."""
        return self._replaced.get(session.session, session.issued_at) != session.issued_at
