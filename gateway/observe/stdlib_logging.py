"""What aiohttp, asyncio and other libraries log: told to the listener without what could be secret, and in bounds.

A library does not know which of its words are secrets: aiohttp's parser repeats the header it could not read, its
client's errors hold whole URLs. So the first line alone is told, without anything that looks like a URL, a token or a
header's value; of an exception, its kind and where it was raised.
"""

import asyncio
import logging
import re
from contextlib import suppress
from pathlib import Path

from gateway.events import LogEvent
from gateway.ports import Clock, Observer

_LINES_A_SECOND = 20
"""A thousand malformed requests would else make a thousand lines."""
_LONGEST = 300
_SENSITIVE = re.compile(
    r"""
      (?i:\b(?:bearer|basic|cookie|set-cookie|authorization|password|secret|ticket)\b .*)   # and what follows it
    | \b[bB](?P<quote>['"]) .*? (?:(?P=quote)|$)       # bytes that came over the wire
    | \S* [/?&=%@] \S*                                 # URLs, paths, queries, base64
    | \b (?:eyJ|vgk_) \S*                              # signed tokens, service keys
    | [\w.+-]{24,}                                     # longer than words are
    """,
    re.VERBOSE,
)


def cleaned(message: str) -> str:
    """The first line of *message* without what could be secret."""
    first, _, _ = message.strip().partition("\n")
    return _SENSITIVE.sub("…", first)[:_LONGEST]


class LibraryHandler(logging.Handler):
    """Tells *listener*; what is beyond the second's budget is counted, and told as one line after *period* seconds."""

    def __init__(self, observer: Observer, clock: Clock, *, period: float = 1.0) -> None:
        super().__init__()
        self._observer = observer
        self._clock = clock
        self._period = period
        self._ends = clock.monotonic()
        self._told = 0
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        now = self._clock.monotonic()
        if now >= self._ends:
            self.tell_left_out()
            self._ends, self._told = now + self._period, 0
        if self._told < _LINES_A_SECOND:
            self._told += 1
            self._observer.on_event(_notice(record))
            return
        self._left_out += 1
        if self._left_out == 1:
            with suppress(RuntimeError):  # no loop here: it is told before the next line
                asyncio.get_running_loop().call_later(self._period, self.tell_left_out)

    def tell_left_out(self) -> None:
        if self._left_out:
            fields = (("count", str(self._left_out)),)
            self._left_out = 0
            self._observer.on_event(LogEvent("warning", "lines of libraries left out", fields))


def _notice(record: logging.LogRecord) -> LogEvent:
    level = "info" if record.levelno < logging.WARNING else "warning" if record.levelno < logging.ERROR else "error"
    try:
        message = cleaned(record.getMessage())
    except Exception:  # a library's own mistake in its arguments
        message = "a message that cannot be formatted"
    fields = [("logger", record.name)]
    if record.exc_info and record.exc_info[0] is not None:
        fields += [("error", record.exc_info[0].__name__), ("where", _where(record.exc_info))]
    return LogEvent(level, message, tuple(fields))


def _where(exc_info: "logging._SysExcInfoType") -> str:
    trace = exc_info[2]
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}"
