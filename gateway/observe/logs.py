"""The log on standard error: one record for each request, and events that an operator should notice. No secrets.

How it works: the access records of a batch of requests (see refusals.py) are written together, by a thread. If too much
waits there, because standard error is not read, lines are dropped and counted. (The audit never drops a line: see
audit.py.)
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from gateway.events import Event, LogEvent, LogLineDropped
from gateway.observe.json_lines import json_line, rfc3339
from gateway.observe.output import OutputThread
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord

_UNROUTED_PER_SECOND = 20
"""Access records in a second for requests without a route, which scanners make."""
_UNWRITTEN_AT_ONCE = 50
_COLORS = {"warning": "\x1b[33m", "error": "\x1b[31m"}
_NO_COLOR = "\x1b[0m"

Fields = Mapping[str, Any]
"""``timestamp``, ``level``, ``event``, and what else there is to say. Empty fields are omitted."""


class LogObserver(Observer):
    """Implements ports.Observer: writes to *stream* from *level* (debug, info, warning, error) on.

    *format_* is json or console. Standard error is written by a thread. *observer* counts the lines that are dropped.
    *patience*: seconds in which nothing is read, after which lines of the audit do not wait for the reader any more.
    """

    def __init__(
        self,
        stream: TextIO,
        format_: str,
        level: str,
        clock: Clock,
        observer: Observer | None = None,
        *,
        patience: float = 2.0,
    ) -> None:
        self._stream = stream
        self._observer = observer
        self._thread = OutputThread(stream.fileno()) if stream is sys.stderr else None
        self._format = _formatter(format_, colors=stream.isatty() and not os.environ.get("NO_COLOR"))
        self._level = logging.getLevelNamesMapping()[level.upper()]
        self._clock = clock
        self._patience = patience
        self._dropped = 0
        self._unrouted_second = 0
        self._unrouted = 0

    def print_line(self, line: str) -> None:
        """Writes *line*, for people, as it is. Unlike a print it never waits for the reader of standard error."""
        self._write_text(f"{line}\n")

    def report(self, level: str, message: str) -> None:
        """Writes a record whatever the configured level: what an operator waits for, such as the end of a reload."""
        self._write([self._fields(level, message, {})])

    def report_unwritten(self, lines: Sequence[bytes]) -> None:
        """Writes *lines* of the audit that are in no file, after a record with their number.

        Unlike all other records they wait for whoever reads standard error, as long as something is read. Blocks: not
        to be called in the event loop.
        """
        if not lines:
            return
        records = [self._fields("error", "audit lines not written: they follow", {"count": len(lines)})]
        for begin in range(0, len(lines), _UNWRITTEN_AT_ONCE):
            for line in lines[begin : begin + _UNWRITTEN_AT_ONCE]:
                text = line.decode(errors="backslashreplace").strip()  # the rest of a line can begin in a character
                records.append(self._fields("error", "audit line not written", {"line": text}))
            if not self._is_read() or not self._write(records):
                return
            records.clear()
        self._is_read()

    def _is_read(self) -> bool:
        """Waits until all that waited has been read. False if nobody reads."""
        return self._thread is None or self._thread.flush(self._patience)

    def close(self) -> None:
        """Wait at most a second until everything is on standard error. Blocks: not to be called in the event loop."""
        if self._thread is not None:
            self._thread.close()

    def on_event(self, event: Event) -> None:
        if isinstance(event, LogEvent) and logging.getLevelNamesMapping()[event.level.upper()] >= self._level:
            written = self._write([self._fields(event.level, event.message, dict(event.fields))])
            self._drop(0 if written else 1)

    def on_request_end(self, request_record: RequestRecord) -> None:
        self.on_requests_end([request_record])

    def on_requests_end(self, request_records: Sequence[RequestRecord]) -> None:
        if self._level > logging.INFO:
            return
        logged = [one for one in request_records if one.route != "other" or not self._too_many_unrouted(one)]
        self._drop(len(request_records) - len(logged))
        since_epoch = self._clock.now() - self._clock.monotonic()
        lines = [_access_fields(one, since_epoch + one.started + one.seconds) for one in logged]
        dropped = self._dropped
        if dropped:
            lines.append(self._fields("warning", "access records dropped", {"count": dropped}))
        if not lines:
            return
        if self._write(lines):
            self._dropped -= dropped
        else:
            self._drop(len(logged))

    def _too_many_unrouted(self, record: RequestRecord) -> bool:
        """Whether one more request without a route exceeds the limit of its second; counts it."""
        second = int(record.started)
        if second != self._unrouted_second:
            self._unrouted_second, self._unrouted = second, 0
        self._unrouted += 1
        return self._unrouted > _UNROUTED_PER_SECOND

    def _fields(self, level: str, event: str, fields: Fields) -> Fields:
        return {"timestamp": rfc3339(self._clock.now()), "level": level, "event": event, **fields}

    def _write(self, lines: list[Fields]) -> bool:
        """Whether *lines* could be written: a log that cannot be must not fail a request."""
        return self._write_text("".join(map(self._format, lines)))

    def _write_text(self, text: str) -> bool:
        try:
            if self._thread is not None:
                self._thread.write(text.encode("utf-8", "replace"))
            else:
                self._stream.write(text)
                self._stream.flush()
        except (OSError, ValueError):
            return False
        return True

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
