"""Writes standard output or standard error from a thread of its own.

How it works. A write to a pipe or a terminal blocks when its reader stalls, and with it the event loop: every stream
and every health check would stop. So bytes are put into a queue of bounded size, and a thread writes them. What cannot
be written stays in the thread, which tries again. The queue's size is the difference of two counters, of which each
thread increments one, so that neither needs a lock.
"""

import atexit
import errno
import io
import os
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_MAX_WAITING = 1024 * 1024
"""Bytes."""
_RETRY_SECONDS = 1.0


def start_daemon(target: Callable[[], None], name: str) -> threading.Thread:
    """Starts a thread that does not keep the process from ending. Raises OSError if the system allows no more."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        raise OSError(errno.EAGAIN, "no further thread can be started") from None
    return thread


class OutputThread:
    """Writes to *descriptor*, which stays open. At most *max_waiting* bytes wait to be written. After an error the
    write is repeated every *retry_seconds*."""

    def __init__(
        self, descriptor: int, *, max_waiting: int = _MAX_WAITING, retry_seconds: float = _RETRY_SECONDS
    ) -> None:
        self._descriptor = descriptor
        self._max_waiting = max_waiting
        self._retry_seconds = retry_seconds
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._accepted = 0
        self._written = 0
        self._current = memoryview(b"")
        """What the thread is writing, or will try to write again."""
        self._taken = threading.Event()
        """Set when something has been written."""
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: OSError | None = None
        """Why the last attempt to write has failed; None if it succeeded."""

    def __repr__(self) -> str:
        return f"<OutputThread descriptor={self._descriptor} waiting={self.waiting}>"

    @property
    def waiting(self) -> int:
        """Bytes that have been accepted and are not written yet."""
        return self._accepted - self._written

    def write(self, data: bytes) -> int:
        """Accepts *data* as a whole and returns its length, without waiting.

        Raises BlockingIOError if too much waits already, OSError if there is no thread, or that of the last attempt to
        write, until one succeeds.
        """
        if self.error is not None:
            raise self.error
        if self.waiting and self.waiting + len(data) > self._max_waiting:
            raise BlockingIOError(errno.EAGAIN, "the output is not read")
        if self._thread is None:
            # A daemon: a reader that stalls must not keep the process from ending.
            self._thread = start_daemon(self._run, f"output {self._descriptor}")
        self._accepted += len(data)
        self._queue.put(data)
        return len(data)

    def flush(self, patience: float) -> bool:
        """Waits until everything is written; False if nothing was for *patience* seconds. Blocks."""
        while self.waiting:
            self._taken.clear()
            if self.waiting and not self._taken.wait(patience):
                return False
        return True

    def close(self, timeout: float = 1.0) -> bool:
        """Waits at most *timeout* seconds until everything is written; False if it is not."""
        if self._thread is not None:
            self._closing.set()
            self._queue.put(None)
            self._thread.join(timeout)
            self._thread = None
        return not self.waiting

    def take_unwritten(self) -> bytes:
        """After `close`, returns what is not written. If the reader has stalled, it may read some of it later."""
        unwritten = [bytes(self._current)]
        while not self._queue.empty():
            unwritten.append(self._queue.get() or b"")
        return b"".join(unwritten)

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            self._current = memoryview(data)
            while self._current:
                try:
                    self._current = self._current[os.write(self._descriptor, self._current) :]
                    self.error = None
                except OSError as error:
                    self.error = error
                    if self._closing.wait(self._retry_seconds):
                        return
            self._written += len(data)
            self._taken.set()


def thread_standard_error() -> Callable[[], object]:
    """Has whatever is printed to standard error from now on written by a thread, which at the end of the process has a
    second to finish: faults, and the warnings of Python and of libraries. What its reader does not take is dropped.
    Returns the function that waits for it, for a process that ends without the interpreter's own end."""
    output = OutputThread(2)
    atexit.register(output.close)
    sys.stderr = io.TextIOWrapper(_Raw(output), encoding="utf-8", errors="backslashreplace", write_through=True)
    return output.close


class _Raw(io.BufferedIOBase):
    """Passes on to *output* what is written."""

    def __init__(self, output: OutputThread) -> None:
        self._output = output

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def isatty(self) -> bool:
        return os.isatty(2)

    def write(self, data: "ReadableBuffer", /) -> int:
        copy = bytes(data)
        with suppress(OSError):  # what cannot be written is counted by the output itself
            self._output.write(copy)
        return len(copy)
