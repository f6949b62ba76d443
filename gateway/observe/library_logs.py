"""Passes on what aiohttp, asyncio and other libraries log, without secrets and at a limited rate.

A library does not know what is secret: aiohttp's parser repeats the header that it refuses, and the errors of its
client contain whole URLs. So only the first line of a message is passed on, without anything that looks like a URL, a
token or a header's value; of an exception, its class and the place where it was raised.
"""

import asyncio
import logging
import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gateway.events import LogEvent
from gateway.ports import Clock, Observer

_LINES_PER_PERIOD = 20
"""A thousand malformed requests must not become a thousand lines."""
_MAX_LENGTH = 300
_SENSITIVE = re.compile(
    r"""
      (?i:\b(?:bearer|basic|cookie|set-cookie|authorization|password|secret|ticket)\b .*)   # and what follows it
    | \b[bB](?P<quote>['"]) .*? (?:(?P=quote)|$)       # bytes that a client sent
    | \S* [/?&=%@] \S*                                 # URLs, paths, queries, base64
    | \b (?:eyJ|vgk_) \S*                              # signed tokens, service keys
    | [\w.+-]{24,}                                     # longer than any word
    """,
    re.VERBOSE,
)


def redirect_library_logs(observer: Observer, clock: Clock, level: str) -> None:
    """Make *observer* the only destination of the `logging` module, from *level* on.

    The debug level is left out whatever *level* is, because libraries log secrets there.
    """
    root = logging.getLogger()
    root.handlers[:] = [LibraryHandler(observer, clock)]
    root.setLevel(max(logging.getLevelNamesMapping()[level.upper()], logging.INFO))


def redact(message: str) -> str:
    """The first line of *message*, at most 300 characters, with "…" for everything that could be secret."""
    first, _, _ = message.strip().partition("\n")
    return _SENSITIVE.sub("…", first)[:_MAX_LENGTH]


class LibraryHandler(logging.Handler):
    """Turns log records into LogEvents for *observer*, 20 in each *period* of seconds.

    The rest is counted, and reported in one event after the period.
    """

    def __init__(self, observer: Observer, clock: Clock, *, period: float = 1.0) -> None:
        super().__init__()
        self._observer = observer
        self._clock = clock
        self._period = period
        self._period_ends = clock.monotonic()
        self._passed = 0
        self._suppressed = 0

    def emit(self, record: logging.LogRecord) -> None:
        now = self._clock.monotonic()
        if now >= self._period_ends:
            self.report_suppressed()
            self._period_ends, self._passed = now + self._period, 0
        if self._passed < _LINES_PER_PERIOD:
            self._passed += 1
            self._observer.on_event(_log_event(record))
            return
        self._suppressed += 1
        if self._suppressed == 1:
            with suppress(RuntimeError):  # no event loop runs: reported before the next record instead
                asyncio.get_running_loop().call_later(self._period, self.report_suppressed)

    def report_suppressed(self) -> None:
        """Report the number of records that were suppressed since the last report, if there are any."""
        if self._suppressed:
            fields = (("count", str(self._suppressed)),)
            self._suppressed = 0
            self._observer.on_event(LogEvent("warning", "library log lines suppressed", fields))


def _log_event(record: logging.LogRecord) -> LogEvent:
    level = "info" if record.levelno < logging.WARNING else "warning" if record.levelno < logging.ERROR else "error"
    try:
        message = redact(record.getMessage())
    except Exception:  # the arguments do not match the library's format string
        message = "a message that cannot be formatted"
    fields = [("logger", record.name)]
    if record.exc_info and record.exc_info[0] is not None:
        error, _, traceback = record.exc_info
        fields += [("error", error.__name__), ("where", _innermost_frame(traceback))]
    return LogEvent(level, message, tuple(fields))


def _innermost_frame(traceback: TracebackType | None) -> str:
    """``file.py:line function`` of the frame that raised the exception."""
    if traceback is None:
        return "unknown"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f"{Path(code.co_filename).name}:{traceback.tb_lineno} {code.co_name}"
