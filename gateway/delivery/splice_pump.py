"""Moving a body from one socket to another inside the event loop, without a transport or a task switch a piece.

Over http the kernel moves it: splice(2) from socket to pipe to socket, so that no byte is copied into this process.
Over https the decrypted bytes pass through one scratch buffer that all pumps of the loop share. Flow control is exact:
what the viewer's socket does not take is not read from the media server. A pipe is held only while something is in it.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import Any

from gateway.delivery.client_stream import ClientSocket, ClientStalledError
from gateway.delivery.connection_pool import Connection
from gateway.delivery.pipe_pool import Pipe, Pipes

_AT_ONCE, _LEAST_AT_ONCE = 1024 * 1024, 256 * 1024
"""Bytes that a stream moves at one go at most, so that every one has its turn, and what that shrinks to beside many."""
_AT_ONCE_OF_ALL = 16 * 1024 * 1024
"""Likewise in one turn of the event loop, by all streams: it is what a new one waits for."""
_SPLICE_FLAGS = 1 | 2  # SPLICE_F_MOVE | SPLICE_F_NONBLOCK, splice(2)
_WANTS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_pipes = Pipes()
_scratch = memoryview(bytearray(256 * 1024))


class UpstreamEndedError(Exception):
    """The media server's side ended before the body did. *reason* is dropped, stalled or short."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SplicePump:
    """Moves *count* bytes from *upstream*'s socket to *outlet*; *moved* is told of each portion the viewer's kernel
    took.

    *read_timeout*: seconds of the media server's silence. *write_timeout*: seconds for which the viewer takes nothing.
    """

    running = 0
    """How many there are at work now."""

    def __init__(
        self,
        upstream: Connection,
        outlet: ClientSocket,
        count: int,
        moved: Callable[[int], None],
        *,
        read_timeout: float,
        write_timeout: float,
    ) -> None:
        self._loop = upstream.loop
        self._upstream = upstream
        self._outlet = outlet
        self._left = count
        self._moved = moved
        self._timeouts = {True: read_timeout, False: write_timeout}
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._pending = b""
        self._pipe: Pipe | None = None
        self._in_pipe = 0
        self._reading: bool | None = None
        self._progress = self._loop.time()
        self._fill = self._receive if upstream.encrypted else self._splice

    async def run(self) -> None:
        """UpstreamEndedError; ViewerRestsError; ConnectionError where the viewer has gone."""
        timer = self._upstream.timer
        timer.set(self._progress + min(self._timeouts.values()), self._watch)
        SplicePump.running += 1
        try:
            self._writable()
            await self._done
        finally:
            SplicePump.running -= 1
            timer.clear()
            self._wait_for(None)
            self._drop_pipe()

    def _readable(self) -> None:
        """Move what the media server's socket has, then wait for whichever side is behind."""
        budget = min(_AT_ONCE, max(_LEAST_AT_ONCE, _AT_ONCE_OF_ALL // SplicePump.running))
        while budget > 0:
            try:
                arrived, more = self._fill(budget)
            except _WANTS:
                break
            except OSError:
                self._finish(UpstreamEndedError("dropped"))
                return
            if not arrived:
                self._finish(UpstreamEndedError("short"))
                return
            if not self._flush():
                return
            if not more:
                break
            budget -= arrived
        else:
            if self._upstream.encrypted:
                # What OpenSSL has decrypted already makes no socket readable.
                self._loop.call_soon(self._again)
        self._give_back_pipe()
        self._wait_for(True)

    def _writable(self) -> None:
        """The viewer's socket takes more: first what he is owed, then what the media server has by now."""
        if self._flush():
            self._readable()

    def _flush(self) -> bool:
        """Give the viewer's socket what there is. Whether it took all, and there is more to come."""
        if self._done.done():
            return False
        try:
            while self._pending:
                self._took(os.write(self._outlet.descriptor, self._pending))
            while self._in_pipe and self._pipe is not None:
                taken = os.splice(self._pipe.reading, self._outlet.descriptor, self._in_pipe, flags=_SPLICE_FLAGS)
                self._in_pipe -= taken
                self._count(taken)
        except BlockingIOError:
            self._wait_for(False)
            return False
        except OSError as error:
            self._finish(ConnectionResetError(f"the viewer has gone: {type(error).__name__}"))
            return False
        if self._left <= 0:
            self._finish(None)
        return self._left > 0

    def _splice(self, budget: int) -> tuple[int, bool]:
        """How much has arrived, of *budget* bytes at most, and whether there may be more."""
        if self._pipe is None:
            self._pipe = _pipes.take()
        limit = min(budget, self._pipe.size, self._left)
        arrived = os.splice(self._upstream.sock.fileno(), self._pipe.writing, limit, flags=_SPLICE_FLAGS)
        self._in_pipe += arrived
        return arrived, arrived == limit

    def _receive(self, budget: int) -> tuple[int, bool]:
        """Likewise. What is decrypted, a scratch buffer full at most, is written on at once; what does not fit stays.

        One read gives one TLS record at most, 16 KiB, and recv_into costs twice as many Python calls for it.
        """
        sock: Any = self._upstream.sock  # typeshed has an SSLSocket's read return bytes where it fills a buffer, too
        filled, limit, more = 0, min(budget, len(_scratch), self._left), True
        while filled < limit:
            try:
                arrived = sock.read(limit - filled, _scratch[filled:limit])
            except _WANTS:
                if filled:
                    more = False
                    break
                raise
            if not arrived:
                break
            filled += arrived
        written = 0
        try:
            while written < filled:
                taken = os.write(self._outlet.descriptor, _scratch[written:filled])
                written += taken
                self._count(taken)
        except BlockingIOError:
            self._pending = bytes(_scratch[written:filled])
        except OSError as error:
            self._finish(ConnectionResetError(f"the viewer has gone: {type(error).__name__}"))
        return filled, more

    def _again(self) -> None:
        if self._reading and not self._done.done():
            self._readable()

    def _took(self, taken: int) -> None:
        self._pending = self._pending[taken:]
        self._count(taken)

    def _count(self, taken: int) -> None:
        self._left -= taken
        self._progress = self._loop.time()
        self._moved(taken)

    def _wait_for(self, reading: bool | None) -> None:
        """Watch the media server's socket (True), the viewer's (False), or neither."""
        if reading is self._reading:
            return
        if self._reading is False:
            self._outlet.watch(None)
        self._reading = reading
        self._upstream.watch(self._readable if reading else None)
        if reading is False:
            self._outlet.watch(self._writable)

    def _watch(self) -> None:
        """Look how long nothing has moved, and at whom that lies."""
        if self._done.done():
            return
        waiting_for_upstream = self._reading is not False
        due = self._progress + self._timeouts[waiting_for_upstream]
        if due <= self._loop.time():
            self._finish(UpstreamEndedError("stalled") if waiting_for_upstream else ClientStalledError())
        else:
            self._upstream.timer.set(due, self._watch)

    def _finish(self, error: Exception | None) -> None:
        self._wait_for(None)
        if self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)

    def _give_back_pipe(self) -> None:
        if self._pipe is not None and not self._in_pipe:
            _pipes.release(self._pipe)
            self._pipe = None

    def _drop_pipe(self) -> None:
        if self._pipe is not None and self._in_pipe:
            _pipes.discard(self._pipe)
            self._pipe = None
        self._give_back_pipe()
