"""The limit of requests per person and minute."""

from cachetools import TLRUCache

from gateway.errors import TooManyRequestsError
from gateway.events import LimitReached
from gateway.model import Identity
from gateway.ports import Clock, Observer
from gateway.shared_counts import SharedCounts

_MINUTE = 60.0
_MAX_PERSONS = 100_000
_TOLERANCE = 1e-6
"""Seconds. Rounding of floating-point numbers must not refuse the last request that is allowed."""


class RateLimiter:
    """Implements ports.RateLimit by the generic cell rate algorithm.

    Each person may make *per_minute* requests at once, and the allowance refills evenly; 0 is no limit. Each request
    moves the person's theoretical arrival time (in monotonic seconds) ahead by a minute divided by *per_minute*; a
    request that would move it further than a minute from now is refused. Once that time has passed, the whole allowance
    is available again and the cache drops the entry. With *shared* the requests in other replicas count too.
    """

    def __init__(
        self, clock: Clock, observer: Observer, *, per_minute: int, shared: SharedCounts | None = None
    ) -> None:
        self._monotonic = clock.monotonic
        self._observer = observer
        self.per_minute = per_minute
        self._arrival_times: TLRUCache[tuple[str, ...], float] = TLRUCache(
            _MAX_PERSONS, lambda _person, arrival_time, _now: arrival_time, timer=clock.monotonic
        )
        """Theoretical arrival times by issuer and subject."""
        self._shared = shared
        if shared is not None:
            shared.on_requests = self.delay

    def __repr__(self) -> str:
        return f"<RateLimiter per_minute={self.per_minute} persons={len(self._arrival_times)}>"

    def set_limit(self, per_minute: int) -> None:
        """Changes the limit from the next request on."""
        self.per_minute = per_minute

    def count(self, identity: Identity) -> None:
        """Counts one more request of that person.

        Raises TooManyRequestsError, with the seconds after which the next request is allowed, if it exceeds the limit;
        a refused request does not count.
        """
        if not self.per_minute:
            return
        person = (identity.issuer, identity.subject)
        now = self._monotonic()
        try:
            previous = self._arrival_times[person]
        except KeyError:
            previous = now
        arrival_time = max(now, previous) + _MINUTE / self.per_minute
        excess = arrival_time - now - _MINUTE
        if excess > _TOLERANCE:
            self._observer.on_event(LimitReached("requests_per_minute"))
            raise TooManyRequestsError("limits.requests_per_minute is reached", retry_after=excess)
        self._arrival_times[person] = arrival_time
        if self._shared is not None:
            self._shared.add_request(person, _MINUTE / self.per_minute)

    def delay(self, person: tuple[str, ...], seconds: float) -> None:
        """Has the person's whole allowance available again after *seconds* at the earliest."""
        arrival_time = self._monotonic() + seconds
        self._arrival_times[person] = max(arrival_time, self._arrival_times.get(person, arrival_time))
