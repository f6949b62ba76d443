"""What replicas tell each other of requests and streams: limits hold in all together, and playing is use in all.

How it works: a request is decided by what this process knows, without I/O. Behind it, the process reports what it has
counted, and receives what all of them have counted. So a limit may be exceeded by one request for each replica that
does not know yet what the others have counted, and by what arrives within one round trip.
"""

from collections.abc import Callable
from typing import Protocol

Who = tuple[str, ...]
"""Issuer and subject of a person, or an address alone."""


class SharedCounts(Protocol):
    """Counts that replicas share. No method waits or raises: without the others each replica counts for itself.

    A Protocol outside ports.py, implemented by store.redis_counts, which neither rate_limit nor delivery can import.
    """

    on_requests: Callable[[Who, float], None]
    """Called with a person, and the seconds until their whole allowance of requests is available again in all."""
    on_streams: Callable[[Who, int], None]
    """Called with a person or an address, and how many streams they have in the other replicas."""

    sessions_in_use: Callable[[], list[str]]
    """Returns the sessions that are in use in this process: they are in every replica."""
    on_used: Callable[[str], None]
    """Called with a session that is in use in some replica, every few seconds."""

    def add_request(self, who: Who, seconds: float) -> None:
        """Reports one more request, which delays the time at which the whole allowance is available by *seconds*."""

    def set_streams(self, who: Who, count: int) -> None:
        """Reports how many streams *who* has in this process."""

    def request_streams(self, who: Who) -> None:
        """Has `on_streams` called again, because what it was called with last has led to a refusal."""
