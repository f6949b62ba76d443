"""The viewer's end of a stream: what may be written, how fast he reads, and whether he still does."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web


class ClientStalledError(Exception):
    """The viewer has not read for *upstream_idle*: the media server's connection is not worth holding."""


class ClientIdleError(Exception):
    """The viewer has not read for *viewer_idle*."""


class ClientSocket:
    """A socket that is written to directly, beside the transport whose it is."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._watched: int | None = None

    @property
    def descriptor(self) -> int:
        """-1 once the transport has closed it. To be asked for each time: it may be another connection's by then."""
        return self._sock.fileno()

    def watch(self, tell: Callable[[], None] | None) -> None:
        """Have *tell* called whenever it may be written to; None: nobody is interested. ConnectionError."""
        if tell is not None:
            if self.descriptor < 0:
                raise ConnectionResetError("the viewer has gone")
            if self._watched is None:
                self._watched = os.dup(self.descriptor)  # the event loop guards the transport's own
            asyncio.get_running_loop().add_writer(self._watched, tell)
        elif self._watched is not None:
            asyncio.get_running_loop().remove_writer(self._watched)

    def close(self) -> None:
        if self._watched is not None:
            self.watch(None)
            os.close(self._watched)
            self._watched = None


class ClientStream:
    """*upstream_idle* and *viewer_idle* are seconds. *bytes* counts what the kernel has taken for him."""

    def __init__(
        self, request: web.BaseRequest, response: web.StreamResponse, *, upstream_idle: float, viewer_idle: float
    ) -> None:
        self.bytes = 0
        self.stall_timeout = upstream_idle
        """Seconds without reading after which ViewerRestsError is raised."""
        self._request = request
        self._response = response
        self._viewer_idle = viewer_idle
        self._outlet: ClientSocket | None = None
        self._writing: asyncio.Task[None] | None = None

    def disable_stall_timeout(self) -> None:
        """For a body that cannot be asked for again: the connection is held for as long as the viewer is."""
        self.stall_timeout = self._viewer_idle

    async def write(self, piece: bytes) -> None:
        """Hand on *piece*, which is counted even where he rests after it. ViewerRestsError; ConnectionError."""
        self.bytes += len(piece)
        await self._wait_for(self._response.write(piece))

    async def wait_writable(self) -> None:
        """Wait for him to read again. ViewerIdleError; ConnectionError."""
        seconds = max(0.0, self._viewer_idle - self.stall_timeout)
        if self._writing is not None and not self._writing.done():
            if not await _is_over(self._writing, seconds):
                raise ClientIdleError
        elif self._outlet is not None:
            try:
                async with asyncio.timeout(seconds):
                    await _writable(self._outlet)
            except TimeoutError:
                raise ClientIdleError from None

    def outlet(self) -> ClientSocket | None:
        """Where his bytes may be written directly, once *begin* has sent what comes before them. None where they may
        not: TLS, or a body in chunks."""
        transport = self._request.transport
        if self._outlet is None and isinstance(transport, asyncio.Transport):
            sock = transport.get_extra_info("socket")
            encrypted = transport.get_extra_info("sslcontext") is not None
            if sock is not None and not encrypted and self._response.content_length is not None:
                transport.set_write_buffer_limits(high=0)
                self._outlet = ClientSocket(sock)
        return self._outlet

    async def begin(self, piece: bytes) -> None:
        """Send the head, if it has not gone, and *piece* in one packet with it, and wait until the kernel has both.
        ViewerRestsError; ConnectionError."""
        self.bytes += len(piece)
        await self._response.write(piece)
        transport = self._request.transport
        if transport is None or transport.get_write_buffer_size():
            await self._wait_for(self._request.writer.drain())

    async def _wait_for(self, writing: Coroutine[Any, Any, None]) -> None:
        # In a task of its own, because all writes of a connection wait for one future of aiohttp's: whoever gives up
        # waiting for it cancels it for those who come after him.
        self._writing = asyncio.create_task(writing)
        if not await _is_over(self._writing, self.stall_timeout):
            raise ClientStalledError

    def close(self) -> None:
        if self._writing is not None and not self._writing.cancel() and not self._writing.cancelled():
            self._writing.exception()  # read, so that the loop does not report what nobody waited for
        if self._outlet is not None:
            self._outlet.close()


async def _writable(outlet: ClientSocket) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    outlet.watch(lambda: None if future.done() else future.set_result(None))
    try:
        await future
    finally:
        outlet.watch(None)


async def _is_over(task: "asyncio.Task[None]", seconds: float) -> bool:
    """Wait for *task*, which is not cancelled if it takes longer; raises what it raised."""
    done, _ = await asyncio.wait({task}, timeout=seconds)
    for one in done:
        one.result()
    return bool(done)
