"""Bounds what clients without a proven identity can write to the audit and the log.

How it works. Refusals are counted for each address in windows of a minute. Up to the limit they pass; the rest are only
counted, and at the end of the window each address has one summary line instead. Messages of the log that are not about
one request are counted by their text, because strangers can cause some of them too.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from gateway.events import Event, LogEvent, RefusalSuppressed
from gateway.network import parse_address
from gateway.observe.audit import AuditLog
from gateway.ports import Clock, E, Observer
from gateway.request_record import RequestRecord

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


class RefusalFilter(Observer):
    """Passes finished requests and events on to *metrics*, and to *audit* and *log* what is not suppressed.

    *per_minute* is ``limits.refusals_per_minute``. A refusal is a request that ended with an error before its client
    had proven an identity.
    """

    def __init__(self, audit: AuditLog, log: Observer, metrics: Observer, clock: Clock, *, per_minute: int) -> None:
        self._audit = audit
        self._log = log
        self._metrics = metrics
        self._clock = clock
        self._per_minute = per_minute
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

    def reporter(self, kind: type[E]) -> Callable[[E], None]:
        return self.on_event if kind is LogEvent else self._metrics.reporter(kind)

    def on_request_end(self, record: RequestRecord) -> None:
        self._metrics.on_request_end(record)
        if record.identity is None and record.code is not None and not self._may_pass(record.peer):
            self._metrics.on_event(RefusalSuppressed())
            return
        self._audit.on_request_end(record)
        self._log.on_request_end(record)

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
