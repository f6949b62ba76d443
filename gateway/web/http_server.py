"""The HTTP listeners: aiohttp's public server with bounded heads, and parser errors rendered as ours.

aiohttp answers what its parser rejects before any handler runs, and both its answer and its log line repeat a hundred
bytes of what was received, which may be a token. `HttpConnection` therefore overrides `handle_error`, and nothing else
of aiohttp's. A browser's navigation gets a page like any other error: aiohttp has no field of a head that its parser
rejects, so that who asks is read from the head as far as it has arrived (`HeadFields`, fed by `HeadScanner`).
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import StreamReader, http, http_exceptions, web

from gateway.errors import BadRequestError, GatewayError, HeadersTooLargeError, RequestLineTooLongError
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord, new_request_id
from gateway.web.errors import STATUS, ErrorRenderer, problem
from gateway.web.request import HeadFields, RejectedRequest, RequestFactory, UnreadableRequest
from gateway.web.request_validation import MAX_LINE
from gateway.web.responses import fixed_headers

MAX_FIELD = 8190
MAX_HEADERS = 64
"""Bytes of one header, and how many headers a request may have."""
MAX_FIELD_WITH_TICKETS = 24 * 1024
"""Bytes of one header where Kerberos tickets are accepted: Active Directory puts a person's groups into them."""

_END_INTERVAL = 2.0
"""Seconds after which a connection that is to be closed is closed, if no handler is running."""
KEEPALIVE_TIMEOUT = 75.0
"""Seconds."""

Handler = Callable[[Any], Awaitable[web.StreamResponse]]
RenderRejection = Callable[[GatewayError, HeadFields | None], web.Response]
"""Returns the response to a request that reached no handler, which ends its connection, and reports the request.

Of its head it has what `HeadFields` have read, or None."""


class HttpServer(web.Server):
    """Creates one `HttpConnection` for each accepted connection.

    *handler* must set the connection's *body* while it runs, and add one to its *answered* when it ends; `counted`
    does so for one that does not.
    *reject* renders what the parser refuses, and what *request_factory* raises an error for.
    *keepalive_timeout*, in seconds, bounds both an idle connection and a request head that is never completed.
    *max_field* is the limit of one header, in bytes. A client that leaves cancels the handler of its request.
    """

    def __init__(
        self,
        handler: Handler,
        reject: RenderRejection,
        *,
        request_factory: RequestFactory | None = None,
        keepalive_timeout: float = KEEPALIVE_TIMEOUT,
        max_field: int = MAX_FIELD,
    ) -> None:
        super().__init__(_rejecting(handler), request_factory=request_factory, handler_cancellation=True)
        self.request_factory: RequestFactory = _tolerant(self.request_factory)
        self.reject = reject
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


def _tolerant(create: RequestFactory) -> RequestFactory:
    """Returns the request factory *create*, made to return an `UnreadableRequest` instead of raising an error.

    aiohttp calls it outside of what answers errors and closes the connection.
    """

    def create_request(message: Any, body: Any, connection: Any, writer: Any, task: Any) -> web.BaseRequest:
        if not connection.has_task:
            connection.end_with(task)
        try:
            return create(message, body, connection, writer, task)
        except Exception as fault:
            error = BadRequestError if isinstance(fault, ValueError) else GatewayError
            return UnreadableRequest(error(type(fault).__name__), message, body, connection, writer, task)

    return create_request


def _rejecting(handler: Handler) -> Handler:
    """Returns *handler*, made to reject an `UnreadableRequest`."""

    async def reject(request: UnreadableRequest) -> web.StreamResponse:
        request.connection.answered += 1
        response: web.StreamResponse = request.connection.reject(request.error, request.connection.head)
        return response

    def handle(request: Any) -> Awaitable[web.StreamResponse]:
        return reject(request) if isinstance(request, UnreadableRequest) else handler(request)

    return handle


