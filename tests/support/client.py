"""A raw HTTP/1.1 client for tests: sends bytes as they are, and reads responses one at a time or until the end.

For everything that aiohttp's client would hide or repair: malformed requests, pipelining, resets, slow readers.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from ssl import SSLContext
from urllib.parse import urlsplit

from multidict import CIMultiDict

TIMEOUT = 10.0
"""Seconds after which an unfinished read raises TimeoutError."""


@dataclass(frozen=True)
class Response:
    """One response. *headers* are in the order received; *raw_head* ends with the empty line."""

    status: int
    headers: CIMultiDict[str]
    raw_head: bytes = field(repr=False)
    body: bytes = field(default=b"", repr=False)


def request(method: str, path: str, headers: Mapping[str, str] | None = None, *, version: str = "1.1") -> bytes:
    """Returns the head of a request to the host ``x``, with *headers* in their order."""
    lines = [f"{method} {path} HTTP/{version}", "Host: x"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode()


def parse_response(received: bytes) -> Response:
    """Splits *received* into head and body; the body is everything after the head, chunk sizes included."""
    head, separator, body = received.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        name, _, value = line.partition(":")
        headers.add(name, value.strip())
    return Response(int(status_line.split(" ")[1]), headers, head + separator, body)


class RawConnection:
    """One client connection. Every read raises TimeoutError after ``TIMEOUT`` seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def local_address(self) -> tuple[str, int]:
        """Host and port of this end, which is the peer's address for the server."""
        host, port = self._writer.get_extra_info("sockname")
        return host, port

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def send_eof(self) -> None:
        """Closes the sending half; the server sees the end of the input."""
        self._writer.write_eof()

    async def read(self, count: int) -> bytes:
        """Reads exactly *count* bytes. Raises IncompleteReadError if the connection ends before that."""
        async with asyncio.timeout(TIMEOUT):
            return await self._reader.readexactly(count)

    async def read_head(self) -> Response:
        """Reads one response head; the body, if any, stays unread."""
        async with asyncio.timeout(TIMEOUT):
            return parse_response(await self._reader.readuntil(b"\r\n\r\n"))

    async def read_response(self) -> Response:
        """Reads one response to a request other than HEAD; the body must have a Content-Length or be absent."""
        head = await self.read_head()
        if head.status < 200 or head.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            return head
        body = await self.read(int(head.headers["Content-Length"]))
        return Response(head.status, head.headers, head.raw_head, body)

    async def read_to_end(self) -> bytes:
        """Reads until the server closes the connection. Raises ConnectionResetError if it resets it."""
        async with asyncio.timeout(TIMEOUT):
            return await self._reader.read()

    async def read_last_response(self) -> Response:
        """Reads until the server closes the connection, as one response."""
        return parse_response(await self.read_to_end())

    async def read_until_reset(self) -> tuple[bytes, bool]:
        """Reads to the end. Returns the bytes, and whether the connection ended by a TCP reset."""
        received = bytearray()
        try:
            async with asyncio.timeout(TIMEOUT):
                while piece := await self._reader.read(65_536):
                    received += piece
        except (ConnectionResetError, BrokenPipeError):
            return bytes(received), True
        return bytes(received), False

    def abort(self) -> None:
        """Closes the connection at once, without reading what has arrived."""
        self._writer.transport.abort()


@asynccontextmanager
async def connect(
    url: str, *, receive_buffer: int | None = None, tls: SSLContext | None = None
) -> AsyncIterator[RawConnection]:
    """Connects to the host and port of *url*; closes the connection at the end of the block.

    With *receive_buffer* the kernel and this client together hold little more than that many bytes which the test has
    not read: the client is a slow reader.
    """
    address = urlsplit(url)
    sock = socket.socket()
    sock.setblocking(False)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (address.hostname, address.port))
        reader, writer = await asyncio.open_connection(
            sock=sock,
            limit=receive_buffer or 2**16,
            ssl=tls,
            server_hostname=address.hostname if tls else None,
        )
    except BaseException:
        sock.close()
        raise
    connection = RawConnection(reader, writer)
    try:
        yield connection
    finally:
        connection.abort()
        await asyncio.sleep(0)  # the transport closes its socket in the next iteration of the loop
