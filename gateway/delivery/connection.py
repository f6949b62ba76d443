"""One HTTP/1.1 connection to a media server, on a plain non-blocking socket.

How it works: asyncio's transports own their sockets, and the kernel can move a body from one socket to another only for
whoever owns them. So this module reads and writes the socket itself and uses the event loop only to wait. It sends one
request at a time and reads the response's head; the body is left in the socket for SplicePump, except what arrived
together with the head (*early*). One timer serves all the time limits of a connection, because a timer that is
created and cancelled for each costs more than one that occasionally fires too early and is set again.
"""

import asyncio
import select
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from yarl import URL

from gateway.delivery.response_head import Head, UnsupportedResponseError, parse, too_large, unsupported
from gateway.delivery.tls_records import with_further_records

_MAX_HEAD = 32 * 1024
_HEAD_READ_SIZE = 80 * 1024
"""Bytes to read at once while a head is awaited. A 64 KiB range then arrives with its head in one read. What a slow
client does not take of it stays in the process's memory, so this is also what such a client may cost."""
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Origin = tuple[str, str, int]
"""Scheme, host, port."""


class ReusableTimer:
    """One timer for one deadline after another. Times are the event loop's, in seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._callback: Callable[[], None] | None = None

    def set(self, deadline: float, callback: Callable[[], None]) -> None:
        """Call *callback* at *deadline*. Replaces the deadline that was set before."""
        if self._handle is not None and self._handle.when() > deadline:
            self.close()
        self._deadline, self._callback = deadline, callback
        if self._handle is None:
            self._handle = self._loop.call_at(deadline, self._fire)

    def clear(self) -> None:
        """Drop the deadline. The event loop's timer stays, for the next one."""
        self._callback = None

    def close(self) -> None:
        """Drop the deadline and the event loop's timer."""
        self._callback = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle, callback = None, self._callback
        if callback is None:
            return
        if self._deadline > self._loop.time():
            self._handle = self._loop.call_at(self._deadline, self._fire)
        else:
            self._callback = None
            callback()


