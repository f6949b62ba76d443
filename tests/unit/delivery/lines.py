"""A media server's end and a viewer's end, with room for a pump between them. Real sockets, TLS where it is wanted."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trustme

from gateway.delivery.client_stream import ClientSocket
from gateway.delivery.connection_pool import Connection, ConnectionPool
from gateway.delivery.splice_pump import SplicePump

AUTHORITY = trustme.CA()
_CERTIFICATE = AUTHORITY.issue_cert("localhost")


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


def serving() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _CERTIFICATE.configure_cert(context)
    return context


@dataclass
class Line:
    """*server* is the media server's end. *moved* is what the pump told of, in order."""

    server: asyncio.StreamWriter
    upstream: Connection
    near: socket.socket
    outlet: ClientSocket
    viewer: socket.socket
    moved: list[int] = field(default_factory=list)

    def pump(self, count: int, *, read_timeout: float = 20.0, write_timeout: float = 20.0) -> SplicePump:
        return SplicePump(
            self.upstream,
            self.outlet,
            count,
            self.moved.append,
            read_timeout=read_timeout,
            write_timeout=write_timeout,
        )

    async def hear(self, count: int, piece: int = 65536) -> bytes:
        """Read as the viewer, *piece* bytes at once at most, until there are *count* or no more."""
        heard = bytearray()
        while len(heard) < count:
            got = await asyncio.get_running_loop().sock_recv(self.viewer, min(piece, count - len(heard)))
            if not got:
                break
            heard += got
        return bytes(heard)


@asynccontextmanager
async def line(*, encrypted: bool = False) -> AsyncIterator[Line]:
    """TLS, where it is wanted, is between the media server and the pump."""
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(
        lambda _, writer: accepted.set_result(writer), "127.0.0.1", 0, ssl=serving() if encrypted else None
    )
    origin = ("https" if encrypted else "http", "localhost", server.sockets[0].getsockname()[1])
    upstream = await ConnectionPool(trusting(), connect_timeout=10).connect(origin)
    writer = await accepted
    near, viewer = _pair()
    outlet = ClientSocket(near)
    try:
        yield Line(writer, upstream, near, outlet, viewer)
    finally:
        outlet.close()
        upstream.close()
        near.close()
        viewer.close()
        writer.transport.abort()
        server.close()
        await server.wait_closed()


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as observer, socket.socket() as far:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        far.connect(observer.getsockname())
        near, _ = observer.accept()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        near.setblocking(False)
        viewer = far.dup()
        viewer.setblocking(False)
        return near, viewer
