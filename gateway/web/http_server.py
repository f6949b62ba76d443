"""What listens: bounded heads, and the parser's own refusals rendered as ours.

aiohttp answers what its parser refuses before any handler runs, and both its answer and its log repeat a hundred bytes
of what was sent, a token included.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from aiohttp import http_exceptions, http_parser, web
from aiohttp.web_protocol import RequestHandler

from gateway.errors import BadRequestError, GatewayError, HeadersTooLargeError
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord
from gateway.web.cohort import Cohort
from gateway.web.connection import Connection, Handle, Refused
from gateway.web.errors import STATUS, problem
from gateway.web.request import new_request_id

MAX_LINE = 4096
MAX_FIELD = 8190
MAX_HEADERS = 64
_ALONE = nullcontext()


class Server(web.Server):
    """Makes connections of ours. *together* is entered while the requests of one turn are begun. *keepalive_timeout*,
    seconds, is also how long a head may take."""

    def __init__(
        self,
        handle: Handle,
        refused: Refused,
        *,
        request: Any = None,
        together: AbstractContextManager[object] = _ALONE,
        keepalive_timeout: float = 75.0,
    ) -> None:
        super().__init__(
            handle,
            request_factory=request,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=keepalive_timeout,
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            max_headers=MAX_HEADERS,
            lingering_time=2.0,
        )
        self._handle = handle
        self._refused = refused
        self._cohort = Cohort(together, self._loop)

    def __call__(self) -> RequestHandler:
        return Connection(self, self._handle, self._refused, self._cohort, loop=self._loop, **self._kwargs)


def runner_of(server: Server) -> web.ServerRunner:
    """What *server*'s listeners stand on, and what ends them."""
    return web.ServerRunner(server, shutdown_timeout=1.0)


def refusals(clock: Clock, observer: Observer) -> Refused:
    """Renders what the parser refuses, and tells the listener of it without a word of what was sent."""

    def refused(exc: BaseException | None) -> web.Response:
        error: GatewayError = BadRequestError(type(exc).__name__)
        if exc is None:
            error = GatewayError("before any handler")
        elif isinstance(exc, http_exceptions.LineTooLong):
            error = HeadersTooLargeError(type(exc).__name__)
        now = clock.monotonic()
        record = RequestRecord(new_request_id(), "other", "other", None, clock.monotonic, now)
        record.status, record.code, record.reason = STATUS[type(error)], error.code, str(error)
        record.end()
        observer.on_request_end(record)
        response = problem(error, record.status, record.request_id)
        response.headers["X-Request-ID"] = record.request_id
        response.headers["Server"] = "valt-gateway"
        response.force_close()
        return response

    return refused


def has_c_parser() -> bool:
    """Whether aiohttp's C parser is loaded: the Python one is slower and has had holes of its own."""
    return http_parser.HttpRequestParser.__module__ != http_parser.__name__
