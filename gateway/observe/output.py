"""Writes standard output or standard error from a thread of its own.

How it works. A write to a pipe or a terminal blocks when its reader stalls, and with it the event loop: every stream
and every health check would stop. So bytes are put into a queue of bounded size, and a thread writes them. The queue's
size is the difference of two counters, of which each thread increments one, so that neither needs a lock.
"""

import errno
import os
import queue
import threading

_MAX_WAITING = 1024 * 1024
"""Bytes."""


class OutputThread:
    """Writes to *descriptor*, which stays open. At most *max_waiting* bytes wait to be written."""

    def __init__(self, descriptor: int, *, max_waiting: int = _MAX_WAITING) -> None:
        self._descriptor = descriptor
        self._max_waiting = max_waiting
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._accepted = 0
        self._written = 0
        self._error: OSError | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<OutputThread descriptor={self._descriptor} waiting={self.waiting}>"

    @property
    def waiting(self) -> int:
        """Bytes that have been accepted and are not written yet."""
        return self._accepted - self._written

    def write(self, data: bytes) -> int:
        """Accepts *data* as a whole and returns its length, without waiting.

        Raises BlockingIOError if too much waits already, or the OSError of an earlier write, once.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error
        if self.waiting and self.waiting + len(data) > self._max_waiting:
            raise BlockingIOError(errno.EAGAIN, "the output is not read")
        if self._thread is None:
            # A daemon: a reader that stalls must not keep the process from ending.
            self._thread = threading.Thread(target=self._run, name=f"output {self._descriptor}", daemon=True)
            self._thread.start()
        self._accepted += len(data)
        self._queue.put(data)
        return len(data)

    def close(self, timeout: float = 1.0) -> bool:
        """Waits at most *timeout* seconds until everything is written; False if it is not."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout)
            self._thread = None
        return not self.waiting

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            left = memoryview(data)
            try:
                while left:
                    left = left[os.write(self._descriptor, left) :]
            except OSError as error:
                self._error = error
            self._written += len(data)
