"""Logs: one record a request, what an operator should notice, and what libraries say, without a word that is secret.

Records go to standard error, as JSON or for a person. Access records are gathered and written together, off the road of
the request; they are bounded, and what does not fit is dropped and counted. (The audit is another matter: audit.py.)
"""

import asyncio
import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from gateway.events import Event, Noticed
from gateway.ports import Clock
from gateway.visit import Visit

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_MAX_WAITING = 4096
_FLUSH_SECONDS = 0.2
_LIBRARY_LINES = 20
"""Lines of libraries' own logs told in a second; a thousand malformed requests would else make thousands."""
# What a URL, a token or a header's value may look like. Libraries' messages are told without them.
_SENSITIVE = re.compile(r"https?://\S+|eyJ[\w.-]+|vgk_\S+|\b[\w+/=-]{24,}\b|(?i:bearer|cookie|authorization)\S*[ =:].*")


def renderer(format_: str) -> Callable[[Mapping[str, Any]], str]:
    """Turns an event into a line: *format_* is json or console."""
    if format_ == "json":
        last: Any = structlog.processors.JSONRenderer(sort_keys=False)
    else:
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)

    def render(event: Mapping[str, Any]) -> str:
        fields: MutableMapping[str, Any] = dict(event)
        return str(last(None, "", stamp(None, "", fields)))

    return render


class LogListener:
    """Implements ports.Listener. Between *start* and *stop* access records wait for one another."""

    def __init__(self, stream: TextIO, format_: str, level: str) -> None:
        self._stream = stream
        self._render = renderer(format_)
        self._level = _LEVELS[level]
        self._waiting: list[Mapping[str, Any]] = []
        self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._loop = None
        self.flush()

    def happened(self, event: Event) -> None:
        if isinstance(event, Noticed) and _LEVELS[event.level] >= self._level:
            self.flush()
            self._put({"level": event.level, "event": event.message, **dict(event.fields)})

    def ended(self, visit: Visit) -> None:
        if self._level > _LEVELS["info"]:
            return
        if len(self._waiting) >= _MAX_WAITING:
            self._dropped += 1
            return
        self._waiting.append(_access_record(visit))
        if self._loop is None:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(_FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Write what is waiting."""
        self._timer = None
        waiting, self._waiting = self._waiting, []
        lines = [self._render(record) for record in waiting]
        if self._dropped:
            lines.append(self._render({"level": "warning", "event": "access records dropped", "count": self._dropped}))
            self._dropped = 0
        if lines:
            self._out("\n".join(lines) + "\n")

    def _put(self, event: Mapping[str, Any]) -> None:
        self._out(self._render(event) + "\n")

    def _out(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            return  # a log that cannot be written must not end a request


def _access_record(visit: Visit) -> Mapping[str, Any]:
    """The canonical line of a request: the route's template, never the path, the query or the Referer."""
    return {
        "level": "info",
        "event": "request",
        "request_id": visit.request_id,
        "method": visit.method,
        "route": visit.route,
        "status": visit.status,
        "code": visit.code,
        "reason": visit.reason,
        "subject": None if visit.identity is None else visit.identity.subject,
        "provider": None if visit.identity is None else visit.identity.provider,
        "rule": None if visit.grant is None else visit.grant.rule,
        "recording": visit.recording if visit.video is None else visit.video.recording,
        "video": None if visit.video is None else visit.video.video,
        "delivery": visit.delivery,
        "bytes": visit.bytes,
        "outcome": visit.outcome,
        "seconds": round(visit.seconds, 6),
        "peer": visit.peer,
    }


class LibraryHandler(logging.Handler):
    """What aiohttp and asyncio log: first lines without what could be secret, a few a second, no traceback's values."""

    def __init__(self, listener: LogListener, clock: Clock) -> None:
        super().__init__()
        self._listener = listener
        self._clock = clock
        self._second = -1
        self._told = 0
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._told = second, 0
            if self._left_out:
                self._notice("warning", "lines of libraries left out", (("count", str(self._left_out)),))
                self._left_out = 0
        self._told += 1
        if self._told > _LIBRARY_LINES:
            self._left_out += 1
            return
        level = "error" if record.levelno >= 40 else "warning" if record.levelno >= 30 else "info"
        message = _SENSITIVE.sub("…", record.getMessage().splitlines()[0] if record.getMessage() else "")
        fields = [("logger", record.name)]
        if record.exc_info and record.exc_info[0] is not None:
            fields.append(("error", record.exc_info[0].__name__))
        self._notice(level, message[:300], tuple(fields))

    def _notice(self, level: str, message: str, fields: tuple[tuple[str, str], ...]) -> None:
        self._listener.happened(Noticed(level, message, fields))


def take_over(listener: LogListener, clock: Clock, level: str) -> None:
    """Route the standard library's logging through *listener*."""
    root = logging.getLogger()
    root.handlers[:] = [LibraryHandler(listener, clock)]
    root.setLevel(max(_LEVELS[level], logging.INFO))
