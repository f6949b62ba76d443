"""A TCP proxy with the rate of a slow line, shared by all connections, and small buffers."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PIECE = 8 * 1024


class SlowLine:
    """*rate* is bytes a second towards the client; *passed* counts them."""

    def __init__(self, port: int, rate: float) -> None:
        self._port = port
        self._rate = rate
        self._free_at = 0.0
        self.passed = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connects a client with the server behind the line."""
        upstream = socket.socket()
        upstream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        upstream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(upstream, ("127.0.0.1", self._port))
        server_reader, server_writer = await asyncio.open_connection(sock=upstream, limit=_PIECE)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        writer.transport.set_write_buffer_limits(_PIECE)
        both = asyncio.gather(self._send(reader, server_writer), self._receive(server_reader, writer))
        with contextlib.suppress(OSError):
            await both
        both.cancel()
        for end in (writer, server_writer):
            end.close()

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        raise ConnectionError

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while piece := await reader.read(_PIECE):
            self._free_at = max(self._free_at, loop.time()) + len(piece) / self._rate
            await asyncio.sleep(self._free_at - loop.time())
            self.passed += len(piece)
            writer.write(piece)
            await writer.drain()
        raise ConnectionError


@asynccontextmanager
async def slow_line(port: int, rate: float) -> AsyncIterator[tuple[SlowLine, str]]:
    """Yields a line of *rate* bytes a second to *port* of this machine, and its URL."""
    line = SlowLine(port, rate)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    async with server:
        yield line, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
