"""Connections to media servers, on plain non-blocking sockets: asked with HTTP/1.1, kept, and used again.

A socket of our own, where asyncio's transports would own it, is what lets the kernel move a body from one side to the
other (see pump.py).
"""

import asyncio
import select
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

import aiohappyeyeballs
from yarl import URL

from gateway.delivery.response_head import Head, UnsupportedResponseError, parse
from gateway.delivery.reusable_timer import ReusableTimer

_MAX_HEAD = 32 * 1024
_HEAD_PIECE = 4096
"""Read at once while the head is awaited: what comes with it of the body is copied, which the pump need not do."""
_MAX_KEPT = 64
_MAX_KEPT_SECONDS = 15.0
_WANTS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Origin = tuple[str, str, int]
"""Scheme, host, port."""


class Connection:
    """One connection. *early* holds what arrived of a body together with its head."""

    def __init__(self, origin: Origin, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self.sock = sock
        self.encrypted = isinstance(sock, ssl.SSLSocket)
        self.early = b""
        self.kept_at = 0.0
        self.loop = loop
        self._tell: Callable[[], None] | None = None
        self._watched = False
        self._in_vain = False
        self._waiting: asyncio.Future[None] | None = None
        self.timer = ReusableTimer(loop)
        self._quiet = select.poll()
        self._quiet.register(sock, select.POLLIN | select.POLLHUP | select.POLLERR)

    async def ask(self, method: str, url: URL, headers: Mapping[str, str]) -> Head:
        """Send a request and read the head of its answer. OddAnswerError; OSError; EOFError before any byte."""
        lines = [f"{method} {url.raw_path_qs} HTTP/1.1", f"Host: {url.host_port_subcomponent}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await self._send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        received = self.early = b""
        while True:
            received = await self._receive_head(received)
            end = received.index(b"\r\n\r\n") + 4
            head = parse(received[:end], method)
            received = received[end:]
            if head is not None:
                self.early = received
                return head

    async def read(self, size: int) -> bytes:
        """Up to *size* bytes of the body; none at its end."""
        if self.early:
            return self.take_early(size)
        while True:
            try:
                return self.sock.recv(size)
            except _WANTS as want:
                await self.ready(want)

    def take_early(self, size: int) -> bytes:
        """At most *size* bytes of what arrived of the body together with its head."""
        taken, self.early = self.early[:size], self.early[size:]
        return taken

    async def ready(self, want: Exception) -> None:
        """Wait until what *want* asks for is possible."""
        future = self._waiting = self.loop.create_future()
        writing = isinstance(want, ssl.SSLWantWriteError)
        if writing:
            self.loop.add_writer(self.sock.fileno(), _wake, future)
        else:
            self.watch(partial(_wake, future))
        try:
            await future
        finally:
            self.watch(None)
            if writing and not self.closed:
                self.loop.remove_writer(self.sock.fileno())

    def watch(self, tell: Callable[[], None] | None) -> None:
        """Have *tell* called whenever something has arrived; None: nobody is interested for now.

        The event loop goes on watching until something that nobody wants makes it wake again and again: most often the
        next thing to arrive is wanted, and telling the kernel twice a request costs more than an event in vain.
        """
        self._tell = tell
        if tell is not None and not self._watched:
            # By number: asyncio words an error it then swallows, and a socket's repr is two system calls.
            self.loop.add_reader(self.sock.fileno(), self._arrived)
            self._watched = True

    def fail_waiter(self) -> None:
        """End the waiting of whoever waits in *ready*, by a TimeoutError."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(TimeoutError())

    @property
    def closed(self) -> bool:
        return self.sock.fileno() < 0

    def is_idle(self) -> bool:
        """Whether the other side has neither ended the connection nor said something unasked."""
        if self.closed or self.early:
            return False
        return not self._quiet.poll(0)

    def close(self) -> None:
        """End the connection at once; no byte is drawn after it."""
        if not self.closed:
            self.timer.close()
            self.loop.remove_reader(self.sock.fileno())
            self.loop.remove_writer(self.sock.fileno())
            self.sock.close()

    def _arrived(self) -> None:
        if self._tell is not None:
            self._in_vain = False
            self._tell()
        elif self._in_vain:
            self.loop.remove_reader(self.sock.fileno())
            self._watched = self._in_vain = False
        else:
            # The kernel may have told of what was read before this was called.
            self._in_vain = True

    async def _receive_head(self, received: bytes) -> bytes:
        while b"\r\n\r\n" not in received:
            piece = await self._read_head(received)
            if not piece:
                raise UnsupportedResponseError("the head is cut off") if received else EOFError
            received += piece
            if len(received) > _MAX_HEAD and b"\r\n\r\n" not in received:
                raise UnsupportedResponseError("the head is too large")
        return received

    async def _read_head(self, received: bytes) -> bytes:
        """More of a head after *received*, and what of the body has come with it."""
        if not received and not (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
            # What was asked a moment ago has not been answered yet: to try would be in vain.
            await self.ready(BlockingIOError())
        return await self.read(_HEAD_PIECE)

    async def _send(self, data: bytes) -> None:
        while data:
            try:
                data = data[self.sock.send(data) :]
            except _WANTS as want:
                writing = ssl.SSLWantWriteError() if isinstance(want, BlockingIOError) else want
                await self.ready(writing)


class ConnectionPool:
    """Opens connections and keeps them for the next request. *connect_timeout* is seconds, TLS included."""

    def __init__(self, ssl_context: ssl.SSLContext, *, connect_timeout: float) -> None:
        self._ssl_context = ssl_context
        self._loop = asyncio.get_running_loop()
        self._connect_timeout = connect_timeout
        self._kept: dict[Origin, deque[Connection]] = {}

    def take(self, origin: Origin) -> Connection | None:
        """A connection that was kept and is still good."""
        now = self._loop.time()
        kept = self._kept.get(origin)
        while kept:
            upstream = kept.pop()
            if now - upstream.kept_at < _MAX_KEPT_SECONDS and upstream.is_idle():
                return upstream
            upstream.close()
        return None

    async def connect(self, origin: Origin) -> Connection:
        """Returns a new connection. Raises OSError (of which ssl.SSLError is one) or TimeoutError."""
        scheme, host, port = origin
        loop = self._loop
        async with asyncio.timeout(self._connect_timeout):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            sock = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=0.25, loop=loop)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if scheme == "http":
                return Connection(origin, sock, loop)
            try:
                wrapped = self._ssl_context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
            except BaseException:
                sock.close()
                raise
            return await _shake_hands(Connection(origin, wrapped, loop), wrapped)

    def keep(self, upstream: Connection) -> None:
        """Put a connection whose answer was read to its end aside for the next request."""
        kept = self._kept.setdefault(upstream.origin, deque())
        if len(kept) >= _MAX_KEPT:
            kept.popleft().close()
        upstream.kept_at = self._loop.time()
        kept.append(upstream)

    def close(self) -> None:
        for kept in self._kept.values():
            for upstream in kept:
                upstream.close()
        self._kept.clear()


async def _shake_hands(upstream: Connection, sock: ssl.SSLSocket) -> Connection:
    try:
        while True:
            try:
                sock.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as want:
                await upstream.ready(want)
            else:
                return upstream
    except BaseException:
        upstream.close()
        raise


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
