"""Passes finished requests on to the audit, the metrics and the log, and bounds what strangers can write.

How it works. The audit has each request at once; the metrics and the log have them in batches, which cost less: after
`BATCH` requests, at each measurement of the event loop's lag (four a second), and before the metrics are rendered.

Refusals are counted for each address in windows of a minute. Up to the limit they pass; the rest are only
counted, and at the end of the window each address has one summary line instead. Messages of the log that are not about
one request are counted by their text, because strangers can cause some of them too.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from gateway.events import Event, LogEvent, LoopLagMeasured, RefusalSuppressed
from gateway.network import parse_address
from gateway.observe.audit import AuditLog
from gateway.ports import Clock, E, Observer
from gateway.request_record import RequestRecord

BATCH = 256
"""Requests that are counted and logged at once; this blocks the event loop for two milliseconds."""
WINDOW = 60.0
"""Seconds."""
_MAX_ADDRESSES = 10_000
"""Addresses that are counted apart in a window; all further ones are counted as one."""

_MAX_MESSAGES = 60
"""Log lines of one text in a window."""


class _Count(NamedTuple):
    """Refusals of one address in the current window, and how many of them were suppressed."""

    refusals: int
    suppressed: int


class BatchObserver(Observer, Protocol):
    """An observer that takes many finished requests at once."""

    def on_requests_end(self, records: Sequence[RequestRecord], /) -> None:
        """Called once for every request, some time after it has ended."""


class RefusalFilter(Observer):
    """Passes finished requests and events on to *metrics*, and to *audit* and *log* what is not suppressed.

    *per_minute* is ``limits.refusals_per_minute``. A refusal is a request that ended with an error before its client
    had proven an identity.
    """

    def __init__(
        self, audit: AuditLog, log: BatchObserver, metrics: BatchObserver, clock: Clock, *, per_minute: int
    ) -> None:
        self._audit = audit
        self._log = log
        self._metrics = metrics
        self._clock = clock
        self._per_minute = per_minute
        self._finished: list[RequestRecord] = []
        """The requests of the batch."""
        self._logged: list[RequestRecord] = []
        """Those that have a line in the log."""
        self._windows: dict[str | None, _Count] = {}
        self._messages: Counter[tuple[str, str]] = Counter()
        """Log lines in the current window by level and text."""
        self._since = clock.now()

    def set_limit(self, per_minute: int) -> None:
        self._per_minute = per_minute

    def on_event(self, event: Event) -> None:
        if isinstance(event, LogEvent):
            self._messages[event.level, event.message] += 1
            if self._messages[event.level, event.message] <= _MAX_MESSAGES:
                self._log.on_event(event)
        else:
            self._metrics.on_event(event)
            if type(event) is LoopLagMeasured:
                self.flush()

    def reporter(self, kind: type[E]) -> Callable[[E], None]:
        return self.on_event if kind in (LogEvent, LoopLagMeasured) else self._metrics.reporter(kind)

    def on_request_end(self, record: RequestRecord) -> None:
        self._finished.append(record)
        if record.identity is None and record.code is not None and not self._may_pass(record.peer):
            self._metrics.on_event(RefusalSuppressed())
        else:
            self._audit.on_request_end(record)
            self._logged.append(record)
        if len(self._finished) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Has the requests of the batch counted and logged."""
        finished, self._finished = self._finished, []
        logged, self._logged = self._logged, []
        self._metrics.on_requests_end(finished)
        self._log.on_requests_end(logged)

    def end_window(self) -> None:
        """Writes a summary line for each address whose refusals were suppressed, and begins a new window."""
        windows, self._windows = self._windows, {}
        messages, self._messages = self._messages, Counter()
        since, self._since = self._since, self._clock.now()
        suppressed = {peer: window.suppressed for peer, window in windows.items() if window.suppressed}
        for peer, count in suppressed.items():
            self._audit.summarise_denials(peer, count, since)
        if suppressed:
            fields = (("count", str(sum(suppressed.values()))), ("addresses", str(len(suppressed))))
            self._log.on_event(LogEvent("warning", "refusals were counted instead of written", fields))

        for (level, message), count in messages.items():
            if count > _MAX_MESSAGES:
                fields = (("message", message), ("count", str(count - _MAX_MESSAGES)))
                self._log.on_event(
                    LogEvent(level, "further lines of this text were counted instead of written", fields)
                )

    def _may_pass(self, peer: str | None) -> bool:
        key = _network(peer)
        if key not in self._windows and len(self._windows) >= _MAX_ADDRESSES:
            key = None
        window = self._windows.get(key, _Count(0, 0))
        passes = window.refusals < self._per_minute
        self._windows[key] = _Count(window.refusals + 1, window.suppressed + (not passes))
        return passes


def _network(peer: str | None) -> str | None:
    """Returns *peer*, or the /64 network of an IPv6 address, of which one client has all addresses."""
    if peer is None or ":" not in peer:
        return peer
    address = parse_address(peer)
    return peer if address is None or address.version == 4 else ":".join(address.exploded.split(":")[:4]) + "::/64"
