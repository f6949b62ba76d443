"""Session cookies that browsers were lately made to delete or to replace.

A request that presents one may still wait, for a slow media server above all. Its response must not set it again: the
browser may have signed out since, without that cookie.
"""

from collections.abc import Iterable

from cachetools import TTLCache

from gateway.ports import Clock

_MAX, _TTL = 10_000, 120.0
"""Cookies that are remembered, and the seconds for which a request that presents one may still wait."""


class DeletedCookies:
    """What the responses of one process have deleted. Cookies are given by their `SessionCookie.key`."""

    def __init__(self, clock: Clock) -> None:
        self._deleted: TTLCache[str, None] = TTLCache(_MAX, _TTL, timer=clock.monotonic)
        self._unread: TTLCache[str, None] = TTLCache(_MAX, _TTL, timer=clock.monotonic)
        """Of heads that were too large: anybody can write names into one, and must not displace what is certain."""

    def __repr__(self) -> str:
        return f"<DeletedCookies count={len(self._deleted)} unread={len(self._unread)}>"

    def __contains__(self, key: str) -> bool:
        return key in self._deleted or key in self._unread

    def add(self, keys: Iterable[str]) -> None:
        """Remembers cookies that only the gateway can have sealed."""
        self._deleted.update(dict.fromkeys(keys))

    def add_unread(self, keys: Iterable[str]) -> None:
        """Remembers cookies of which only the names are known."""
        self._unread.update(dict.fromkeys(keys))
