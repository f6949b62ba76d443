"""The front door: every request comes in by it, and whatever becomes of it, its visit is told to the listener.

One layer, from the request as it arrived to the answer that is to be sent: a Visit, the admission, the route, its
handler, and an answer to whatever that raises. What every answer says besides is said in *name*.
"""

import asyncio
from typing import Any

from aiohttp import HttpVersion11, web

from gateway.errors import BadRequestError, GatewayError
from gateway.events import LogEvent
from gateway.model import Outcome
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord
from gateway.web.errors import where
from gateway.web.request import Request, new_request_id
from gateway.web.routes import VIDEO, Handlers, find

_MAX_BODY = 16 * 1024
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Dispatcher:
    """*handlers* are those in force: a reload changes them, while connections and streams go on. While *draining* no
    connection is kept after its answer."""

    def __init__(self, handlers: Handlers, clock: Clock, observer: Observer) -> None:
        self.handlers = handlers
        self.draining = False
        self._clock = clock.monotonic
        self._observer = observer
        self._loop = asyncio.get_running_loop()

    def request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> Request:
        """aiohttp's request factory."""
        return Request(message, payload, protocol, writer, task, self._loop, client_max_size=_MAX_BODY)

    async def answer(self, request: Request) -> web.StreamResponse:
        """The answer to *request*, which is in flight on the road in force until it is given."""
        handlers, method, peer = self.handlers, request.method, request.remote or None
        request.front, request.peer = self, peer
        record = request.record = RequestRecord(
            request_id=new_request_id(),
            method=method if method in _METHODS else "other",
            route="other",
            peer=handlers.forwarded.client(peer, request.headers),
            clock=self._clock,
            started=self._clock(),
        )
        try:
            with handlers.in_flight:
                try:
                    response = await self._handled(request, handlers, record)
                except Exception as fault:
                    error = self._error(fault, request, record)
                    record.code, record.reason = error.code, str(error) or record.reason
                    response = handlers.answers.answer(error, request, record.request_id)
            record.status = response.status
            if self.draining:
                response.force_close()  # known before its head is written, so that it is left to aiohttp
            return response
        except asyncio.CancelledError:
            record.outcome = record.outcome or Outcome.LEFT
            raise
        finally:
            record.end()
            self._observer.on_request_end(record)

    def name(self, request: Request, response: web.StreamResponse) -> None:
        """Just before a head is written: the request id, the session's newer cookie, what a listed origin may know,
        and while draining that the connection ends with this answer."""
        headers = response.headers
        headers["X-Request-ID"] = request.record.request_id
        headers["Server"] = "valt-gateway"
        if request.set_cookie is not None:
            headers.add("Set-Cookie", request.set_cookie)
        self.handlers.cors.tell(request, response)
        if self.draining:
            response.force_close()
            # aiohttp has written its own word on the connection before anybody is asked.
            headers["Connection"] = "close"

    async def _handled(self, request: Request, handlers: Handlers, record: RequestRecord) -> web.StreamResponse:
        url = request.rel_url
        path = url.raw_path
        record.route, choose, request.parts = find(request.method, url.path_safe if "%" in path else path)
        handlers.request_validator.check(request)
        if record.route != VIDEO:
            await asyncio.sleep(0)  # a request is begun outside a task (begun.py): only a video's is made for that
        if "Expect" in request.headers:
            await _continue(request)
        return await choose(handlers)(request)

    def _error(self, fault: Exception, request: Request, record: RequestRecord) -> GatewayError:
        """What *fault* is to be told as. Raises it where the connection is gone, or the head."""
        if isinstance(fault, GatewayError):
            return fault
        if isinstance(fault, web.HTTPRequestEntityTooLarge):
            return BadRequestError("the body is too large")
        if isinstance(fault, ConnectionError):
            raise fault
        self._observer.on_event(LogEvent("error", "a fault of the gateway's own", where(fault, record.request_id)))
        if request.writer.output_size:
            raise fault
        return GatewayError(type(fault).__name__)


async def _continue(request: Request) -> None:
    """RFC 9110, 10.1.1. BadRequestError for any other expectation."""
    if request.headers["Expect"].lower() != "100-continue":
        raise BadRequestError("Expect")
    if request.version >= HttpVersion11:
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0
