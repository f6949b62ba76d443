"""The log on standard error: one record for each request, and events that an operator should notice. No secrets.

How it works: access records are collected and written together, every 0.2 s or 512 at a time, outside of any request.
At most 4096 wait; further ones are dropped and counted. (The audit never drops a line: see audit.py.)
"""

import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from gateway.events import Event, LogEvent, LogLineDropped
from gateway.observe.json_lines import json_line, rfc3339
from gateway.observe.output import OutputThread
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord

_FLUSH_SECONDS = 0.2
_BATCH = 512
"""Records written at once; this blocks the event loop for a few milliseconds."""
_MAX_WAITING = 4096
_UNROUTED_PER_SECOND = 20
"""Access records in a second for requests without a route, which scanners make."""
_COLORS = {"warning": "\x1b[33m", "error": "\x1b[31m"}
_NO_COLOR = "\x1b[0m"

Fields = Mapping[str, Any]
"""``timestamp``, ``level``, ``event``, and what else there is to say. Empty fields are omitted."""


class LogObserver(Observer):
    """Implements ports.Observer: writes to *stream* from *level* (debug, info, warning, error) on.

    *format_* is json or console. Standard error is written by a thread. *observer* counts the lines that are dropped.
    Between `start` and `stop` access records are collected; otherwise they are written
    at once.
    """

    def __init__(
        self, stream: TextIO, format_: str, level: str, clock: Clock, observer: Observer | None = None
    ) -> None:
        self._stream = stream
        self._observer = observer
        self._thread = OutputThread(stream.fileno()) if stream is sys.stderr else None
        self._format = _formatter(format_, colors=stream.isatty() and not os.environ.get("NO_COLOR"))
        self._level = logging.getLevelNamesMapping()[level.upper()]
        self._clock = clock
        self._waiting: deque[tuple[RequestRecord, float]] = deque()
        """Request records with the Unix time of their end; they are formatted when they are written."""
        self._dropped = 0
        self._unrouted_second = 0
        self._unrouted = 0
        self._timer: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Write everything that waits."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop = None
        self.flush()

    def close(self) -> None:
        """Wait at most a second until everything is on standard error. Blocks: not to be called in the event loop."""
        if self._thread is not None:
            self._thread.close()

    def on_event(self, event: Event) -> None:
        if isinstance(event, LogEvent) and logging.getLevelNamesMapping()[event.level.upper()] >= self._level:
            self._write([self._fields(event.level, event.message, dict(event.fields))])

    def on_request_end(self, request_record: RequestRecord) -> None:
        if self._level > logging.INFO:
            return
        if len(self._waiting) >= _MAX_WAITING or (
            request_record.route == "other" and self._too_many_unrouted(int(request_record.started))
        ):
            self._drop(1)
            return
        self._waiting.append((request_record, self._clock.now()))
        if self._loop is None:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(_FLUSH_SECONDS, self._write_batches)
        elif len(self._waiting) == _BATCH:
            self._timer.cancel()
            self._timer = self._loop.call_soon(self._write_batches)

    def flush(self) -> None:
        """Write everything that waits."""
        while self._waiting:
            self._write_batch()
        if self._dropped:
            self._write_batch()

    def _too_many_unrouted(self, second: int) -> bool:
        """Whether one more request without a route exceeds the limit of its *second*; counts it."""
        if second != self._unrouted_second:
            self._unrouted_second, self._unrouted = second, 0
        self._unrouted += 1
        return self._unrouted > _UNROUTED_PER_SECOND

    def _write_batches(self) -> None:
        """Write one batch, and schedule the next if records still wait."""
        self._write_batch()
        self._timer = self._loop.call_soon(self._write_batches) if self._waiting and self._loop is not None else None

    def _write_batch(self) -> None:
        records = [_access_fields(*self._waiting.popleft()) for _ in range(min(_BATCH, len(self._waiting)))]
        if self._dropped and not self._waiting:
            records.append(self._fields("warning", "access records dropped", {"count": self._dropped}))
            self._dropped = 0
        self._write(records)

    def _fields(self, level: str, event: str, fields: Fields) -> Fields:
        return {"timestamp": rfc3339(self._clock.now()), "level": level, "event": event, **fields}

    def _write(self, records: list[Fields]) -> None:
        text = "".join(map(self._format, records))
        try:
            if self._thread is not None:
                self._thread.write(text.encode("utf-8", "replace"))
            else:
                self._stream.write(text)
                self._stream.flush()
        except (OSError, ValueError):
            self._drop(len(records))  # a log that cannot be written must not fail a request

    def _drop(self, lines: int) -> None:
        """Counts dropped *lines*; the log has a line with their number as soon as it can be written."""
        self._dropped += lines
        if self._observer is not None:
            for _ in range(lines):
                self._observer.on_event(LogLineDropped())


def _formatter(format_: str, *, colors: bool) -> Callable[[Fields], str]:
    """Returns a function from fields to a line, with its line feed."""
    if format_ == "json":
        return lambda fields: json_line(fields).decode()
    return lambda fields: _console_line(fields, colors=colors)


def _console_line(fields: Fields, *, colors: bool) -> str:
    """``TIMESTAMP [LEVEL  ] EVENT NAME=VALUE …`` for people."""
    others = dict(fields)
    timestamp, level, event = (others.pop(name) for name in ("timestamp", "level", "event"))
    label = f"[{level:<7}]"
    if colors and level in _COLORS:
        label = f"{_COLORS[level]}{label}{_NO_COLOR}"
    text = event if event.isprintable() else repr(event)
    return (
        " ".join((timestamp, label, text, *(f"{name}={_console_value(value)}" for name, value in others.items())))
        + "\n"
    )


def _console_value(value: Any) -> str:
    """*value*, quoted if a reader could not tell where it ends, or if it could begin a line of its own."""
    text = str(value)
    plain = text.isprintable() and text and not any(character in " \"'=" for character in text)
    return text if plain else repr(text)


def _access_fields(record: RequestRecord, ended_at: float) -> Fields:
    """The access record: the route's template, never the path, the query or the Referer.

    Empty fields are left out by conditions and not afterwards, which would take twice as long.
    """
    fields: dict[str, Any] = {
        "timestamp": rfc3339(ended_at),
        "level": "info",
        "event": "request",
        "request_id": record.request_id,
        "method": record.method,
        "route": record.route,
    }
    if record.status is not None:
        fields["status"] = record.status
    if record.code is not None:
        fields["code"] = record.code
    if record.reason:
        fields["reason"] = record.reason
    if record.identity is not None:
        if record.identity.subject:
            fields["subject"] = record.identity.subject
        fields["provider"] = record.identity.provider
    if record.grant is not None:
        fields["rule"] = record.grant.rule
    if record.recording is not None:
        fields["recording"] = record.recording
    if record.video is not None:
        fields["video"] = record.video
    if record.delivery is not None:
        fields["delivery"] = record.delivery
    fields["bytes"] = record.bytes
    if record.outcome is not None:
        fields["outcome"] = record.outcome
    fields["seconds"] = round(record.seconds, 6)
    if record.peer is not None:
        fields["peer"] = record.peer
    return fields
