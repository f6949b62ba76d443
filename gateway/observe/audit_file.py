"""The file of the audit: writes lines whole and in order, each sealed into the hash chain, and loses none.

How it works: the file is opened for appending and lines are written whole, so that several processes and a log rotation
do not mix them. A line is sealed when it is written, because a line that could not be written may be dropped: the chain
is what the file contains. Lines that must not be dropped wait in memory and are written before the next line.
"""

import errno
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from select import PIPE_BUF
from typing import NamedTuple

from gateway.events import AUDIT_EVENTS, AuditFailed, AuditWritten, LogEvent
from gateway.observe.audit_chain import SEAL_BYTES, Head, last_line_of, new_chain, seal
from gateway.observe.audit_target import AuditTarget
from gateway.observe.disk_sync import DiskSync
from gateway.ports import Observer

_DATA = itemgetter(0)
_UNWRITABLE = "the audit cannot be written: new streams are refused until it can"
_WRITTEN = {event: AuditWritten(event) for event in AUDIT_EVENTS}


class Line(NamedTuple):
    """*body* is a JSON object and a line feed, not sealed. *rest* is what remains of a line that was partly written.
    *denials*: how many refusals it stands for."""

    event: str
    body: bytes
    rest: bytes = b""
    denials: int = 0


class AuditFile:
    """*path* "-" is standard output. *chain_line* returns the ``chain`` line for a file that begins after a head.

    While the file cannot be written, at most *max_waiting* lines wait that stand for refusals, because anybody can
    cause them. *sync* writes the file to the disk; None leaves that to the system.
    """

    def __init__(
        self,
        path: str,
        observer: Observer,
        chain_line: Callable[[Head | None], bytes],
        *,
        key: bytes | None = None,
        sync: DiskSync | None = None,
        max_waiting: int = 100_000,
    ) -> None:
        self._target = AuditTarget(path, sync)
        self._observer = observer
        self._report_written = observer.reporter(AuditWritten)
        self._chain_line = chain_line
        self._key = key
        self.max_waiting = max_waiting
        self.dropped_denials = 0
        """Refusals without a line, because too many lines waited."""
        self.head = new_chain()
        """The last line that is in the file, or whose beginning is."""
        self._head_before_rest = self.head
        self._size_with_rest = 0
        """The file's size after a line was partly written."""
        self._opening: deque[Line] = deque()
        """The ``chain`` line of a new file, until it is written."""
        self._waiting: deque[Line] = deque()
        """Lines that could not be written, oldest first; the first may be partly written."""
        self.is_writable = True
        """Whether the last attempt to open or to write the file succeeded."""
        self.is_on_disk = True
        """After `close`, whether all lines that were written are on the disk."""

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def open(self) -> None:
        """Raises OSError if the file cannot be opened."""
        if self._target.open():
            self._begin_file()

    def reopen(self) -> None:
        """Opens the path anew. If that fails, no line is written into the renamed file, which may be deleted."""
        self._close_target()
        self.recover()

    def recover(self) -> None:
        """Opens the path anew if the file is closed or has another name, and writes the lines that wait."""
        if self._target.is_elsewhere():
            self._leave("the audit file was renamed or replaced without SIGHUP")
        if self._target.may_open:  # also while the disk fails: no fsync can succeed but that of an open file
            self._open_and_write([])
        fault = self._target.fault
        error = self._target.take_failure() or fault
        if error is not None:
            self._report_failure(error, 1)
        if fault is not None:
            self.request_disk_write()
        elif self._target.is_removed():
            self._write_to_new_file([])
        elif self._target.is_open and not self.is_writable:
            self.write([])

    def close(self) -> list[bytes]:
        """Writes what waits, if that is possible, and closes the file. Returns the lines that could not be written.

        *is_on_disk* is False then if lines that were written may not be on the disk.
        """
        if self._waiting:
            self.write([])
        self._close_target()
        unwritten = self._target.stop().splitlines(keepends=True)
        error = self._target.stop_sync()
        if error is not None:
            self.is_on_disk = False
            self._report_failure(error, 1, "the last lines of the audit may not be on the disk")
        return unwritten + [line.rest or line.body for line in self._waiting]

    def write(self, lines: Sequence[Line]) -> int:
        """Writes what waits, then *lines*. Returns how many of *lines*, from the first on, are in the file."""
        queue = deque(lines)
        try:
            for source in (self._opening, self._waiting, queue):
                if source:
                    self._write_queue(source)
        except OSError as error:
            written = len(lines) - len(queue)
            if self._target.is_removed():
                return written + self._write_to_new_file(queue)
            self._report_failure(error, len(queue))
            self._keep(queue)
            return written
        if not self.is_writable and self._target.fault is None:
            self.is_writable = True
            self._observer.on_event(LogEvent("info", "the audit can be written again"))
        return len(lines)

    def __repr__(self) -> str:
        state = "writable" if self.is_writable else "failing"
        return f"<AuditFile {self._target.path} {state} waiting={len(self._waiting)} seq={self.head.seq}>"

    async def write_to_disk(self) -> None:
        """Returns when all that was written is on the disk. Raises OSError if it cannot be written to the disk."""
        await self._target.write_to_disk()

    def request_disk_write(self) -> None:
        """Has what was written so far put on the disk, without waiting."""
        self._target.request_disk_write()

    def _write_to_new_file(self, lines: Sequence[Line]) -> int:
        """Open the path anew, of which the file was removed, and write *lines*; returns how many of them."""
        self._leave("the audit file was removed")
        return self._open_and_write(lines)

    def _open_and_write(self, lines: Sequence[Line]) -> int:
        try:
            self.open()
        except OSError as error:
            self._report_failure(error, len(lines))
            self._keep(lines)
            return 0
        return self.write(lines)

    def _leave(self, why: str) -> None:
        """Close a file that has lost its name, so that no line is written to where nobody finds it."""
        self._close_target()
        self._observer.on_event(LogEvent("warning", f"{why}: a new one is opened", (("file", self._target.path),)))

    def _close_target(self) -> None:
        try:
            self._target.close()
        except OSError as error:
            self._report_failure(error, 1)

    def _begin_file(self) -> None:
        """Have a ``chain`` line written first. A line that was partly written into another file is written anew."""
        if self._waiting and self._waiting[0].rest:
            self._waiting[0] = Line(self._waiting[0].event, self._waiting[0].body, denials=self._waiting[0].denials)
            self.head = self._head_before_rest
        elif self._opening and self._opening[0].rest:
            self.head = self._head_before_rest
        previous = self.head if self.head.seq else last_line_of(self._target.path)
        self._opening = deque([Line("chain", self._chain_line(previous))])

    def _write_queue(self, queue: deque[Line]) -> None:
        """Write and remove the lines of *queue*, oldest first. Raises OSError if that is impossible; what was not
        written, also the rest of a line, stays in the queue."""
        if queue and queue[0].rest and self._target.size() != self._size_with_rest:
            # Another process has written after the part: the command that records a revocation or a removal of files.
            queue[0] = Line(queue[0].event, queue[0].body, denials=queue[0].denials)
            self.head = self._head_before_rest
        while queue:
            sealed = self._seal_chunk(queue)
            written = self._target.write(b"".join(map(_DATA, sealed)))
            for data, head in sealed:
                line = queue[0]
                if written < len(data):
                    if written:
                        self._head_before_rest = self._head_before_rest if line.rest else self.head
                        queue[0] = Line(line.event, line.body, data[written:], line.denials)
                        self.head = head
                        self._size_with_rest = self._target.size()
                    break
                queue.popleft()
                self.head = head
                written -= len(data)
                self._report_written(_WRITTEN[line.event])

    def _seal_chunk(self, queue: Iterable[Line]) -> list[tuple[bytes, Head]]:
        """Return the first line of *queue*, and as many more as fit in what a pipe writes without interleaving
        (PIPE_BUF, pipe(7)), each with the head that it becomes."""
        head, size = self.head, 0
        sealed: list[tuple[bytes, Head]] = []
        for line in queue:
            size += len(line.rest) or len(line.body) + SEAL_BYTES
            if sealed and size > PIPE_BUF:
                break
            data, head = (line.rest, head) if line.rest else seal(line.body, head, self._key)
            sealed.append((data, head))
        return sealed

    def _keep(self, lines: Iterable[Line]) -> None:
        """Let those of *lines* wait that must not be lost: all but ``open`` lines, whose streams are refused, and
        ``deny`` lines beyond the limit. A line that was partly written waits in any case."""
        for line in lines:
            if line.rest or (line.event != "open" and not (line.denials and len(self._waiting) >= self.max_waiting)):
                self._waiting.append(line)
            else:
                self.dropped_denials += line.denials

    def _report_failure(self, error: OSError, lines: int, message: str = _UNWRITABLE) -> None:
        """Count *lines* as failures; log the first failure since the last success as *message*."""
        for _ in range(lines):
            self._observer.on_event(AuditFailed())
        if self.is_writable:
            self.is_writable = False
            cause = errno.errorcode.get(error.errno or 0, type(error).__name__)
            self._observer.on_event(LogEvent("error", message, (("cause", cause), ("file", self._target.path))))
