"""Has a file's data written to the disk by a thread of its own, because fsync(2) blocks for milliseconds or more."""

import asyncio
import os
import queue
import threading
from concurrent.futures import Future

_Request = tuple[int, Future[None]]


class DiskSync:
    """Requests that arrive while another runs are answered by one further call."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._pending: Future[None] | None = None
        self._pending_for = -1
        self.error: OSError | None = None
        """Why the last request has failed; None if it succeeded."""
        self._thread: threading.Thread | None = None

    def request(self, descriptor: int) -> "Future[None]":
        """Returns a future that is done when all that was written to *descriptor* so far is on the disk.

        The descriptor may be closed meanwhile. The future has an OSError if that failed; *error* is it too.
        """
        pending = self._pending
        if pending is not None and self._pending_for == descriptor and not pending.running() and not pending.done():
            return pending
        if self._thread is None:
            # A daemon: a disk that does not answer must not keep the process from ending.
            self._thread = threading.Thread(target=self._run, name="audit fsync", daemon=True)
            self._thread.start()
        self._pending, self._pending_for = Future(), descriptor
        self._queue.put((os.dup(descriptor), self._pending))
        return self._pending

    async def wait(self, descriptor: int) -> None:
        """Returns when all that was written to *descriptor* is on the disk. Raises OSError if that failed."""
        await asyncio.shield(asyncio.wrap_future(self.request(descriptor)))

    def close(self, timeout: float = 5.0) -> None:
        """Waits at most *timeout* seconds until the last request is done."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout)
            self._thread = None

    def _run(self) -> None:
        while (request := self._queue.get()) is not None:
            descriptor, future = request
            future.set_running_or_notify_cancel()
            try:
                os.fsync(descriptor)
            except OSError as error:
                self.error = error
                future.set_exception(error)
            else:
                self.error = None
                future.set_result(None)
            finally:
                os.close(descriptor)