class Connection:
    """One connection. *early* holds the bytes that arrived after the head, together with it."""

    def __init__(self, origin: Origin, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self.sock = sock
        self.encrypted = isinstance(sock, ssl.SSLSocket)
        self.early: bytes | memoryview = b""
        self.idle_since = 0.0
        """The event loop's time at which the connection was last returned to the pool."""
        self.loop = loop
        self.timer = ReusableTimer(loop)
        self._callback: Callable[[], None] | None = None
        self._registered = False
        self._unwanted_event = False
        self._waiter: asyncio.Future[Any] | None = None
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN | select.POLLHUP | select.POLLERR)

    def __repr__(self) -> str:
        scheme, host, port = self.origin
        state = "closed" if self.closed else "waiting" if self._waiter is not None else "open"
        return f"<Connection {scheme}://{host}:{port} {state} early={len(self.early)}>"

    async def get(self, url: URL, headers: Mapping[str, str], *, read_timeout: float) -> Head:
        """Send a GET and return the head of its final response; interim responses (1xx) are skipped.

        *read_timeout* is seconds in which nothing arrives, not the duration of the whole. Raises TimeoutError, OSError,
        what parse and too_large are about, or EOFError if the server closes the connection before the first byte.
        After an exception the connection must be closed.
        """
        text = f"GET {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n"
        for name, value in headers.items():
            text += f"{name}: {value}\r\n"
        time, timer = self.loop.time, self.timer
        timer.set(time() + read_timeout, self.fail_waiter)
        await self._send((text + "\r\n").encode("utf-8", "surrogateescape"))
        self.early = b""
        # The response cannot be there yet: to try to read it now would cost a system call.
        received = await self._read_when_ready(_HEAD_READ_SIZE)
        if not received:
            raise EOFError
        limit = _MAX_HEAD  # of all heads, so that interim ones come to an end
        while True:
            end = received.find(b"\r\n\r\n") + 4
            if end > limit or (end == 3 and len(received) > limit):
                raise too_large(received, is_first=limit == _MAX_HEAD)
            if end > 3:
                head = parse(received[:end])
                if head is not None:
                    timer.clear()
                    self.early = memoryview(received)[end:] or b""
                    return head
                received, limit = received[end:], limit - end
                continue
            if received.count(b"\n") != received.count(b"\r\n"):
                raise unsupported(received, "a line of the head ends with a bare LF")
            timer.set(time() + read_timeout, self.fail_waiter)
            piece = await self.read(_HEAD_READ_SIZE)
            if not piece:
                raise UnsupportedResponseError("the head is incomplete", lasting=False) if received else EOFError
            received += piece

    async def read(self, size: int) -> bytes | memoryview:
        """Return up to *size* bytes of the body, or none at the connection's end. Raises OSError."""
        if self.early:
            return self.take_early(size)
        while True:
            try:
                piece = self.sock.recv(size)
            except _WOULD_BLOCK as want:
                await self.wait_ready(want)
            else:
                return with_further_records(self.sock, piece, size) if self.encrypted and piece else piece

    def take_early(self, size: int) -> bytes | memoryview:
        """Return, and remove, at most *size* of the bytes that arrived together with the head."""
        taken, self.early = self.early[:size], self.early[size:] or b""  # an empty view would keep all the bytes
        return taken

    async def wait_ready(self, want: Exception) -> None:
        """Wait until the operation that raised *want* can go on. Raises TimeoutError after *fail_waiter*."""
        future = self._waiter = self.loop.create_future()
        writing = isinstance(want, ssl.SSLWantWriteError)
        if writing:
            self.loop.add_writer(self.sock.fileno(), _wake, future)
        else:
            self.watch(partial(_wake, future))
        try:
            await future
        finally:
            self._waiter = None
            self.watch(None)
            if writing and not self.closed:
                self.loop.remove_writer(self.sock.fileno())

    def watch(self, callback: Callable[[], None] | None) -> None:
        """Call *callback* whenever the socket is readable; None ends that.

        The socket stays registered with the event loop until an event arrives that nobody wants: usually the next
        event is wanted, and two system calls a request cost more than an unwanted event now and then.
        """
        self._callback = callback
        if callback is not None and not self._registered:
            # By number: asyncio formats an error that it then discards, and a socket's repr is two system calls.
            self.loop.add_reader(self.sock.fileno(), self._on_readable)
            self._registered = True

    async def _read_when_ready(self, size: int) -> bytes:
        """Wait for the first bytes of a response and return up to *size* of them, or none at the connection's end."""
        future: asyncio.Future[bytes] = self.loop.create_future()

        # Reads in the event loop's callback: a task that is woken up to read comes an iteration later, in which the
        # event loop would report the socket once more.
        def receive() -> None:
            if future.done():
                return
            try:
                future.set_result(self.sock.recv(size))
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError as error:
                future.set_exception(error)

        self._waiter = future
        self.watch(receive)
        try:
            return await future
        finally:
            self._waiter = self._callback = None

    def fail_waiter(self) -> None:
        """Make a running *wait_ready* raise TimeoutError."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    @property
    def closed(self) -> bool:
        """Whether the socket has been closed on this side."""
        return self.sock.fileno() < 0

    def is_idle(self) -> bool:
        """Whether the server has neither closed the connection nor sent anything since the last response."""
        if self.sock.fileno() < 0 or self.early or self._poll.poll(0):
            return False
        # What OpenSSL has decrypted already, behind the end of a body, makes no socket readable.
        return not (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending())

    def close(self) -> None:
        """Close the connection at once; nothing is read from it any more. Does nothing if it is closed."""
        if not self.closed:
            self.timer.close()
            self.loop.remove_reader(self.sock.fileno())
            self.loop.remove_writer(self.sock.fileno())
            self.sock.close()

    def _on_readable(self) -> None:
        if self._callback is not None:
            self._unwanted_event = False
            self._callback()
        elif self._unwanted_event:
            self.loop.remove_reader(self.sock.fileno())
            self._registered = self._unwanted_event = False
        else:
            # The first one may be about bytes that have been read since.
            self._unwanted_event = True

    async def _send(self, data: bytes) -> None:
        while data:
            try:
                data = data[self.sock.send(data) :]
            except _WOULD_BLOCK as want:
                await self.wait_ready(ssl.SSLWantWriteError() if isinstance(want, BlockingIOError) else want)


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
