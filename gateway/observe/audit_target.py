"""Where the audit is written: a file that may be rotated, removed or replaced, a pipe, or standard output.

Nothing here waits, except for a disk: standard output is written by a thread, a named pipe is opened so that it refuses
what its reader does not take, and fsync(2) is called by a thread.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from gateway.observe.disk_sync import DiskSync
from gateway.observe.output import OutputThread

_CLOSED = -1
"""A file descriptor that no system accepts."""
_STDOUT = 1


class AuditTarget:
    """*path* "-" is standard output. *sync* writes a file to the disk; None leaves that to the system."""

    def __init__(self, path: str, sync: DiskSync | None) -> None:
        self.path = path
        self._sync = sync
        self.descriptor = _CLOSED
        self.is_regular = False
        self._file_id: tuple[int, int] | None = None
        """Device and inode of the file that was opened last."""
        self._stdout = OutputThread(_STDOUT)
        self._missed = False
        """Whether the path led elsewhere when `is_elsewhere` was called last."""
        self._is_torn = False
        """Whether the file ended within a line when it was opened, and no line feed could be written since."""

    @property
    def is_open(self) -> bool:
        return self.descriptor != _CLOSED

    @property
    def fault(self) -> OSError | None:
        """Why what was accepted by `write` cannot be written to standard output or to the disk; None if it can."""
        if self.descriptor == _STDOUT:
            return self._stdout.error
        if self._sync is None or (self.is_open and not self.is_regular):  # a pipe has no disk
            return None
        return self._sync.fault

    def take_failure(self) -> OSError | None:
        """Returns why lines may not be on the disk, if that is so since the last call; None otherwise."""
        return None if self._sync is None else self._sync.take_failure()

    @property
    def may_open(self) -> bool:
        """Whether it is closed and its disk, as far as is known, answers: to open a file waits for the disk."""
        return not self.is_open and (self._sync is None or not self._sync.is_late)

    def open(self) -> bool:
        """Returns whether it is another file than the one that was opened last. Raises OSError."""
        if self.path == "-":
            self.descriptor, first = _STDOUT, self._file_id is None
            self._file_id = (0, 0)
            return first
        # Without O_NONBLOCK the open of a named pipe would wait for a reader, and a write for it to read.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            raise OSError(errno.ENXIO, "a pipe that no program reads: start its reader first", self.path) from None
        try:
            status = os.fstat(descriptor)
            file_id = status.st_dev, status.st_ino
        except OSError:
            os.close(descriptor)
            raise
        is_regular = stat.S_ISREG(status.st_mode)
        first, self._file_id = file_id != self._file_id, file_id
        self.descriptor, self.is_regular, self._missed = descriptor, is_regular, False
        self._is_torn = (first or self._is_torn) and is_regular and status.st_size > 0
        if self._is_torn:
            with suppress(OSError):  # of a full disk, on which the first line will fail too: it ends the torn one then
                self._end_torn_line()
        return first

    def write(self, data: bytes) -> int:
        """Returns how many bytes were written or, of standard output, accepted. Raises OSError, also while what was
        written before cannot be put on the disk, and if the file has no name any more, so that nobody could read it."""
        if self.descriptor == _STDOUT:
            return self._stdout.write(data)
        if self.is_regular:
            fault = None if self._sync is None else self._sync.fault
            if fault is not None:
                raise fault
            if os.fstat(self.descriptor).st_nlink == 0:
                raise FileNotFoundError(errno.ENOENT, "the file was removed")
            if self._is_torn:
                self._end_torn_line()
        return os.write(self.descriptor, data)

    def _end_torn_line(self) -> None:
        """Ends a line that a process which was killed, or a full disk, has left in the file as it was opened. Raises
        OSError."""
        if not _ends_with_line_feed(self.descriptor):
            os.write(self.descriptor, b"\n")
        self._is_torn = False

    async def write_to_disk(self) -> None:
        """Returns when all that was written is on the disk. Raises OSError if it cannot be written to the disk."""
        if self._sync is not None and self.is_regular:
            await self._sync.wait(self.descriptor)

    def request_disk_write(self) -> None:
        """Has what was written so far put on the disk, without waiting."""
        if self._sync is not None and self.is_regular and self._sync.pending != self.descriptor:
            self._sync.request(self.descriptor)

    def is_removed(self) -> bool:
        """Whether the open file has no name any more, so that what is written to it can be read by nobody."""
        try:
            return self.is_regular and os.fstat(self.descriptor).st_nlink == 0
        except OSError:
            return True  # ESTALE: it was removed on the server

    def size(self) -> int:
        """The size of a regular file; 0 of anything else. Raises OSError."""
        return os.fstat(self.descriptor).st_size if self.is_regular else 0

    def is_elsewhere(self) -> bool:
        """Whether the path has led to another file, or to none, in this call and in the one before it: a rotation
        that is not followed by SIGHUP. One call is not enough, because a rotation renames and then creates the file."""
        if not self.is_regular:
            return False
        try:
            status = Path(self.path).stat()
            missed = (status.st_dev, status.st_ino) != self._file_id
        except OSError:
            missed = True
        twice, self._missed = missed and self._missed, missed
        return twice

    def close(self) -> None:
        """Closes the file; not standard output. Raises OSError if what was written is lost."""
        if self._sync is not None and self.is_regular:
            self._sync.request_last(self.descriptor)
        if self.is_removed():
            self._file_id = None  # the next file may get the number of this one's inode
        descriptor, self.descriptor, self.is_regular = self.descriptor, _CLOSED, False
        if descriptor not in (_CLOSED, _STDOUT):
            os.close(descriptor)

    def stop(self) -> bytes:
        """Waits a second for standard output. Returns what it did not take."""
        return b"" if self._stdout.close() else self._stdout.take_unwritten()

    def stop_sync(self) -> OSError | None:
        """After `close`, waits a few seconds for the disk. Returns why lines may not be on it; None if all are."""
        return None if self._sync is None else self._sync.close()


def _ends_with_line_feed(descriptor: int) -> bool:
    """Whether the last byte of the file is a line feed, whatever its name is by now; True if it cannot be read."""
    try:
        with open(f"/proc/self/fd/{descriptor}", "rb") as file:  # noqa: PTH123
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"
    except OSError:
        return True
