"""A media server's end and a client's end with room for a pump between them: real sockets, with or without TLS."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trustme

from gateway.delivery.client_stream import ClientSocket
from gateway.delivery.connection import Connection
from gateway.delivery.connection_pool import ConnectionPool
from gateway.delivery.pipe_pool import PumpResources
from gateway.delivery.splice_pump import SplicePump

AUTHORITY = trustme.CA()
_CERTIFICATE = AUTHORITY.issue_cert("localhost")


def client_context() -> ssl.SSLContext:
    """Returns a TLS context that trusts the certificates of *server_context*."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


def server_context() -> ssl.SSLContext:
    """Returns a TLS context of a server named localhost."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _CERTIFICATE.configure_cert(context)
    return context


@dataclass
class Ends:
    """*server* is the media server's end, *upstream* the gateway's of the same connection; *near* is the gateway's
    socket to the client, *client* the client's. *portions* is what the pump reported, in order."""

    server: asyncio.StreamWriter
    upstream: Connection
    near: socket.socket
    outlet: ClientSocket
    client: socket.socket
    resources: PumpResources
    portions: list[int] = field(default_factory=list)

    def pump(self, count: int, *, read_timeout: float = 20.0, write_timeout: float = 20.0) -> SplicePump:
        return SplicePump(
            self.upstream,
            self.outlet,
            count,
            self.portions.append,
            read_timeout=read_timeout,
            write_timeout=write_timeout,
            shared=self.resources,
        )

    async def read(self, count: int, piece: int = 65536) -> bytes:
        """Read as the client, *piece* bytes at once at most, until there are *count* bytes or no more."""
        received = bytearray()
        while len(received) < count:
            data = await asyncio.get_running_loop().sock_recv(self.client, min(piece, count - len(received)))
            if not data:
                break
            received += data
        return bytes(received)


@asynccontextmanager
async def ends(*, encrypted: bool = False, resources: PumpResources | None = None) -> AsyncIterator[Ends]:
    """*encrypted*: whether there is TLS between the media server and the pump. Without *resources* the pump has its
    own, which are closed at the end."""
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(
        lambda _, writer: accepted.set_result(writer), "127.0.0.1", 0, ssl=server_context() if encrypted else None
    )
    origin = ("https" if encrypted else "http", "localhost", server.sockets[0].getsockname()[1])
    upstream = await ConnectionPool(client_context(), connect_timeout=10).connect(origin)
    writer = await accepted
    near, client = _pair()
    outlet = ClientSocket(near)
    own = resources or PumpResources()
    try:
        yield Ends(writer, upstream, near, outlet, client, own)
    finally:
        outlet.close()
        upstream.close()
        near.close()
        client.close()
        if resources is None:
            own.pipes.close()
        writer.transport.abort()
        server.close()
        await server.wait_closed()


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as far:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        far.connect(listener.getsockname())
        near, _ = listener.accept()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        near.setblocking(False)
        client = far.dup()
        client.setblocking(False)
        return near, client
