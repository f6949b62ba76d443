"""Writes the audit: one JSON line when a stream opens or is refused, one when it closes. No line is ever dropped.

How it works: the file is opened for appending and lines are written whole, so that several processes and a log
rotation do not mix them. If an ``open`` line cannot be written, its stream is refused. Every other line then waits in
memory, and is written before the next one.

The ``open`` lines of redirects are written together, those of one iteration of the event loop in as few writes as
PIPE_BUF allows, and each redirect waits until its own line is in the file. That takes 0.9 times the processor time of a
redirect at 32 connections. The lines of proxied streams are written at once: they are few, and to wait costs more.
"""

import asyncio
import errno
import os
from collections import deque
from collections.abc import Iterable, Sequence
from select import PIPE_BUF
from typing import NamedTuple

from gateway.errors import BusyError
from gateway.events import AuditFailed, AuditWritten, Event, LogEvent
from gateway.model import Delivery, Identity
from gateway.observe.audit_fields import audit_fields, denial_summary_fields
from gateway.observe.json_lines import json_line
from gateway.observe.output import OutputThread
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord

_WRITTEN = {
    event: AuditWritten(event) for event in ("open", "close", "deny", "deny_summary", "api", "sign_in", "sign_out")
}
_CLOSED = -1
"""A file descriptor that no system accepts."""
_STDOUT = 1


class _Line(NamedTuple):
    event: str
    data: bytes


