"""Logs: one record a request, and what an operator should notice, on standard error, without a word that is secret.

Access records are gathered and written together, off the road of the request; they are bounded, and what does not fit
is dropped and counted. (The audit is another matter: audit.py.)
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from gateway.clock import SystemClock
from gateway.events import Event, LogEvent
from gateway.observe.json_lines import json_line
from gateway.observe.stdlib_logging import LibraryHandler
from gateway.observe.timestamps import rfc3339
from gateway.ports import Clock
from gateway.request_record import RequestRecord

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_FLUSH_SECONDS = 0.2
_BATCH = 512
"""Records written at one go: some milliseconds of the event loop."""
_MOST_WAITING = 4096
_MOST_STRANGERS = 20
"""Records in a second of requests without a route."""

Record = Mapping[str, Any]
_Ended = tuple[RequestRecord, float]
"""A request that is over, and when: a record is made of it only when it is written."""


def renderer(format_: str, *, colors: bool = False) -> Callable[[Record], str]:
    """Turns a record into a line with its end: *format_* is json or console."""
    if format_ == "json":
        return lambda record: json_line(record).decode()
    from structlog.dev import ConsoleRenderer

    # Texts are quoted as Python would, so that nobody's name can begin a line of its own.
    last = ConsoleRenderer(colors=colors, repr_native_str=True, sort_keys=False, pad_event_to=0)
    return lambda record: f"{last(None, '', dict(record))}\n"


class LogObserver:
    """Implements listeners.Hearer. Between *start* and *stop* access records wait for one another; else they go now.

    *format_* is json or console; *level* debug, info, warning or error.
    """

    def __init__(self, stream: TextIO, format_: str, level: str, clock: Clock | None = None) -> None:
        self._stream = stream
        self._render = renderer(format_, colors=stream.isatty() and not os.environ.get("NO_COLOR"))
        self._level = _LEVELS[level]
        self._clock = clock or SystemClock()
        self._waiting: deque[_Ended] = deque()
        self._dropped = 0
        self._second = 0
        self._strangers = 0
        self._timer: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._loop = None
        self.flush()

    def on_event(self, event: Event) -> None:
        if isinstance(event, LogEvent) and _LEVELS[event.level] >= self._level:
            self._out([self._record(event.level, event.message, dict(event.fields))])

    def on_request_end(self, request_record: RequestRecord) -> None:
        if self._level > _LEVELS["info"]:
            return
        if len(self._waiting) >= _MOST_WAITING or (
            request_record.route == "other" and self._is_flood(request_record.started)
        ):
            self._dropped += 1
            return
        self._waiting.append((request_record, self._clock.now()))
        if self._loop is None:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(_FLUSH_SECONDS, self._flush_some)
        elif len(self._waiting) == _BATCH:
            self._timer.cancel()
            self._timer = self._loop.call_soon(self._flush_some)

    def _is_flood(self, now: float) -> bool:
        """Whether a second has had its share of requests that were no address of ours, or no HTTP at all."""
        if int(now) != self._second:
            self._second, self._strangers = int(now), 0
        self._strangers += 1
        return self._strangers > _MOST_STRANGERS

    def flush(self) -> None:
        """Write everything that is waiting."""
        while self._waiting or self._dropped:
            self._write_some()

    def _flush_some(self) -> None:
        self._write_some()
        self._timer = self._loop.call_soon(self._flush_some) if self._waiting and self._loop is not None else None

    def _write_some(self) -> None:
        records = [_told_of(*self._waiting.popleft()) for _ in range(min(_BATCH, len(self._waiting)))]
        if self._dropped and not self._waiting:
            records.append(self._record("warning", "access records dropped", {"count": self._dropped}))
            self._dropped = 0
        self._out(records)

    def _record(self, level: str, event: str, fields: Record) -> Record:
        return {"timestamp": rfc3339(self._clock.now()), "level": level, "event": event, **fields}

    def _out(self, records: list[Record]) -> None:
        text = "".join(map(self._render, records))
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            return  # a log that cannot be written must not end a request


def take_over(observer: LogObserver, clock: Clock, level: str) -> None:
    """Route the standard library's logging through *listener*. Its debug level, which shows secrets, stays silent."""
    root = logging.getLogger()
    root.handlers[:] = [LibraryHandler(observer, clock)]
    root.setLevel(max(_LEVELS[level], logging.INFO))


def _told_of(request_record: RequestRecord, now: float) -> Record:
    """What the log says of a request: the route's template, never the path, the query or the Referer."""
    return {
        "timestamp": rfc3339(now),
        "level": "info",
        "event": "request",
        "request_id": request_record.request_id,
        "method": request_record.method,
        "route": request_record.route,
        "status": request_record.status,
        "code": request_record.code,
        "reason": request_record.reason,
        "subject": None if request_record.identity is None else request_record.identity.subject,
        "provider": None if request_record.identity is None else request_record.identity.provider,
        "rule": None if request_record.grant is None else request_record.grant.rule,
        "recording": request_record.recording,
        "video": request_record.video,
        "delivery": request_record.delivery,
        "bytes": request_record.bytes,
        "outcome": request_record.outcome,
        "seconds": round(request_record.seconds, 6),
        "peer": request_record.peer,
    }
