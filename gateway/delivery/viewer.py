"""The viewer's end of a stream: what may be written, how fast he reads, and whether he still does."""

import asyncio
import os
import socket

from aiohttp import web


class ViewerRestsError(Exception):
    """The viewer has not read for *upstream_idle*: the media server's connection is not worth holding."""


class ViewerIdleError(Exception):
    """The viewer has not read for *viewer_idle*."""


class Streamed(web.StreamResponse):
    """A response whose head is written with the first of its body, as aiohttp does where the body is at hand."""

    _send_headers_immediately = False


class Viewer:
    """*upstream_idle* and *viewer_idle* are seconds. *bytes* counts what the kernel has taken for him."""

    def __init__(
        self, request: web.BaseRequest, response: web.StreamResponse, *, upstream_idle: float, viewer_idle: float
    ) -> None:
        self.bytes = 0
        self.rests_after = upstream_idle
        """Seconds without reading after which ViewerRestsError is raised."""
        self._request = request
        self._response = response
        self._viewer_idle = viewer_idle
        self._corked: socket.socket | None = None
        self._descriptor: int | None = None
        self._writing: asyncio.Task[None] | None = None

    def never_rests(self) -> None:
        """For a body that cannot be asked for again: the connection is held for as long as the viewer is."""
        self.rests_after = self._viewer_idle

    async def write(self, piece: bytes) -> None:
        """Hand on *piece*, which is counted even where he rests after it. ViewerRestsError; ConnectionError."""
        self.bytes += len(piece)
        # A task of its own, because all writes of a connection wait for one future of aiohttp's: whoever gives up
        # waiting for it cancels it for those who come after him.
        self._writing = asyncio.create_task(self._response.write(piece))
        if not await _is_over(self._writing, self.rests_after):
            raise ViewerRestsError

    async def reads_on(self) -> None:
        """Wait for him to read again. ViewerIdleError; ConnectionError."""
        seconds = max(0.0, self._viewer_idle - self.rests_after)
        if self._writing is not None and not self._writing.done():
            if not await _is_over(self._writing, seconds):
                raise ViewerIdleError
        elif self._descriptor is not None:
            try:
                async with asyncio.timeout(seconds):
                    await self._writable(self._descriptor)
            except TimeoutError:
                raise ViewerIdleError from None

    async def descriptor(self) -> int | None:
        """A descriptor of the socket that may be written to directly, once all that was written before is out.

        None where it may not: TLS, or a body in chunks. A duplicate, because the event loop guards the transport's own.
        """
        if self._descriptor is None:
            transport = self._request.transport
            sock = None if transport is None else transport.get_extra_info("socket")
            if sock is None or not isinstance(transport, asyncio.Transport):
                return None
            if self._response.content_length is None or transport.get_extra_info("sslcontext") is not None:
                return None
            self._corked = sock if _cork(sock, True) else None
            self._request.writer.send_headers()
            transport.set_write_buffer_limits(high=0)
            self._descriptor = os.dup(sock.fileno())
        await self._request.writer.drain()
        return self._descriptor

    def uncork(self) -> None:
        """Let go what was held back for what comes with it: a head goes in one packet with the first of its body."""
        corked, self._corked = self._corked, None
        if corked is not None:
            _cork(corked, False)

    def close(self) -> None:
        self.uncork()
        if self._writing is not None and not self._writing.cancel() and not self._writing.cancelled():
            self._writing.exception()  # read, so that the loop does not report what nobody waited for
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @staticmethod
    async def _writable(descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        loop.add_writer(descriptor, lambda: None if future.done() else future.set_result(None))
        try:
            await future
        finally:
            loop.remove_writer(descriptor)


def _cork(sock: socket.socket, held: bool) -> bool:
    """Have what is written *held* back until more comes (tcp(7), TCP_CORK). False where that cannot be: a unix socket,
    or one whose other end has gone."""
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, int(held))
    except OSError:
        return False
    return True


async def _is_over(task: "asyncio.Task[None]", seconds: float) -> bool:
    """Wait for *task*, which is not cancelled if it takes longer; raises what it raised."""
    done, _ = await asyncio.wait({task}, timeout=seconds)
    for one in done:
        one.result()
    return bool(done)
