"""Moves a body from a media server's socket to a client's, inside the event loop.

How it works: the pump is a state machine driven by the event loop's readiness callbacks; there is no task switch for
each piece. Over http the kernel moves the bytes: splice(2) from the media server's socket into a pipe and from the pipe
into the client's socket, so that none is copied into this process. Over https the decrypted bytes pass through one
scratch buffer that all pumps share. In both cases the pump reads only what the client's socket has taken, so a slow
client slows the media server down, and it holds a pipe only while there are bytes in it.

At any time the pump waits for one side: for the media server's socket to be readable (_readable) or the client's to be
writable (_writable). A turn moves at most *turn* bytes, less if many pumps are running, so that others are served in
between. One timer watches for progress: if the side that is waited for does nothing for its timeout, the pump ends with
UpstreamEndedError("stalled") or ClientStalledError.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import Any

from gateway.delivery.client_stream import ClientSocket, ClientStalledError
from gateway.delivery.connection import Connection
from gateway.delivery.pipe_pool import SHARED, Pipe, PumpResources

_SPLICE_FLAGS = 1 | 2  # SPLICE_F_MOVE | SPLICE_F_NONBLOCK, splice(2)
_MIN_PORTION = 32 * 1024  # bytes to decrypt at once; what a client's socket does not take of them waits in memory
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class UpstreamEndedError(Exception):
    """The media server's side ended before the body did. *reason* is dropped, stalled or short."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SplicePump:
    """Moves *count* bytes from *upstream* to *client*; calls *on_sent* with the size of each portion the kernel took.

    *read_timeout* and *write_timeout*: seconds in which the media server sends nothing, or the client takes nothing.
    """

    def __init__(
        self,
        upstream: Connection,
        client: ClientSocket,
        count: int,
        on_sent: Callable[[int], None],
        *,
        read_timeout: float,
        write_timeout: float,
        shared: PumpResources = SHARED,
    ) -> None:
        self._loop = upstream.loop
        self._upstream = upstream
        self._client = client
        self._left = count
        self._on_sent = on_sent
        self._read_timeout = read_timeout
        self._write_timeout = write_timeout
        self._shared = shared
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._unsent = b""
        self._pipe: Pipe | None = None
        self._in_pipe = 0
        self._reading: bool | None = None
        self._last_progress = self._loop.time()
        self._fill = self._receive if upstream.encrypted else self._splice

    def __repr__(self) -> str:
        waiting_for = {True: "upstream", False: "client", None: "nothing"}[self._reading]
        return f"<SplicePump left={self._left} in_pipe={self._in_pipe} waiting_for={waiting_for}>"

    async def run(self) -> None:
        """Move all bytes. Raises UpstreamEndedError, ClientStalledError, or ConnectionError if the client has gone."""
        timer = self._upstream.timer
        timer.set(self._last_progress + min(self._read_timeout, self._write_timeout), self._check_progress)
        self._shared.running += 1
        try:
            self._writable()
            await self._done
        finally:
            self._shared.running -= 1
            timer.clear()
            self._wait_for(None)
            self._drop_pipe()

    def _readable(self) -> None:
        """Move what the media server's socket holds, then wait for the side that is behind."""
        shared = self._shared
        budget = min(shared.turn, max(shared.min_turn, shared.turn_of_all // shared.running))
        while budget > 0:
            try:
                arrived, more = self._fill(budget)
            except _WOULD_BLOCK:
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
                self._loop.call_soon(self._continue)
        self._release_pipe()
        self._wait_for(True)

    def _writable(self) -> None:
        """Send what is waiting for the client, then move what the media server's socket holds by now."""
        if self._flush():
            self._readable()

    def _flush(self) -> bool:
        """Write what is waiting to the client's socket. Returns whether it took all of it and there is more to come."""
        if self._done.done():
            return False
        try:
            while self._unsent:
                taken = os.write(self._client.descriptor, self._unsent)
                self._unsent = self._unsent[taken:]
                self._count(taken)
            while self._in_pipe and self._pipe is not None:
                taken = os.splice(self._pipe.reading, self._client.descriptor, self._in_pipe, flags=_SPLICE_FLAGS)
                self._in_pipe -= taken
                self._count(taken)
            if self._upstream.encrypted and self._left > 0:
                self._client.require_room()  # what is decrypted without would wait in memory
        except BlockingIOError:
            self._wait_for(False)
            return False
        except OSError as error:
            self._finish(ConnectionResetError(f"the client has gone: {type(error).__name__}"))
            return False
        if self._left <= 0:
            self._finish(None)
        return self._left > 0

    def _splice(self, budget: int) -> tuple[int, bool]:
        """Fill the pipe with at most *budget* bytes. Returns how many arrived, and whether there may be more."""
        if self._pipe is None:
            self._pipe = self._shared.pipes.take()
        limit = min(budget, self._pipe.size, self._left)
        arrived = os.splice(self._upstream.sock.fileno(), self._pipe.writing, limit, flags=_SPLICE_FLAGS)
        self._in_pipe += arrived
        return arrived, arrived == limit

    def _receive(self, budget: int) -> tuple[int, bool]:
        """Decrypt at most *budget* bytes into the scratch buffer and write them to the client's socket at once. Returns
        how many arrived, and whether there may be more. What the socket does not take is copied to *_unsent*.

        A read returns at most one TLS record, 16 KiB; recv_into would take twice as many Python calls for it.
        """
        scratch = self._shared.scratch
        sock: Any = self._upstream.sock  # typeshed declares that read returns bytes; with a buffer it returns a number
        portion = max(_MIN_PORTION, self._shared.turn_of_all // self._shared.running)
        filled, limit, more = 0, min(budget, portion, len(scratch), self._left), True
        while filled < limit:
            try:
                arrived = sock.read(limit - filled, scratch[filled:limit])
            except _WOULD_BLOCK:
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
                taken = os.write(self._client.descriptor, scratch[written:filled])
                written += taken
                self._count(taken)
        except BlockingIOError:
            self._unsent = bytes(scratch[written:filled])
        except OSError as error:
            self._finish(ConnectionResetError(f"the client has gone: {type(error).__name__}"))
        return filled, more

    def _continue(self) -> None:
        if self._reading and not self._done.done():
            self._readable()

    def _count(self, taken: int) -> None:
        self._left -= taken
        self._last_progress = self._loop.time()
        self._on_sent(taken)

    def _wait_for(self, reading: bool | None) -> None:
        """Wait for the media server's socket (True), the client's (False), or neither."""
        if reading is self._reading:
            return
        if self._reading is False:
            self._client.watch(None)
        self._reading = reading
        self._upstream.watch(self._readable if reading else None)
        if reading is False:
            try:
                self._client.watch(self._writable)
            except OSError as error:  # it has gone, or no descriptor is left to watch it with
                self._finish(ConnectionResetError(f"the client cannot be waited for: {type(error).__name__}"))

    def _check_progress(self) -> None:
        """End the pump if the side that it waits for has exceeded its timeout; else set the timer again."""
        waiting_for_client = self._reading is False
        deadline = self._last_progress + (self._write_timeout if waiting_for_client else self._read_timeout)
        if deadline <= self._loop.time():
            self._finish(ClientStalledError() if waiting_for_client else UpstreamEndedError("stalled"))
        else:
            # The other side may be the one that is waited for before this one's deadline.
            soonest = self._loop.time() + min(self._read_timeout, self._write_timeout)
            self._upstream.timer.set(min(deadline, soonest), self._check_progress)

    def _finish(self, error: Exception | None) -> None:
        self._wait_for(None)
        if self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)

    def _release_pipe(self) -> None:
        if self._pipe is not None and not self._in_pipe:
            self._shared.pipes.release(self._pipe)
            self._pipe = None

    def _drop_pipe(self) -> None:
        if self._pipe is not None and self._in_pipe:
            self._shared.pipes.discard(self._pipe)
            self._pipe = None
        self._release_pipe()
