"""Passes finished requests on to the audit, the metrics and the log, and bounds what strangers can write.

How it works. The audit has each request at once; the metrics and the log have them in batches, which cost less: after
`BATCH` requests, at each measurement of the event loop's lag (four a second), and before the metrics are rendered.

Requests without a proven identity are counted for each address in windows of a minute. In the audit, refusals up to the
limit have a line. In the log, as many lines are for refusals and other requests (for a page that everybody may see, or
the start of a sign-in) together. The others have half of them at most, so that the assets of a page hide no refusals.
The rest are only counted, and have summary lines at the end of the window: one for each address in the audit, one of
each kind in the log. Messages of the log that are not about one request are counted by their text, because strangers
can cause some of them too.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

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


@dataclass(slots=True)
class _Count:
    """Requests of one address without a proven identity in the current window."""

    refusals: int = 0
    """Refusals that were passed on to the audit."""
    unaudited: int = 0
    """All further ones."""
    lines: int = 0
    """Requests that have a line in the log."""
    unlogged_refusals: int = 0
    unlogged_others: int = 0


class BatchObserver(Observer, Protocol):
    """An observer that takes many finished requests at once."""

    def on_requests_end(self, records: Sequence[RequestRecord], /) -> None:
        """Called once for every request, some time after it has ended."""


class RefusalFilter(Observer):
    """Passes finished requests and events on to *metrics*, and to *audit* and *log* what is not suppressed.

    *per_minute* is ``limits.refusals_per_minute``. A refusal is a request that ended with an error before its client
    had proven an identity. A request of a client that had is never suppressed.
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
        self._counts: dict[str | None, _Count] = {}
        """By address, in the current window."""
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
        if record.identity is None:
            self._end_anonymous(record)
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
        """Writes the summary lines of the requests and messages that were suppressed, and begins a new window."""
        counts, self._counts = self._counts, {}
        messages, self._messages = self._messages, Counter()
        since, self._since = self._since, self._clock.now()
        for peer, one in counts.items():
            if one.unaudited:
                self._audit.summarise_denials(peer, one.unaudited, since)
        refusals = [one.unlogged_refusals for one in counts.values() if one.unlogged_refusals]
        self._summarise("warning", "refusals were counted instead of written", refusals)
        others = [one.unlogged_others for one in counts.values() if one.unlogged_others]
        self._summarise("info", "other requests without an identity were counted instead of written", others)
        for (level, message), count in messages.items():
            if count > _MAX_MESSAGES:
                fields = (("message", message), ("count", str(count - _MAX_MESSAGES)))
                self._log.on_event(
                    LogEvent(level, "further lines of this text were counted instead of written", fields)
                )

    def _summarise(self, level: str, message: str, suppressed: Sequence[int]) -> None:
        """Logs *message* with the sum of *suppressed*, the numbers of the addresses that have any."""
        if suppressed:
            fields = (("count", str(sum(suppressed))), ("addresses", str(len(suppressed))))
            self._log.on_event(LogEvent(level, message, fields))

    def _end_anonymous(self, record: RequestRecord) -> None:
        """Passes a request without a proven identity on as far as the limits of its address allow."""
        count = self._count_of(record.peer)
        refused = record.code is not None or record.api  # a call without a code was given up by its client
        if refused and count.refusals >= self._per_minute:
            count.unaudited += 1
            self._metrics.on_event(RefusalSuppressed())
        else:
            count.refusals += refused
            self._audit.on_request_end(record)
        if count.lines < (self._per_minute if refused else (self._per_minute + 1) // 2):
            count.lines += 1
            self._logged.append(record)
        elif refused:
            count.unlogged_refusals += 1
        else:
            count.unlogged_others += 1

    def _count_of(self, peer: str | None) -> _Count:
        key = _network(peer)
        if key not in self._counts and len(self._counts) >= _MAX_ADDRESSES:
            key = None
        return self._counts.setdefault(key, _Count())


def _network(peer: str | None) -> str | None:
    """Returns *peer*, or the /64 network of an IPv6 address, of which one client has all addresses."""
    if peer is None or ":" not in peer:
        return peer
    address = parse_address(peer)
    return peer if address is None or address.version == 4 else ":".join(address.exploded.split(":")[:4]) + "::/64"
