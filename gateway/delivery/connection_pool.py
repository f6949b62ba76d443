"""Connections to media servers: opened (RFC 8305, with TLS where the link is https), kept idle, and used again."""

import asyncio
import socket
import ssl
from collections import deque

import aiohappyeyeballs

from gateway.delivery.connection import Connection, Origin

_HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds before the next address is tried (RFC 8305, section 5)."""


class ConnectionPool:
    """*connect_timeout* is seconds, the TLS handshake included. Of each origin at most *max_idle* connections are kept,
    each for *max_idle_seconds*."""

    def __init__(
        self,
        ssl_context: ssl.SSLContext,
        *,
        connect_timeout: float,
        max_idle: int = 64,
        max_idle_seconds: float = 15.0,
    ) -> None:
        self._ssl_context = ssl_context
        self._loop = asyncio.get_running_loop()
        self._connect_timeout = connect_timeout
        self._max_idle = max_idle
        self._max_idle_seconds = max_idle_seconds
        self._idle: dict[Origin, deque[Connection]] = {}

    def __repr__(self) -> str:
        return f"<ConnectionPool idle={sum(map(len, self._idle.values()))} origins={len(self._idle)}>"

    def take(self, origin: Origin) -> Connection | None:
        """Return an idle connection to *origin* that can be used again, or None."""
        now = self._loop.time()
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if now - connection.idle_since < self._max_idle_seconds and connection.is_idle():
                return connection
            connection.close()
        return None

    async def connect(self, origin: Origin) -> Connection:
        """Return a new connection. Raises OSError (ssl.SSLError is one) or TimeoutError."""
        scheme, host, port = origin
        loop = self._loop
        async with asyncio.timeout(self._connect_timeout):
            addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            sock = await aiohappyeyeballs.start_connection(
                addresses, happy_eyeballs_delay=_HAPPY_EYEBALLS_DELAY, loop=loop
            )
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if scheme == "http":
                return Connection(origin, sock, loop)
            try:
                encrypted = self._ssl_context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
            except BaseException:
                sock.close()
                raise
            connection = Connection(origin, encrypted, loop)
            try:
                await _shake_hands(connection, encrypted)
            except BaseException:
                connection.close()
                raise
            return connection

    def release(self, connection: Connection) -> None:
        """Keep a connection, whose response was read to its end, for another request."""
        idle = self._idle.setdefault(connection.origin, deque())
        if len(idle) >= self._max_idle:
            idle.popleft().close()
        connection.idle_since = self._loop.time()
        idle.append(connection)

    def close(self) -> None:
        """Close all idle connections."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()


async def _shake_hands(connection: Connection, sock: ssl.SSLSocket) -> None:
    while True:
        try:
            sock.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as want:
            await connection.wait_ready(want)
        else:
            return
