"""The HTTP listeners: aiohttp's public server with bounded heads, and parser errors rendered as ours.

aiohttp answers what its parser rejects before any handler runs, and both its answer and its log line repeat a hundred
bytes of what was received, which may be a token. `HttpConnection` therefore overrides `handle_error`, and nothing else
of aiohttp's.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import http, http_exceptions, web

from gateway.errors import BadRequestError, GatewayError, HeadersTooLargeError
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord
from gateway.web.errors import STATUS, problem
from gateway.web.request import new_request_id

MAX_LINE = 4096
MAX_FIELD = 8190
MAX_HEADERS = 64
"""Bytes of the request line, bytes of one header, and how many headers a request may have."""

KEEPALIVE_TIMEOUT = 75.0
"""Seconds."""

_BACKLOG = 1024
_KEEPALIVE_PROBES = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3))
"""TCP keep-alive: probes after a minute of silence, three of them, twenty seconds apart. Linux hands these options of a
listening socket on to each connection that it accepts."""

Handler = Callable[[Any], Awaitable[web.StreamResponse]]
RenderParserError = Callable[[BaseException | None], web.Response]
Certificate = tuple[Path, Path]
"""PEM files of a certificate chain and of its private key."""


class HttpServer(web.Server):
    """Creates one `HttpConnection` for each accepted connection.

    *keepalive_timeout*, in seconds, bounds both an idle connection and a request head that is never completed. A client
    that leaves cancels the handler of its request.
    """

    def __init__(
        self,
        handler: Handler,
        render_parser_error: RenderParserError,
        *,
        request_factory: Any = None,
        keepalive_timeout: float = KEEPALIVE_TIMEOUT,
    ) -> None:
        super().__init__(handler, request_factory=request_factory, handler_cancellation=True)
        self.render_parser_error = render_parser_error
        self.connection_options: dict[str, Any] = {
            "loop": asyncio.get_running_loop(),
            "access_log": None,
            "keepalive_timeout": keepalive_timeout,
            "max_line_size": MAX_LINE,
            "max_field_size": MAX_FIELD,
            "max_headers": MAX_HEADERS,
            "lingering_time": 2.0,
        }

    def __call__(self) -> "HttpConnection":
        return HttpConnection(self)


class HttpConnection(web.RequestHandler):
    """aiohttp's connection of one client, except for what is answered when the parser rejects a request."""

    __slots__ = ("render_parser_error",)

    def __init__(self, server: HttpServer) -> None:
        super().__init__(server, **server.connection_options)
        self.render_parser_error = server.render_parser_error

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Returns the response to an error that did not come from the handler; *status* is 400 for a parser error.

        Raises ConnectionError, which ends the connection, if a response head has already been sent.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("a response head has already been sent")
        return self.render_parser_error(exc if status == 400 else None)


class Listener:
    """One listening address of *server*: ``host:port``, ``[::1]:port`` or ``unix:/path``.

    With a *certificate* it speaks TLS. Raises OSError if the certificate cannot be used.
    """

    def __init__(self, server: HttpServer, listen: str, certificate: Certificate | None = None) -> None:
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        self._listen = listen
        self._tls = None if certificate is None else _tls_context(certificate)
        self._sites: list[web.BaseSite] = []

    async def start(self) -> None:
        """Starts to accept connections. Raises OSError if the address cannot be used."""
        await self._runner.setup()
        if self._listen.startswith("unix:"):
            path = Path(self._listen.removeprefix("unix:"))
            self._sites = [web.UnixSite(self._runner, path, ssl_context=self._tls, backlog=_BACKLOG)]
        else:
            self._sites = [
                web.SockSite(self._runner, sock, ssl_context=self._tls, backlog=_BACKLOG)
                for sock in await _listening_sockets(self._listen)
            ]
        for site in self._sites:
            await site.start()

    async def stop_accepting(self) -> None:
        """Closes the listening sockets; connections go on."""
        for site in self._sites:
            await site.stop()

    async def close(self) -> None:
        """Ends every connection, after one second for requests in progress."""
        await self._runner.cleanup()

    def reload_certificate(self, certificate: Certificate | None) -> None:
        """Uses *certificate* for new connections. Raises OSError, and keeps the old one, if it cannot be used.

        Whether the listener speaks TLS at all does not change.
        """
        if certificate is None:
            return
        # Into another context first: a key that does not match its certificate would break the one in use.
        _tls_context(certificate)
        if self._tls is not None:
            self._tls.load_cert_chain(*certificate)

    @property
    def address(self) -> str:
        """The URL it can be reached at, with the port that the system chose where the settings say 0."""
        address = self._runner.addresses[0]
        if isinstance(address, str):
            return f"unix:{address}"
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        return f"{'http' if self._tls is None else 'https'}://{host}:{address[1]}"


def parser_errors(clock: Clock, observer: Observer) -> RenderParserError:
    """Returns the function that renders parser errors and reports each to *observer* as a finished request.

    Neither the response nor the record holds anything that was received.
    """

    def render(exc: BaseException | None) -> web.Response:
        error: GatewayError = BadRequestError(type(exc).__name__)
        if exc is None:
            error = GatewayError("no handler was called")
        elif isinstance(exc, http_exceptions.LineTooLong):
            error = HeadersTooLargeError(type(exc).__name__)
        record = RequestRecord(
            request_id=new_request_id(),
            method="other",
            route="other",
            peer=None,
            clock=clock.monotonic,
            started=clock.monotonic(),
            status=STATUS[type(error)],
            code=error.code,
            reason=str(error),
        )
        record.end()
        observer.on_request_end(record)
        response = problem(error, STATUS[type(error)], record.request_id)
        response.headers["X-Request-ID"] = record.request_id
        response.headers["Server"] = "valt-gateway"
        response.force_close()
        return response

    return render


def has_c_parser() -> bool:
    """Whether aiohttp's C parser is loaded: the Python parser is slower and has had vulnerabilities of its own."""
    return not http.HttpRequestParser.__module__.endswith(".http_parser")


def _tls_context(certificate: Certificate) -> ssl.SSLContext:
    """Raises OSError (of which ssl.SSLError is one) if *certificate* cannot be read or does not match its key."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


async def _listening_sockets(listen: str) -> list[socket.socket]:
    """Returns a listening TCP socket for each address that *listen* resolves to."""
    host, _, port = listen.rpartition(":")
    addresses = await asyncio.get_running_loop().getaddrinfo(
        host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(addresses):
            sock = socket.create_server(address, family=family, backlog=_BACKLOG)
            sockets.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE_PROBES:
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets
