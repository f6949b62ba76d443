"""The client's end of a stream: what has been written to it, and whether it still reads.

How it works: bytes reach the client in one of two ways. Usually aiohttp's response writes them to its transport. For a
plain connection and a body of known length, SplicePump writes the body to the client's socket itself; before that,
*start_direct* writes the response's head through aiohttp and waits until the transport's buffer is empty, so that
nothing of ours can overtake it. aiohttp counts only what passes through its own writer, which is why the socket is used
only for a body whose end is given by Content-Length.
"""

import asyncio
import os
import select
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web

_WRITE_BUFFER = 256 * 1024
"""Bytes that may wait in the transport before a write waits: more than *start_direct* ever writes at once."""

_HEAD = 64 * 1024
"""More bytes than the head of a response of ours has."""


class ClientStalledError(Exception):
    """The client has read nothing for *stall_timeout* seconds. The stream goes on when it reads again."""


class ClientIdleError(Exception):
    """The client has read nothing for *viewer_idle* seconds."""


class ClientSocket:
    """A client's socket, for writing to it beside the transport that owns it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._duplicate: int | None = None

    @property
    def descriptor(self) -> int:
        """-1 after the transport has closed it. Read it before every use: the number may be reused by then."""
        return self._sock.fileno()

    def watch(self, callback: Callable[[], None] | None) -> None:
        """Call *callback* whenever the socket can be written to; None ends that. Raises ConnectionResetError."""
        if callback is not None:
            if self.descriptor < 0:
                raise ConnectionResetError("the client has closed the connection")
            if self._duplicate is None:
                self._duplicate = os.dup(self.descriptor)  # the event loop rejects a descriptor that a transport uses
            asyncio.get_running_loop().add_writer(self._duplicate, callback)
        elif self._duplicate is not None:
            asyncio.get_running_loop().remove_writer(self._duplicate)

    def require_room(self) -> None:
        """Raise BlockingIOError if the socket has little room, less than a third of its buffer, OSError if it is
        closed."""
        descriptor = self.descriptor
        if descriptor < 0:
            raise ConnectionResetError("the client has closed the connection")
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if not poll.poll(0):
            raise BlockingIOError

    async def wait_writable(self) -> None:
        """Wait until the socket can be written to. Raises ConnectionResetError."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.watch(lambda: None if future.done() else future.set_result(None))
        try:
            await future
        finally:
            self.watch(None)

    def close(self) -> None:
        """Stop watching. The socket itself is the transport's and stays open."""
        if self._duplicate is not None:
            self.watch(None)
            os.close(self._duplicate)
            self._duplicate = None


class ClientStream:
    """*upstream_idle* and *viewer_idle* are seconds for which the client reads nothing."""

    def __init__(
        self, request: web.BaseRequest, response: web.StreamResponse, *, upstream_idle: float, viewer_idle: float
    ) -> None:
        self.sent = 0
        """Bytes of the body that have been written; those in the transport's buffer count."""
        self.stall_timeout = upstream_idle
        """Seconds without reading after which ClientStalledError is raised."""
        self._request = request
        self._response = response
        self._viewer_idle = viewer_idle
        self._limits: tuple[int, int] | None = None
        """Low and high, in bytes: those of the transport before *write* changes them, which *close* restores."""
        self._socket: ClientSocket | None = None
        self._pending_write: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        way = "transport" if self._socket is None else "socket"
        return f"<ClientStream {way} sent={self.sent} stall_timeout={self.stall_timeout}>"

    def disable_stall_timeout(self) -> None:
        """Never raise ClientStalledError: for a body that cannot be requested again after the connection is closed."""
        self.stall_timeout = self._viewer_idle

    async def write(self, piece: bytes | memoryview) -> None:
        """Write *piece* through the transport, which has it even if ClientStalledError is raised. ConnectionError."""
        self.sent += len(piece)
        transport = self._request.transport
        if transport is None or transport.get_write_buffer_size():
            await self._wait_for(self._drain_after(self._response.write(piece)))  # an earlier response is on its way
            return
        if self._limits is None:
            self._limits = transport.get_write_buffer_limits()
        transport.set_write_buffer_limits(high=len(piece) + _HEAD)
        await self._response.write(piece)  # does not wait, and so needs no task, because the buffer has room
        del piece  # it would stay in memory for as long as the client takes
        if transport.get_write_buffer_size():
            transport.set_write_buffer_limits(high=1)  # 0 would pause a TLS transport whose buffer is empty
            await self._wait_for(self._drain())
        else:
            await asyncio.sleep(0)  # other connections come in between, even if neither side ever waits

    async def finish(self) -> None:
        """Write the end of the body. Raises ClientIdleError if the client does not read it, or ConnectionError."""
        if self._response.content_length is not None:
            await self._response.write_eof()  # nothing is left to write
            return
        self.disable_stall_timeout()
        try:
            await self._wait_for(self._drain_after(self._response.write_eof()))
        except ClientStalledError:
            raise ClientIdleError from None

    async def wait_writable(self) -> None:
        """After ClientStalledError, wait until the client reads again. Raises ClientIdleError or ConnectionError."""
        seconds = max(0.0, self._viewer_idle - self.stall_timeout)
        if self._pending_write is not None and not self._pending_write.done():
            if not await _is_done(self._pending_write, seconds):
                raise ClientIdleError
        elif self._socket is not None:
            try:
                async with asyncio.timeout(seconds):
                    await self._socket.wait_writable()
            except TimeoutError:
                raise ClientIdleError from None

    def direct_socket(self) -> ClientSocket | None:
        """Return the socket to write the body to after *start_direct*, or None if it must go through aiohttp: over TLS,
        or for a body of unknown length."""
        if self._socket is not None:
            return self._socket
        transport = self._request.transport
        if isinstance(transport, asyncio.Transport):
            sock = transport.get_extra_info("socket")
            encrypted = transport.get_extra_info("sslcontext") is not None
            if sock is not None and not encrypted and self._response.content_length is not None:
                self._socket = ClientSocket(sock)
        return self._socket

    async def start_direct(self, piece: bytes | memoryview) -> None:
        """Write the head, if it has not been written, with *piece* after it, and wait until the kernel has both.

        *piece* counts as sent even if ClientStalledError is raised. Raises ConnectionError.
        """
        self.sent += len(piece)
        transport = self._request.transport
        if transport is not None:
            transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        await self._response.write(piece)
        if transport is not None:
            transport.set_write_buffer_limits(high=0)
        if transport is None or transport.get_write_buffer_size():
            await self._wait_for(self._request.writer.drain())

    def close(self) -> None:
        """Cancel a pending write, stop watching the socket, and leave the transport to later responses as it was."""
        write = self._pending_write
        if write is not None and not write.cancel() and not write.cancelled():
            write.exception()  # retrieved, so that the event loop does not log it
        if self._socket is not None:
            self._socket.close()
        transport = self._request.transport
        if self._limits is not None and transport is not None and not transport.is_closing():
            low, high = self._limits
            transport.set_write_buffer_limits(high, low)

    async def _drain_after(self, write: Coroutine[Any, Any, None]) -> None:
        await write
        await self._drain()

    async def _drain(self) -> None:
        """Wait until the kernel has all that has been written. Raises ConnectionError."""
        transport = self._request.transport
        await self._request.writer.drain()
        if transport is None or not transport.get_write_buffer_size():
            return
        # Over TLS, what waits below the TLS transport resumes nobody who writes.
        client_socket = ClientSocket(transport.get_extra_info("socket"))
        try:
            while transport.get_write_buffer_size():
                await client_socket.wait_writable()
                if transport.is_closing():
                    raise ConnectionResetError("the client has closed the connection")
        finally:
            client_socket.close()

    async def _wait_for(self, write: Coroutine[Any, Any, None]) -> None:
        # A task, because all writes of a connection wait for one future of aiohttp's: to cancel one of them would
        # cancel that future for the others.
        self._pending_write = asyncio.create_task(write)
        if not await _is_done(self._pending_write, self.stall_timeout):
            raise ClientStalledError


async def _is_done(task: "asyncio.Task[None]", seconds: float) -> bool:
    """Wait up to *seconds* for *task*, which is not cancelled if it takes longer. Raises what the task raised."""
    done, _ = await asyncio.wait({task}, timeout=seconds)
    for one in done:
        one.result()
    return bool(done)
