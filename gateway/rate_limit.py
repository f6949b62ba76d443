"""How often a person may ask. Who asks too often is told when to come again, and costs nobody anything."""

from cachetools import TLRUCache

from gateway.errors import TooManyRequestsError
from gateway.events import LimitReached
from gateway.model import Identity
from gateway.ports import Clock, Observer

_MINUTE = 60.0
_MAX_PERSONS = 100_000
_ROUNDING = 1e-6

Person = tuple[str, str]
"""Issuer and subject."""


class Rates:
    """*per_minute* requests a person, which may come at once; 0 is no limit. It fills up again evenly (the generic cell
    rate algorithm: of each person a single moment is kept, at which all that was asked will have been paid for)."""

    def __init__(self, clock: Clock, observer: Observer, *, per_minute: int) -> None:
        self._clock = clock
        self._observer = observer
        self._per_minute = per_minute
        self._paid_at: TLRUCache[Person, float] = TLRUCache(
            _MAX_PERSONS, lambda _person, paid_at, _now: paid_at, timer=clock.monotonic
        )

    def limit(self, per_minute: int) -> None:
        """Another rate, from the next request on."""
        self._per_minute = per_minute

    def count(self, identity: Identity) -> None:
        """One more request of that person. TooManyRequestsError if it is one too many; that one is not counted."""
        if not self._per_minute:
            return
        price, now, person = _MINUTE / self._per_minute, self._clock.monotonic(), (identity.issuer, identity.subject)
        try:
            unpaid = self._paid_at[person]
        except KeyError:
            unpaid = now
        paid_at = max(now, unpaid) + price
        early = paid_at - now - _MINUTE
        if early > _ROUNDING:
            self._observer.on_event(LimitReached("requests_per_minute"))
            raise TooManyRequestsError("limits.requests_per_minute is reached", retry_after=early)
        self._paid_at[person] = paid_at
