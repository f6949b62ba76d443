"""A media server that sends exactly the bytes that a test gives it, one script for each request, over http or https."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from multidict import CIMultiDict


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it arrived. *connection* numbers the connections in the order of their opening, from 0."""

    method: str
    target: str
    headers: "CIMultiDict[str]"
    connection: int
    raw: bytes = field(repr=False)


@dataclass(frozen=True)
class Script:
    """*pieces* are written with *pause* seconds between them. Then the connection is closed if *close* is true: as
    *end* says, "clean" (with TLS's close_notify), "cut" (without it) or "reset"."""

    pieces: Sequence[bytes]
    pause: float = 0.0
    close: bool = False
    end: str = "clean"


Respond = Callable[[ReceivedRequest], Script | bytes]


def response(status: str, *fields: str, body: bytes = b"", length: int | None = -1) -> bytes:
    """Returns the bytes of a response. *length* is the stated Content-Length: the body's by default, None for none."""
    lines = [f"HTTP/1.1 {status}", *fields]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length < 0 else length}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


@dataclass
class ScriptedMedia:
    """*respond* is called with each request. *requests* are those that have arrived."""

    respond: Respond
    scheme: str = "http"
    port: int = 0
    requests: list[ReceivedRequest] = field(default_factory=list)
    connections: list[asyncio.StreamWriter] = field(default_factory=list, repr=False)

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, "localhost", self.port

    def url(self, path: str = "/film.mp4") -> str:
        return f"{self.scheme}://localhost:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.connections)
        self.connections.append(writer)
        try:
            while True:
                raw = await reader.readuntil(b"\r\n\r\n")
                first, *lines = raw[:-4].decode("utf-8", "surrogateescape").split("\r\n")
                method, target, _ = first.split(" ")
                headers: CIMultiDict[str] = CIMultiDict()
                for line in lines:
                    name, _, value = line.partition(":")
                    headers.add(name, value.strip())
                request = ReceivedRequest(method, target, headers, number, raw)
                self.requests.append(request)
                reply = self.respond(request)
                script = Script([reply]) if isinstance(reply, bytes) else reply
                for at, piece in enumerate(script.pieces):
                    if at and script.pause:
                        await asyncio.sleep(script.pause)
                    writer.write(piece)
                    await writer.drain()
                if script.close:
                    await _end_connection(writer, script.end)
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def _end_connection(writer: asyncio.StreamWriter, end: str) -> None:
    """Ends the connection below TLS, unless it is to be *clean*."""
    sock = writer.get_extra_info("socket")
    if end == "cut":
        sock.shutdown(socket.SHUT_WR)
    elif end == "reset":
        await asyncio.sleep(0.1)  # a reset overtakes what the other side has not read
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


@asynccontextmanager
async def scripted_media(respond: Respond, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedMedia]:
    """Listens on localhost until the end of the block."""
    media = ScriptedMedia(respond, "http" if tls is None else "https")
    server = await asyncio.start_server(media.serve, "127.0.0.1", 0, ssl=tls)
    media.port = server.sockets[0].getsockname()[1]
    try:
        yield media
    finally:
        for writer in media.connections:
            writer.transport.abort()
        server.close()
        await server.wait_closed()


def in_turn(*replies: Script | bytes) -> Respond:
    """Responds with each of *replies* once, and then closes the connection without a response."""
    remaining = list(replies)

    def respond(_request: ReceivedRequest) -> Script | bytes:
        return remaining.pop(0) if remaining else Script([], close=True)

    return respond