class AuditFile(Observer):
    """Implements ports.Audit and ports.Observer. *path* "-" is standard output.

    While the file cannot be written, at most *max_waiting_denials* ``deny`` lines wait (100,000 are about 50 MB),
    because anybody can cause them. The number of other lines is bounded by that of the running streams.
    """

    def __init__(self, path: str, clock: Clock, observer: Observer, *, max_waiting_denials: int = 100_000) -> None:
        self._path = path
        self._clock = clock
        self._observer = observer
        self._report_written = observer.reporter(AuditWritten)
        self._max_waiting_denials = max_waiting_denials
        self._descriptor = _CLOSED
        self._waiting: deque[_Line] = deque()
        """Lines that could not be written, oldest first; the first may be the rest of a line."""
        self._group: list[_Line] = []
        """The ``open`` lines of redirects that are about to be written."""
        self._group_written: list[asyncio.Future[bool]] = []
        """For each line of the group, the future result: whether it is in the file."""
        self._stdout = OutputThread(_STDOUT)
        self._failing = False

    def __repr__(self) -> str:
        return f"<AuditFile {self._path} writable={self.is_writable} waiting={len(self._waiting)}>"

    @property
    def is_writable(self) -> bool:
        """Whether the last attempt to open or to write the file succeeded; otherwise new streams are refused."""
        return not self._failing

    @property
    def waiting(self) -> int:
        """Lines that could not be written yet."""
        return len(self._waiting)

    def open(self) -> None:
        """Raises OSError if the file cannot be opened."""
        if self._path == "-":
            self._descriptor = _STDOUT
        else:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)

    def reopen(self) -> None:
        """Opens the path anew, after a log rotation has renamed the file.

        If that fails, no line is written into the renamed file, which may be deleted: all wait for `recover`.
        """
        self._close_file()
        self.recover()

    def recover(self) -> None:
        """Opens the file if it is closed, and writes the lines that wait; does nothing while it can be written.

        A failure is counted and logged.
        """
        if self._descriptor != _CLOSED and not self._failing:
            return
        try:
            if self._descriptor == _CLOSED:
                self.open()
        except OSError as error:
            self._report_failure(error, 1)
            return
        self._write([])

    def close(self) -> list[bytes]:
        """Writes what waits, if that is possible, and closes the file. Returns the lines that could not be written."""
        self._write_group()
        if self._waiting:
            self._write([])
        if self._descriptor == _STDOUT and not self._stdout.close():
            message = "the audit's last lines are lost: standard output is not read"
            self._observer.on_event(LogEvent("error", message, (("bytes", str(self._stdout.waiting)),)))
        self._close_file()
        return [line.data for line in self._waiting]

    async def opened(self, record: RequestRecord) -> None:
        """Return when the ``open`` line is in the file. Raises BusyError if it cannot be written."""
        line = self._line("open", record)
        if record.delivery == Delivery.REDIRECT:
            written = await self._add_to_group(line)
        else:
            written = self._write([line]) == 1
        if not written:
            raise BusyError("the audit cannot be written")
        record.opened = True

    def summarise_denials(self, peer: str | None, count: int, since: float) -> None:
        """Writes one ``deny_summary`` line instead of the *count* ``deny`` lines of *peer* since Unix time *since*."""
        fields = denial_summary_fields(peer, count, since, self._clock.now())
        self._write([_Line("deny_summary", json_line(fields))])

    def signed(self, event: str, identity: Identity, record: RequestRecord) -> None:
        """Write a ``sign_in`` or ``sign_out`` line for *identity*."""
        self._write([self._line(event, record, identity)])

    def on_event(self, event: Event) -> None:
        """Does nothing: only requests are audited."""

    def on_request_end(self, record: RequestRecord) -> None:
        if record.opened:
            if record.delivery == Delivery.PROXY:
                self._write([self._line("close", record)])
        elif record.api:
            self._write([self._line("api", record)])
        elif record.code is not None and record.recording is not None:
            self._write([self._line("deny", record)])

    def _line(self, event: str, record: RequestRecord, identity: Identity | None = None) -> _Line:
        return _Line(event, json_line(audit_fields(event, record, self._clock.now(), identity)))

    def _add_to_group(self, line: _Line) -> "asyncio.Future[bool]":
        """Returns the future result of the next write of the group: whether *line* is in the file. Each line has a
        future of its own, so that a client that disconnects cancels its own wait only; its line is still written."""
        loop = asyncio.get_running_loop()
        if not self._group:
            loop.call_soon(self._write_group)
        written: asyncio.Future[bool] = loop.create_future()
        self._group.append(line)
        self._group_written.append(written)
        return written

    def _write_group(self) -> None:
        lines, self._group = self._group, []
        futures, self._group_written = self._group_written, []
        count = self._write(lines) if lines else 0
        for index, written in enumerate(futures):
            if not written.done():
                written.set_result(index < count)

    def _write(self, lines: Sequence[_Line]) -> int:
        """Write what waits, then *lines*; returns how many of *lines*, from the first on, are in the file."""
        queue = deque(lines)
        try:
            if self._waiting:
                self._write_queue(self._waiting)
            self._write_queue(queue)
        except OSError as error:
            self._report_failure(error, len(queue))
            if queue:
                self._let_wait(queue, partly_written=len(queue[0].data) < len(lines[-len(queue)].data))
            return len(lines) - len(queue)
        if self._failing:
            self._report_success()
        return len(lines)

    def _write_queue(self, queue: deque[_Line]) -> None:
        """Write and remove the lines of *queue*, oldest first. Raises OSError if that is impossible; what was not
        written, also the rest of a line, stays in the queue."""
        while queue:
            chunk = queue[0].data if len(queue) == 1 else _chunk(queue)
            written = self._stdout.write(chunk) if self._descriptor == _STDOUT else os.write(self._descriptor, chunk)
            while queue and written >= len(queue[0].data):
                line = queue.popleft()
                written -= len(line.data)
                self._report_written(_WRITTEN[line.event])
            if written:
                queue[0] = _Line(queue[0].event, queue[0].data[written:])

    def _close_file(self) -> None:
        if self._descriptor not in (_CLOSED, _STDOUT):
            os.close(self._descriptor)
        self._descriptor = _CLOSED

    def _let_wait(self, lines: Iterable[_Line], *, partly_written: bool) -> None:
        """Let those of *lines* wait that must not be lost: all but ``open`` lines, whose streams are refused, and
        ``deny`` lines beyond the limit. The rest of a line that was *partly_written*, the first, waits in any case."""
        for line in lines:
            may_wait = line.event != "open" and (
                not line.event.startswith("deny") or len(self._waiting) < self._max_waiting_denials
            )
            if partly_written or may_wait:
                self._waiting.append(line)
            partly_written = False

    def _report_success(self) -> None:
        """Logs the first success after a failure."""
        self._failing = False
        self._observer.on_event(LogEvent("info", "the audit can be written again"))

    def _report_failure(self, error: OSError, lines: int) -> None:
        """Count *lines* as failures; log the first failure since the last success."""
        for _ in range(lines):
            self._observer.on_event(AuditFailed())
        if not self._failing:
            self._failing = True
            cause = errno.errorcode.get(error.errno or 0, type(error).__name__)
            message = "the audit cannot be written: new streams are refused until it can"
            self._observer.on_event(LogEvent("error", message, (("cause", cause), ("file", self._path))))


def _chunk(lines: Sequence[_Line]) -> bytes:
    """The first of *lines*, and as many more as fit in what a pipe writes without interleaving (PIPE_BUF, pipe(7))."""
    size, chunk = 0, list[bytes]()
    for line in lines:
        size += len(line.data)
        if chunk and size > PIPE_BUF:
            break
        chunk.append(line.data)
    return b"".join(chunk)