def counted(handler: Handler) -> Handler:
    """Returns *handler*, made to report its requests on `HttpConnection.body` and `answered`."""

    async def handle(request: Any) -> web.StreamResponse:
        request.protocol.body = request.content
        try:
            return await handler(request)
        finally:
            request.protocol.body = None
            request.protocol.answered += 1

    return handle


class HttpConnection(web.RequestHandler):
    """aiohttp's connection of one client, except for what is answered when the parser rejects a request."""

    __slots__ = ("answered", "body", "deadline", "ending", "has_task", "head", "reject")

    def __init__(self, server: HttpServer) -> None:
        super().__init__(server, **server.connection_options)
        self.reject = server.reject
        self.head: HeadFields | None = None
        """Of a head that is too large for one segment or for a limit: what tells who has sent it."""
        self.answered = 0
        """Requests whose handler has ended."""
        self.body: StreamReader | None = None
        """Of the request whose handler is running, which bounds what it writes itself; None if none is."""
        self.deadline = math.inf
        """By when the current request's head and body must have arrived, in seconds of the event loop's clock."""
        self.ending: asyncio.TimerHandle | None = None
        """Set once `close_after_response` has been called."""
        self.has_task = False
        """Whether the connection ends with the task that handles its requests."""

    def end_with(self, task: "asyncio.Task[None]") -> None:
        """Closes the connection when *task*, which handles its requests, has ended.

        aiohttp does so unless an error ends the task outside of a request: then nothing would answer, and no timer run.
        """
        self.has_task = True
        task.add_done_callback(self._end_after_task)

    def _end_after_task(self, _task: "asyncio.Task[None]") -> None:
        self._close_transport()

    def _close_transport(self) -> None:
        """Closes the transport unless that has been done: one of asyncio's over TLS fails if it is closed twice."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()

    def close_after_response(self) -> None:
        """Closes the connection after the running response, or soon if there is none.

        aiohttp's `close` leaves an idle connection open: it only ends the task that waits for a request.
        """
        if self.ending is None:
            self.close()
            self._end_later()

    def _end_later(self) -> None:
        self.ending = asyncio.get_running_loop().call_later(_END_INTERVAL, self._end)

    def _end(self) -> None:
        if self.body is not None:
            self._end_later()
        else:
            self._close_transport()

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
        return self.reject(parser_error(exc if status == 400 else None, self.head), self.head)


def parser_error(exc: BaseException | None, head: HeadFields | None) -> GatewayError:
    """Returns the error for what aiohttp's parser raised; *exc* None is an error of another kind."""
    if exc is None:
        return GatewayError("no handler was called")
    if not isinstance(exc, http_exceptions.LineTooLong):
        return BadRequestError(type(exc).__name__)
    long_line = head is not None and head.request_line_size > MAX_LINE
    return (RequestLineTooLongError if long_line else HeadersTooLargeError)(type(exc).__name__)


def rejections(
    clock: Clock, observer: Observer, renderer: Callable[[], ErrorRenderer] | None = None, *, tls: bool = False
) -> RenderRejection:
    """Returns the function that renders rejections, and reports each to *observer* as a finished request.

    *renderer* returns what renders errors at the moment; without it every rejection is a problem document. *tls* is as
    for `fixed_headers`. Neither the response nor the record holds anything that was received.
    """
    headers = fixed_headers(tls=tls)

    def render(error: GatewayError, head: HeadFields | None) -> web.Response:
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
        if head is None or renderer is None:
            response = problem(error, STATUS[type(error)], record.request_id)
        else:
            response = renderer().render_rejection(error, RejectedRequest(head.fields, record, cookies=head.cookies))
        response.headers["X-Request-ID"] = record.request_id
        response.headers.update(headers)
        response.force_close()
        return response

    return render


def require_c_parser() -> None:
    """Raises RuntimeError if aiohttp's parser is the one in Python: it is slower and has had vulnerabilities of its
    own."""
    if http.HttpRequestParser.__module__.endswith(".http_parser"):
        raise RuntimeError("aiohttp's C parser is not loaded: unset AIOHTTP_NO_EXTENSIONS or reinstall aiohttp")
