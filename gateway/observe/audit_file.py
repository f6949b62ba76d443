"""The file of the audit: writes lines whole and in order, each sealed into the hash chain, and loses none.

How it works: the file is opened for appending and lines are written whole, so that several processes and a log rotation
do not mix them. A line is sealed when it is written, because a line that could not be written may be dropped: the chain
is what the file contains. Lines that must not be dropped wait in memory and are written before the next line.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from select import PIPE_BUF
from typing import NamedTuple

from gateway.events import AUDIT_EVENTS, AuditFailed, AuditWritten, LogEvent
from gateway.observe.audit_chain import SEAL_BYTES, Head, last_line_of, new_chain, seal
from gateway.observe.disk_sync import DiskSync
from gateway.observe.output import OutputThread
from gateway.ports import Observer

_WRITTEN = {event: AuditWritten(event) for event in AUDIT_EVENTS}
_CLOSED = -1
"""A file descriptor that no system accepts."""
_STDOUT = 1


class Line(NamedTuple):
    """*body* is a JSON object and a line feed, not sealed. *rest* is what remains of a line that was partly written."""

    event: str
    body: bytes
    rest: bytes = b""


class AuditFile:
    """*path* "-" is standard output. *chain_line* returns the ``chain`` line for a file that begins after a head.

    While the file cannot be written, at most *max_waiting_denials* ``deny`` lines wait (100,000 are about 50 MB),
    because anybody can cause them. The number of other lines is bounded by that of the running streams. *sync* writes
    the file to the disk; None leaves that to the system.
    """

    def __init__(
        self,
        path: str,
        observer: Observer,
        chain_line: Callable[[Head | None], bytes],
        *,
        key: bytes | None = None,
        sync: DiskSync | None = None,
        max_waiting_denials: int = 100_000,
    ) -> None:
        self._path = path
        self._observer = observer
        self._report_written = observer.reporter(AuditWritten)
        self._chain_line = chain_line
        self._key = key
        self._sync = sync
        self._max_waiting_denials = max_waiting_denials
        self._descriptor = _CLOSED
        self._file_id: tuple[int, int] | None = None
        """Device and inode of the file that was opened last."""
        self.head = new_chain()
        """The last line that is in the file, or whose beginning is."""
        self._head_before_rest = self.head
        self._opening: deque[Line] = deque()
        """The ``chain`` line of a new file, until it is written."""
        self._waiting: deque[Line] = deque()
        """Lines that could not be written, oldest first; the first may be partly written."""
        self._stdout = OutputThread(_STDOUT)
        self._failing = False

    @property
    def is_writable(self) -> bool:
        return not self._failing

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def open(self) -> None:
        """Raises OSError if the file cannot be opened."""
        if self._path == "-":
            self._descriptor = _STDOUT
            if not self.head.seq:
                self._opening = deque([Line("chain", self._chain_line(None))])
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        status = os.fstat(self._descriptor)
        if self._file_id != (status.st_dev, status.st_ino):
            try:
                self._begin_file(status)
            except OSError:
                self._close_file()
                raise
        self._file_id = (status.st_dev, status.st_ino)

    def reopen(self) -> None:
        """Opens the path anew. If that fails, no line is written into the renamed file, which may be deleted."""
        self._close_file()
        self.recover()

    def recover(self) -> None:
        """Opens the file if it is closed, and writes the lines that wait; does nothing while it can be written."""
        if self._sync is not None and (error := self._sync.take_error()) is not None:
            self._report_failure(error, 1)
        if self._descriptor != _CLOSED and not self._failing:
            return
        try:
            if self._descriptor == _CLOSED:
                self.open()
        except OSError as error:
            self._report_failure(error, 1)
            return
        self.write([])

    def close(self) -> list[bytes]:
        """Writes what waits, if that is possible, and closes the file. Returns the lines that could not be written."""
        if self._waiting:
            self.write([])
        if self._descriptor == _STDOUT and not self._stdout.close():
            message = "the audit's last lines are lost: standard output is not read"
            self._observer.on_event(LogEvent("error", message, (("bytes", str(self._stdout.waiting)),)))
        self._close_file()
        if self._sync is not None:
            self._sync.close()
        return [line.rest or line.body for line in self._waiting]

    def write(self, lines: Sequence[Line]) -> int:
        """Writes what waits, then *lines*. Returns how many of *lines*, from the first on, are in the file."""
        queue = deque(lines)
        try:
            for source in (self._opening, self._waiting, queue):
                if source:
                    self._write_queue(source)
        except OSError as error:
            self._report_failure(error, len(queue))
            self._keep(queue)
            return len(lines) - len(queue)
        if self._failing:
            self._failing = False
            self._observer.on_event(LogEvent("info", "the audit can be written again"))
        return len(lines)

    def __repr__(self) -> str:
        return f"<AuditFile {self._path} writable={self.is_writable} waiting={len(self._waiting)} seq={self.head.seq}>"

    async def write_to_disk(self) -> None:
        """Returns when all that was written is on the disk. Raises OSError if it cannot be written to the disk."""
        if self._sync is not None and self._is_regular():
            await self._sync.wait(self._descriptor)

    def request_disk_write(self) -> None:
        """Has what was written so far put on the disk, without waiting."""
        if self._sync is not None and self._is_regular():
            self._sync.request(self._descriptor)

    def _is_regular(self) -> bool:
        return self._descriptor not in (_CLOSED, _STDOUT) and stat.S_ISREG(os.fstat(self._descriptor).st_mode)

    def _begin_file(self, status: os.stat_result) -> None:
        """Have a ``chain`` line written first. A line that was partly written into another file is written anew."""
        if self._waiting and self._waiting[0].rest:
            self._waiting[0] = Line(self._waiting[0].event, self._waiting[0].body)
            self.head = self._head_before_rest
        elif self._opening and self._opening[0].rest:
            self.head = self._head_before_rest
        if stat.S_ISREG(status.st_mode) and status.st_size and not _ends_with_line_feed(self._path):
            os.write(self._descriptor, b"\n")  # after a line that a killed process has partly written
        previous = self.head if self.head.seq else last_line_of(self._path)
        self._opening = deque([Line("chain", self._chain_line(previous))])

    def _write_queue(self, queue: deque[Line]) -> None:
        """Write and remove the lines of *queue*, oldest first. Raises OSError if that is impossible; what was not
        written, also the rest of a line, stays in the queue."""
        while queue:
            sealed = self._seal_chunk(queue)
            written = self._write_bytes(b"".join(map(itemgetter(0), sealed)))
            for data, head in sealed:
                line = queue[0]
                if written < len(data):
                    if written:
                        self._head_before_rest = self._head_before_rest if line.rest else self.head
                        queue[0] = Line(line.event, line.body, data[written:])
                        self.head = head
                    break
                queue.popleft()
                self.head = head
                written -= len(data)
                self._report_written(_WRITTEN[line.event])

    def _seal_chunk(self, queue: Iterable[Line]) -> list[tuple[bytes, Head]]:
        """Return the first line of *queue*, and as many more as fit in what a pipe writes without interleaving
        (PIPE_BUF, pipe(7)), each with the head that it becomes."""
        head, size, sealed = self.head, 0, list[tuple[bytes, Head]]()
        for line in queue:
            size += len(line.rest) or len(line.body) + SEAL_BYTES
            if sealed and size > PIPE_BUF:
                break
            data, head = (line.rest, head) if line.rest else seal(line.body, head, self._key)
            sealed.append((data, head))
        return sealed

    def _write_bytes(self, data: bytes) -> int:
        if self._descriptor == _STDOUT:
            return self._stdout.write(data)
        return os.write(self._descriptor, data)

    def _close_file(self) -> None:
        self.request_disk_write()
        if self._descriptor not in (_CLOSED, _STDOUT):
            os.close(self._descriptor)
        self._descriptor = _CLOSED

    def _keep(self, lines: Iterable[Line]) -> None:
        """Let those of *lines* wait that must not be lost: all but ``open`` lines, whose streams are refused, and
        ``deny`` lines beyond the limit. A line that was partly written waits in any case."""
        for line in lines:
            may_wait = line.event != "open" and (
                not line.event.startswith("deny") or len(self._waiting) < self._max_waiting_denials
            )
            if line.rest or may_wait:
                self._waiting.append(line)

    def _report_failure(self, error: OSError, lines: int) -> None:
        """Count *lines* as failures; log the first failure since the last success."""
        for _ in range(lines):
            self._observer.on_event(AuditFailed())
        if not self._failing:
            self._failing = True
            cause = errno.errorcode.get(error.errno or 0, type(error).__name__)
            message = "the audit cannot be written: new streams are refused until it can"
            self._observer.on_event(LogEvent("error", message, (("cause", cause), ("file", self._path))))


def _ends_with_line_feed(path: str) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"
    except OSError:
        return True
