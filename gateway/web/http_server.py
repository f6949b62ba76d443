"""The HTTP listeners: aiohttp's public server with bounded heads, and parser errors rendered as ours.

aiohttp answers what its parser rejects before any handler runs, and both its answer and its log line repeat a hundred
bytes of what was received, which may be a token. `HttpConnection` therefore overrides `handle_error`, and nothing else
of aiohttp's.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from aiohttp import http, http_exceptions, web

from gateway.errors import BadRequestError, GatewayError, HeadersTooLargeError
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord, new_request_id
from gateway.web.errors import STATUS, problem

MAX_LINE = 8190
MAX_FIELD = 8190
MAX_HEADERS = 64
"""Bytes of the request line, bytes of one header, and how many headers a request may have."""
MAX_FIELD_WITH_TICKETS = 24 * 1024
"""Bytes of one header where Kerberos tickets are accepted: Active Directory puts a person's groups into them."""

KEEPALIVE_TIMEOUT = 75.0
"""Seconds."""

Handler = Callable[[Any], Awaitable[web.StreamResponse]]
RenderParserError = Callable[[BaseException | None], web.Response]


class HttpServer(web.Server):
    """Creates one `HttpConnection` for each accepted connection.

    *handler* must set the connection's *handling* while it runs, and add one to its *answered* when it ends; `counted`
    does so for one that does not.
    *keepalive_timeout*, in seconds, bounds both an idle connection and a request head that is never completed.
    *max_field* is the limit of one header, in bytes. A client that leaves cancels the handler of its request.
    """

    def __init__(
        self,
        handler: Handler,
        render_parser_error: RenderParserError,
        *,
        request_factory: Any = None,
        keepalive_timeout: float = KEEPALIVE_TIMEOUT,
        max_field: int = MAX_FIELD,
    ) -> None:
        super().__init__(handler, request_factory=request_factory, handler_cancellation=True)
        self.render_parser_error = render_parser_error
        self.connection_options: dict[str, Any] = {
            "loop": asyncio.get_running_loop(),
            "access_log": None,
            "keepalive_timeout": keepalive_timeout,
            "max_line_size": MAX_LINE,
            "max_field_size": max_field,
            "max_headers": MAX_HEADERS,
            "lingering_time": 2.0,
            "auto_decompress": False,  # no client needs it, and a small body would become a large one
        }

    def __call__(self) -> "HttpConnection":
        return HttpConnection(self)

    def set_max_field(self, size: int) -> None:
        """Limits a header of the connections that come from now on to *size* bytes."""
        self.connection_options["max_field_size"] = size


def counted(handler: Handler) -> Handler:
    """Returns *handler*, made to report its requests on `HttpConnection.handling` and `answered`."""

    async def handle(request: Any) -> web.StreamResponse:
        request.protocol.handling = True
        try:
            return await handler(request)
        finally:
            request.protocol.handling = False
            request.protocol.answered += 1

    return handle


class HttpConnection(web.RequestHandler):
    """aiohttp's connection of one client, except for what is answered when the parser rejects a request."""

    __slots__ = ("answered", "deadline", "handling", "render_parser_error")

    def __init__(self, server: HttpServer) -> None:
        super().__init__(server, **server.connection_options)
        self.render_parser_error = server.render_parser_error
        self.answered = 0
        """Requests whose handler has ended."""
        self.handling = False
        """Whether a handler is running: what it writes itself, it also bounds."""
        self.deadline = math.inf
        """By when the current request's head and body must have arrived, in seconds of the event loop's clock."""

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


def render_rejection(error: GatewayError, clock: Clock, observer: Observer) -> web.Response:
    """Returns the response to a request that reached no handler, and reports it to *observer* as a finished request.

    Neither the response nor the record holds anything that was received.
    """
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


def serialize(response: web.Response) -> bytes:
    """Returns *response*, whose body is bytes, as HTTP/1.1 that ends the connection."""
    body = response.body if isinstance(response.body, bytes) else b""
    head = [f"HTTP/1.1 {response.status} {response.reason}"]
    head += [f"{name}: {value}" for name, value in response.headers.items() if name.lower() != "content-length"]
    head += [f"Content-Length: {len(body)}", f"Date: {formatdate(usegmt=True)}", "Connection: close", "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def parser_errors(clock: Clock, observer: Observer) -> RenderParserError:
    """Returns the function that renders what aiohttp's parser rejects."""

    def render(exc: BaseException | None) -> web.Response:
        error: GatewayError = BadRequestError(type(exc).__name__)
        if exc is None:
            error = GatewayError("no handler was called")
        elif isinstance(exc, http_exceptions.LineTooLong):
            error = HeadersTooLargeError(type(exc).__name__)
        return render_rejection(error, clock, observer)

    return render


def has_c_parser() -> bool:
    """Whether aiohttp's C parser is loaded: the Python parser is slower and has had vulnerabilities of its own."""
    return not http.HttpRequestParser.__module__.endswith(".http_parser")
