"""A listening address: its sockets, TLS, and how many connections it has at most.

While the limit is reached nothing is accepted: further clients wait in the kernel's queue, and the process keeps the
descriptors that running streams, VALT and the admin listener need. Of a socket that several processes may share, each
accepts one connection for each iteration of its event loop, so that they take turns. Accepting is a callback and not
`loop.sock_accept`, which loses a connection if it is cancelled at the moment at which it has one.
"""

import asyncio
import errno
import resource
import socket
import ssl
from asyncio import sslproto
from pathlib import Path

from gateway.events import LogEvent
from gateway.ports import Observer
from gateway.sockets import PASSED, PassedSockets, address_of, close_socket, open_sockets
from gateway.tls_transport import establish
from gateway.web.head_guard import HeadGuard
from gateway.web.http_server import HttpServer
from gateway.web.responses import RESPONSE_TIMEOUT

Certificate = tuple[Path, Path]
"""PEM files of a certificate chain and of its private key."""

_RESERVED_DESCRIPTORS = 64
"""For the admin listener, VALT's API, the audit, the state and the libraries."""
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_TLS_RECEIVE_BUFFER = 64 * 1024
"""Bytes that asyncio allocates for each TLS connection of the process to receive into, instead of 256 KiB: an idle
connection then takes 100 KiB of memory, not 291."""
_RETRY_INTERVAL = 0.5
"""Seconds until the next attempt to accept after the system has refused one."""


def connection_limit(configured: int) -> int:
    """Returns *configured*, or as many connections as half of the descriptors allow if that is less.

    The other half is for what the connections cause: a stream needs up to four more descriptors.
    """
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(1, min(configured, (descriptors - _RESERVED_DESCRIPTORS) // 2))


class Listener:
    """One listening address of *server*, as `open_sockets` has it; *passed* are the sockets of other processes.

    With a *certificate* it speaks TLS. *request_timeout*, in seconds, bounds the handshake of TLS, and a request's head
    and body; *response_timeout* bounds the reading of a response that is no stream, and the shutdown of TLS. A unix
    socket gets the permissions *socket_mode*. With *close_idle*, the oldest replaceable connection makes room for a
    further client.
    Raises OSError if the certificate cannot be used.
    """

    def __init__(
        self,
        server: HttpServer,
        listen: str,
        certificate: Certificate | None = None,
        *,
        observer: Observer,
        connections: int,
        request_timeout: float,
        socket_mode: int,
        passed: PassedSockets | None = None,
        response_timeout: float = RESPONSE_TIMEOUT,
        close_idle: bool = False,
    ) -> None:
        self._server = server
        self._listen = listen
        self._tls = None if certificate is None else _tls_context(certificate)
        self._observer = observer
        self._maximum = connections
        self._request_timeout = request_timeout
        self._socket_mode = socket_mode
        self._passed = passed or {}
        self._is_shared = listen.startswith(PASSED)
        self._response_timeout = response_timeout
        self._close_idle = close_idle
        self._guards: dict[HeadGuard, None] = {}
        """The connections, oldest first."""
        self._sockets: list[socket.socket] = []
        self._is_accepting = False
        self._refused = False
        """Whether the system has refused the last attempt to accept."""
        self._retry: asyncio.TimerHandle | None = None
        self._establishing: set[asyncio.Task[None]] = set()
        self.connections = 0
        """Open now, those in their TLS handshake included."""

    def __repr__(self) -> str:
        return f"<Listener {self._listen} connections={self.connections} maximum={self._maximum}>"

    async def start(self) -> None:
        """Starts to accept connections. Raises OSError if the address cannot be used."""
        self._sockets = await open_sockets(self._listen, self._socket_mode, self._passed)
        self._is_accepting = True
        self._watch()

    def set_limits(self, connections: int, request_timeout: float, max_field: int) -> None:
        """Applies new limits; connections beyond the limit stay open. *max_field* is bytes of one header."""
        self._maximum, self._request_timeout = connections, request_timeout
        self._server.set_max_field(max_field)
        self._watch()

    def stop_accepting(self) -> None:
        """Closes the listening sockets; connections go on."""
        self._is_accepting = False
        self._watch()
        for sock in self._sockets:
            close_socket(sock, self._listen)

    async def close(self) -> None:
        """Ends every connection, after one second for requests in progress."""
        self.stop_accepting()
        await asyncio.sleep(0)  # each task has begun: one that is cancelled before that does not close its socket
        for task in self._establishing:
            task.cancel()
        await asyncio.gather(*self._establishing, return_exceptions=True)
        self._server.pre_shutdown()
        await self._server.shutdown(1.0)

    def reload_certificate(self, certificate: Certificate | None) -> None:
        """Uses *certificate* for new connections. Raises OSError, and keeps the old one, if it cannot be used.

        Whether the listener speaks TLS at all does not change.
        """
        if certificate is not None:
            # Another context, which replaces the old one only as a whole: the files may be changing at this moment.
            context = _tls_context(certificate)
            self._tls = None if self._tls is None else context

    @property
    def address(self) -> str:
        """The URL it can be reached at, with the port that the system chose where the settings say 0."""
        return address_of(self._sockets[0], tls=self._tls is not None)

    @property
    def is_busy(self) -> bool:
        """Whether a request waits for its response, or for its last byte if it is a stream, and for no client."""
        return any(guard.is_busy for guard in self._guards)

    def end_idle_connections(self) -> None:
        """Closes the connections without a request.

        aiohttp's `pre_shutdown` does not: it drops what a client sends from then on, and leaves the client waiting.
        """
        for guard in tuple(self._guards):
            if guard.is_idle:
                guard.end(flush=True)

    @property
    def _has_room(self) -> bool:
        return self.connections < self._maximum * (2 if self._close_idle else 1)

    def _watch(self) -> None:
        """Accepts from now on, or stops to, as the state demands."""
        loop = asyncio.get_running_loop()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        for sock in self._sockets:
            if sock.fileno() < 0:
                continue
            if self._is_accepting and self._has_room:
                loop.add_reader(sock, self._accept, sock)
            else:
                loop.remove_reader(sock)

    def _accept(self, sock: socket.socket) -> None:
        """Accepts what waits, or one connection of a shared socket."""
        while True:
            try:
                client, _ = sock.accept()
            except OSError as error:
                if error.errno in _NO_DESCRIPTOR:
                    self._pause(error)
                return  # otherwise another process was faster, or the client has left before it was accepted
            self._refused = False
            client.setblocking(False)
            self._count(1)
            task = asyncio.create_task(self._establish(client))
            self._establishing.add(task)
            task.add_done_callback(self._establishing.discard)
            if self._is_shared or not self._has_room:
                return

    def _pause(self, error: OSError) -> None:
        """Accept nothing for a moment, because the system has refused to; log the first refusal since a success."""
        if not self._refused:
            cause = errno.errorcode.get(error.errno or 0, "")
            self._observer.on_event(LogEvent("error", "cannot accept connections", (("cause", cause),)))
        self._refused = True
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            loop.remove_reader(sock)
        self._retry = loop.call_later(_RETRY_INTERVAL, self._watch)

    async def _establish(self, client: socket.socket) -> None:
        """Hands *client* to aiohttp, over TLS once the handshake has succeeded."""
        guard = HeadGuard(
            self._server(),
            timeout=self._request_timeout,
            on_lost=self._forget,
            response_timeout=self._response_timeout,
        )
        self._guards[guard] = None
        self._make_room()
        try:
            if self._tls is None:
                await asyncio.get_running_loop().connect_accepted_socket(lambda: guard, client)
            else:
                timeout, shutdown = self._request_timeout, self._response_timeout
                await establish(guard, client, self._tls, timeout=timeout, shutdown=shutdown)
        except OSError:
            pass  # no TLS client, or none that this certificate suits; ssl.SSLError and TimeoutError are OSErrors
        finally:
            if not guard.is_connected:
                client.close()
                self._forget(guard)
        self._make_room()  # of many that were accepted at once, none could be closed before it was established

    def _make_room(self) -> None:
        """Closes the oldest replaceable connections beyond the maximum, if idle ones are to be closed."""
        for guard in tuple(self._guards) if self._close_idle else ():
            if len(self._guards) > self._maximum and guard.is_replaceable:
                del self._guards[guard]  # at once: it ends in the next iteration, and must not be chosen again
                guard.end()

    def _forget(self, guard: HeadGuard) -> None:
        """Counts *guard* no more, whose connection has ended."""
        self._guards.pop(guard, None)
        self._count(-1)

    def _count(self, change: int) -> None:
        had_room = self._has_room
        self.connections += change
        if had_room != self._has_room and self._retry is None:
            self._watch()


def _tls_context(certificate: Certificate) -> ssl.SSLContext:
    """Raises OSError (of which ssl.SSLError is one) if *certificate* cannot be read or does not match its key."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    sslproto.SSLProtocol.max_size = _TLS_RECEIVE_BUFFER
    return context
