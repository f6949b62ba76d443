"""A warning about values of a groups claim or header that are no names of groups."""

import math

from gateway.events import LogEvent
from gateway.ports import Clock, Observer

_INTERVAL = 60.0


class IgnoredGroups:
    """Logs at most one warning a minute for *provider*, with the number of values ignored since the last. The values
    themselves are not logged: they may be names of people."""

    def __init__(self, provider: str, clock: Clock, observer: Observer) -> None:
        self._provider = provider
        self._clock = clock
        self._observer = observer
        self._count = 0
        self._logged_at = -math.inf

    def add(self, count: int) -> None:
        """Counts *count* values that were ignored."""
        self._count += count
        if not self._count or self._clock.monotonic() - self._logged_at < _INTERVAL:
            return
        fields = (("provider", self._provider), ("count", str(self._count)))
        message = "values that are no names of groups were ignored (empty, too long, or with characters not allowed)"
        self._observer.on_event(LogEvent("warning", message, fields))
        self._count, self._logged_at = 0, self._clock.monotonic()
