"""Validates, routes and handles every request, renders errors, and reports the finished request to the observers.

One layer between the listener and the handlers. The headers that every response carries are added in
`Dispatcher.add_response_headers`: here to what a handler returns, and by delivery to a response that it streams.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import HttpVersion11, web
from multidict import istr

from gateway.errors import BadRequestError, GatewayError, MethodNotAllowedError, NotFoundError
from gateway.events import LogEvent
from gateway.model import IdentityKind, Outcome
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord, new_request_id
from gateway.web.credentials import TrustedProxies
from gateway.web.errors import ErrorRenderer, location
from gateway.web.request import Handler, Request
from gateway.web.responses import fixed_headers
from gateway.web.routes import Handlers, bind

_MAX_BODY = 16 * 1024
_REQUEST_ID = istr("X-Request-ID")
"""Folded in advance: each response would fold a `str` anew."""
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Dispatcher:
    """Calls *handlers* until `replace_handlers`: a reload changes them while connections and streams go on.

    While *draining* is True every response ends its connection. With *tls* browsers are told to use https alone.
    *record_type* is the class of the records of requests.
    """

    def __init__(
        self,
        handlers: Handlers,
        clock: Clock,
        observer: Observer,
        *,
        tls: bool = False,
        record_type: type[RequestRecord] = RequestRecord,
    ) -> None:
        self.draining = False
        self._fixed_headers = fixed_headers(tls=tls)
        self._record_type = record_type
        self._active = _ActiveHandlers(handlers)
        self._clock = clock.monotonic
        self._observer = observer
        self._event_loop = asyncio.get_running_loop()

    def create_request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> Request:
        """Returns the request of a connection; the request factory of `HttpServer`."""
        request = Request(message, payload, protocol, writer, task, self._event_loop, client_max_size=_MAX_BODY)
        request.connection, request.deadline = protocol, protocol.deadline
        request.has_query = "?" in message.path
        return request

    def error_renderer(self) -> ErrorRenderer:
        """Returns what renders errors in the active configuration."""
        return self._active.handlers.errors

    @property
    def proxies(self) -> TrustedProxies | None:
        """The trusted proxies of the active configuration, None if it has none."""
        return self._active.handlers.proxies

    def replace_handlers(self, handlers: Handlers) -> Callable[[], Awaitable[None]]:
        """Uses *handlers* from now on. The result waits until the requests in the previous ones have ended."""
        previous, self._active = self._active, _ActiveHandlers(handlers)
        previous.handlers.access.replaced_by = handlers.access
        return previous.wait_idle

    async def handle(self, request: Request) -> web.StreamResponse:
        """Returns the response to *request*; raises only if its connection or its response head has gone."""
        active = self._active
        handlers = active.handlers
        method, peer = request.method, request.remote or None
        request.peer = peer
        record = request.record = self._record_type(
            request_id=new_request_id(),
            method=method if method in _METHODS else "other",
            route="other",
            peer=peer if handlers.proxies is None else handlers.proxies.client(peer, request.headers),
            clock=self._clock,
            started=self._clock(),
        )
        if handlers.proxies is not None:
            record.front_request_id = handlers.proxies.request_id(peer, request.headers)
        request.common_headers = self.add_response_headers
        active.requests += 1
        request.connection.body = request.content
        try:
            try:
                response = await self._call_handler(request, active)
            except Exception as fault:
                error = self._translate(fault, request, record)
                record.fail(error)
                if request.render_error is None:
                    response = handlers.errors.render(error, request, record.request_id)
                else:
                    response = request.render_error(error)
            record.status = response.status
            if not response.prepared:
                self.add_response_headers(request, response)
            elif self.draining:
                response.force_close()
            return response
        except asyncio.CancelledError:
            record.outcome = record.outcome or Outcome.LEFT
            raise
        finally:
            active.requests -= 1
            if active.idle is not None and not active.requests:
                active.idle.set()
            request.connection.body = None
            request.connection.answered += 1
            record.end()
            self._observer.on_request_end(record)

    def add_response_headers(self, request: Request, response: web.StreamResponse) -> None:
        """Adds what every response carries. To be called once, before the response is prepared."""
        headers = response.headers
        headers[_REQUEST_ID] = request.record.request_id
        headers.update(self._fixed_headers)
        identity = request.record.identity
        if identity is not None and identity.response_token:
            headers["WWW-Authenticate"] = f"Negotiate {identity.response_token}"
        for cookie in request.set_cookies:
            headers.add("Set-Cookie", cookie)
        renewed = None
        if request.renew_cookie is not None and response.status < 400:
            renewed = request.renew_cookie()
        if renewed is not None:
            for cookie in renewed:
                headers.add("Set-Cookie", cookie)
        elif identity is not None and identity.kind is IdentityKind.SESSION and response.status < 400:
            # No cookie says so: to a front that asks about a request, for one, which would not pass it on.
            self._active.handlers.use_session(identity.session or "")
        cors = self._active.handlers.cors
        if cors.origins:
            cors.add_headers(request, response)
        unusual = request.body_exists or request.method == "CONNECT" or "Upgrade" in request.headers
        if self.draining or (unusual and not _is_delimited(request)):
            response.force_close()

    async def _call_handler(self, request: Request, active: "_ActiveHandlers") -> web.StreamResponse:
        url = request.rel_url
        path = url.raw_path or "/"  # of a target in absolute form (RFC 9110, section 4.2.3)
        if "%" in path:
            path = url.path_safe
        request.record.route, handler, request.parts = active.match(request.method, path)
        active.handlers.request_validator.check(request)
        if "Expect" in request.headers:
            await _continue(request)
        response = await handler(request)
        if not response.prepared:  # delivery.revocation ends streams
            await active.handlers.access.confirm(request.record)
        return response

    def _translate(self, fault: Exception, request: Request, record: RequestRecord) -> GatewayError:
        """Returns the error to render for *fault*. Raises *fault* if the connection or the response head has gone."""
        if isinstance(fault, GatewayError):
            return fault
        if isinstance(fault, web.HTTPRequestEntityTooLarge):
            return BadRequestError("the body is too large")
        if isinstance(fault, ConnectionError):
            raise fault
        self._observer.on_event(LogEvent("error", "internal error", location(fault, record.request_id)))
        if request.writer.output_size:
            raise fault
        return GatewayError(type(fault).__name__)


class _ActiveHandlers:
    """One configuration's handlers, and how many requests are in them."""

    __slots__ = ("_routes", "handlers", "idle", "requests")

    def __init__(self, handlers: Handlers) -> None:
        self.handlers = handlers
        self._routes = bind(handlers)
        self.requests = 0
        self.idle: asyncio.Event | None = None
        """To be set when no request is left, if somebody waits for that."""

    def match(self, method: str, path: str) -> tuple[str, Handler, Mapping[str, str]]:
        """Returns the template of the route of *path*, its handler of *method*, and its parameters, decoded.

        Without such a route it is the template ``other``, and a handler that raises NotFoundError or
        MethodNotAllowedError. *path* is percent-decoded except for ``%2F`` and ``%25``, like yarl's ``path_safe``.
        """
        allowed: set[str] = set()
        for pattern, template, by_method in self._routes:
            matched = pattern.fullmatch(path)
            if matched is not None:
                handler = by_method.get(method) or by_method.get("*")
                if handler is not None:
                    parts = matched.groupdict()
                    return template, handler, {name: _decoded(parts[name]) for name in parts} if "%" in path else parts
                allowed |= by_method.keys()
        return "other", _raising(MethodNotAllowedError(allowed=sorted(allowed)) if allowed else NotFoundError()), {}

    async def wait_idle(self) -> None:
        """Waits until no request is left. The caller sees to it that no more come."""
        if self.requests:
            self.idle = self.idle or asyncio.Event()
            await self.idle.wait()


def _raising(error: GatewayError) -> Handler:
    async def handler(_request: Request) -> web.StreamResponse:
        raise error

    return handler


def _decoded(part: str) -> str:
    return part.replace("%2F", "/").replace("%25", "%")


def _is_delimited(request: Request) -> bool:
    """Whether what follows on the connection is certainly the next request.

    False after a body that has not been read to its end, a chunked one (after which the end of the next head is not
    looked for), CONNECT, or Upgrade.
    """
    if request.method == "CONNECT" or not request.body_exists:
        return False
    headers = request.headers
    return request.content.at_eof() and "Transfer-Encoding" not in headers and "Upgrade" not in headers


async def _continue(request: Request) -> None:
    """Sends 100 Continue (RFC 9110, section 10.1.1). Raises BadRequestError for any other expectation."""
    if request.headers["Expect"].lower() != "100-continue":
        raise BadRequestError("Expect")
    if request.version >= HttpVersion11:
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0
