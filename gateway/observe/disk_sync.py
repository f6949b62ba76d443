"""Has a file's data written to the disk by a thread of its own, because fsync(2) blocks for milliseconds or more."""

import asyncio
import errno
import os
import queue
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import Literal

from gateway.observe.output import start_daemon

SHARING_DELAY = 0.1
"""Seconds for which ``close`` lines wait for others, to be written to the disk together. An fsync(2) each would cost
half as much as a short range."""

ANSWER_TIMEOUT = 30.0
"""Seconds after which a disk that has not answered fsync(2) counts as one that cannot be written to. A busy disk can
take several."""

FsyncPolicy = Literal["close", "always", "never"]
"""When the audit is written to the disk: `SHARING_DELAY` after a ``close`` line, after each line (streams wait for it),
or when the system does it. Except for ``never``, it is as well when the file is closed."""

_Request = tuple[int, Future[None]]


class DiskSync:
    """Requests for a file that arrive before its call begins are answered by that call. *delay*: the seconds for which
    each call waits for further requests. *timeout*: the seconds after which a call counts as failed until it ends."""

    def __init__(self, delay: float = 0.0, *, timeout: float = ANSWER_TIMEOUT) -> None:
        self._delay = delay
        self._timeout = timeout
        self._closing = threading.Event()
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self.pending = -1
        """The descriptor of the last request until its call begins; then the thread sets it to -1. What is written to
        that file meanwhile needs no further request."""
        self._last: Future[None] = Future()
        """Of the last request."""
        self.error: OSError | None = None
        """Why the last request has failed; None if it succeeded."""
        self._failures: deque[OSError] = deque(maxlen=1)
        """The last failure that nobody has taken. What it lost no later success brings back."""
        self._call_began: float | None = None
        """Of the running call, monotonic seconds."""
        self._thread: threading.Thread | None = None

    @property
    def fault(self) -> OSError | None:
        """Why what was written may not reach the disk: *error*, or a call that has not returned in time."""
        return TimeoutError(errno.ETIMEDOUT, "the disk does not answer") if self.is_late else self.error

    @property
    def is_late(self) -> bool:
        """Whether a call has not returned in time, nor since."""
        began = self._call_began
        return began is not None and time.monotonic() - began > self._timeout

    def take_failure(self) -> OSError | None:
        """Returns why a request has failed since the last call, also if one has succeeded since; None if none has."""
        return self._failures.pop() if self._failures else None

    def request(self, descriptor: int) -> "Future[None]":
        """Returns a future that is done when all that was written to *descriptor* so far is on the disk.

        It has an OSError if that failed; *error* is it too.
        """
        if self.pending == descriptor:
            return self._last
        future: Future[None] = Future()
        try:
            # A daemon: a disk that does not answer must not keep the process from ending.
            self._thread = self._thread or start_daemon(self._run, "audit fsync")
            copy = os.dup(descriptor)
        except OSError as error:  # no descriptor is left, or no thread
            self._fail(future, error)
            return future
        self._last, self.pending = future, descriptor
        self._queue.put((copy, future))
        return future

    def request_last(self, descriptor: int) -> None:
        """Requests it before *descriptor* is closed. A later request for the number is one for another file."""
        self.request(descriptor)
        self.pending = -1

    async def wait(self, descriptor: int) -> None:
        """Returns when all that was written to *descriptor* is on the disk. Raises OSError if that failed, TimeoutError
        (which is one) if the disk does not answer in time."""
        async with asyncio.timeout(self._timeout):
            await asyncio.shield(asyncio.wrap_future(self.request(descriptor)))

    def close(self, timeout: float = 5.0) -> OSError | None:
        """Waits at most *timeout* seconds until the last request is done. Returns why what was written may not be on
        the disk; None if it is."""
        self._closing.set()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout)
            if self._thread.is_alive():
                return TimeoutError(errno.ETIMEDOUT, "the disk does not answer")
            self._thread = None
        return self.take_failure() or self.error

    def _run(self) -> None:
        while (request := self._queue.get()) is not None:
            descriptor, future = request
            self._closing.wait(self._delay)
            future.set_running_or_notify_cancel()
            if self._last is future:
                self.pending = -1
            self._call_began = time.monotonic()
            try:
                os.fsync(descriptor)
            except OSError as error:
                self._call_began = None
                self._fail(future, error)
            else:
                self.error = self._call_began = None
                future.set_result(None)
            finally:
                os.close(descriptor)

    def _fail(self, future: Future[None], error: OSError) -> None:
        self.error = error
        self._failures.append(error)
        future.set_exception(error)
