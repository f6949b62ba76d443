"""The seam with aiohttp's server: one client's connection, and when its requests are begun.

Below aiohttp's public interface reach this module and two single names besides, ``_prepare_hook`` of web.request and
``_send_headers_immediately`` of delivery.viewer; their tests fail loudly when a new aiohttp changes what is under them.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any, cast

from aiohttp import HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage
from aiohttp.http_writer import StreamWriter, _serialize_headers
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler

from gateway.web.begun import Begun
from gateway.web.cohort import Cohort
from gateway.web.request import Request

Handle = Callable[[Any], Coroutine[Any, Any, web.StreamResponse]]
Refused = Callable[[BaseException | None], web.Response]

_session_cookies = memoryview(bytearray(256 * 1024))
"""What has just been read: a protocol is told of it before anything else is read."""


class Connection(RequestHandler, asyncio.BufferedProtocol):
    """One client's connection.

    A request that finds it idle is begun with those that arrive in the same turn. An answer that needs no waiting and
    has no body is sent with theirs; one that has to wait goes on in one task, while aiohttp's own goes on waiting for
    the next request. All else, and whatever those two leave undone, goes aiohttp's way.
    """

    __slots__ = ("_answer", "_begun", "_cohort", "_going_on", "_head", "_idle", "_make_request", "_refused")

    def __init__(self, server: web.Server, handle: Handle, refused: Refused, cohort: Cohort, **kwargs: Any) -> None:
        super().__init__(server, **kwargs)
        self._make_request = server.request_factory
        self._answer = handle
        self._refused = refused
        self._cohort = cohort
        self._idle: asyncio.Future[None] | None = None
        """What aiohttp's task waits for while there is something to do here first."""
        self._head: bytes | None = None
        self._begun: tuple[web.BaseRequest, Begun[web.StreamResponse]] | None = None
        self._going_on: asyncio.Task[None] | None = None
        self._request_factory = self._request
        self._request_handler = self._handle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        _probe(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._going_on is not None:
            # After its first step: a task that is cancelled before it tells nothing to what it was to await.
            self._loop.call_soon(self._going_on.cancel)
        super().connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        # Where a protocol brings no buffer, asyncio allocates 256 KiB for each read: more than a small read costs.
        return _session_cookies

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(_session_cookies[:nbytes]))

    def data_received(self, data: bytes) -> None:
        idle = self._waiter
        if idle is None or idle.done() or self._messages:
            super().data_received(data)
            return
        self._waiter = None  # nobody is woken before it is seen whether there is any need
        super().data_received(data)
        self._idle = idle
        if self._messages:
            self._cohort.add(self)
        else:
            self._leave()

    def begin(self) -> None:
        """Begin the request that has arrived, if it is one alone."""
        if len(self._messages) != 1 or self._paused or self._upgraded or self.transport is None:
            return
        message, payload = self._messages[0]
        if payload is not EMPTY_PAYLOAD or not isinstance(message, RawRequestMessage):
            return
        task = cast("asyncio.Task[None]", self._task_handler)
        request = self._make_request(message, payload, self, StreamWriter(self, self._loop), task)
        self._begun = request, Begun(self._answer(request))

    def go_on(self) -> bool:
        """Whether it need not wait any longer; who has to goes on in a task."""
        if self._begun is None:
            return True
        request, begun = self._begun
        if not begun.done:
            begun.go_on()
        if begun.done:
            self._head = None if begun.result is None else head_alone(request, begun.result)
            return True
        self._begun = None
        self._current_request, self._request_in_progress = request, True
        self._going_on = self._loop.create_task(self._go_on(request, begun))
        return False

    def end(self) -> None:
        """Send the answer if it is a head alone; all else is aiohttp's to do."""
        head, self._head = self._head, None
        if head is not None and self.transport is not None:
            self._begun = None
            self.transport.write(head)
            self._answered()
        self._leave()

    def fail(self, fault: Exception) -> None:
        """What has become of its request nobody knows: nothing more is said on this connection."""
        self._loop.call_exception_handler({"message": "a request could not be answered", "exception": fault})
        self._begun = None
        self.close()
        self._leave()

    async def _go_on(self, request: web.BaseRequest, begun: Begun[web.StreamResponse]) -> None:
        try:
            await begun.end()
        finally:
            self._going_on = self._current_request = None
            self._request_in_progress = False
            if self._handler_waiter is not None and not self._handler_waiter.done():
                self._handler_waiter.set_result(None)
        if begun.result is not None and _is_written(begun.result):
            self._answered()
        else:
            self._begun = request, begun
        self._leave()

    def _answered(self) -> None:
        """The first request is done with, and the connection is kept."""
        self._messages.popleft()
        cast("HttpRequestParser", self._parser).message_consumed()
        cast("web.Server", self._manager).requests_count += 1
        self._keepalive = True
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:  # it went off while there was something to do
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)

    def _leave(self) -> None:
        """Let aiohttp's task wait for the next request, or see to what there is."""
        idle, self._idle = self._idle, None
        if idle is None or idle.done():
            return
        if self._close:
            idle.cancel()
            self.force_close()
        elif self._messages:
            idle.set_result(None)
        else:
            self._waiter = idle

    def _request(self, *made_of: Any) -> web.BaseRequest:
        return self._make_request(*made_of) if self._begun is None else self._begun[0]

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._begun is None:
            return await self._answer(request)
        (_, begun), self._begun = self._begun, None
        return await begun.rest()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the head is sent already")
        return self._refused(exc if status != 500 else None)


def head_alone(request: web.BaseRequest, response: web.StreamResponse) -> bytes | None:
    """*response* as aiohttp would write it, where it is a head and no more; None where it is not, or is the last of its
    connection."""
    if type(response) is not web.Response or response.body is not None or response.keep_alive is False:
        return None
    status, headers = response.status, response.headers
    if status < 300 or status == 304 or request.version != HttpVersion11 or not request.keep_alive:
        return None
    if isinstance(request, Request):
        request.name(response)
    headers["Date"] = rfc822_formatted_time()
    if request.method != "HEAD":
        headers["Content-Length"] = "0"
    try:
        return _serialize_headers(f"HTTP/1.1 {status} {response.reason}", headers)
    except ValueError:
        return None  # a value that would begin another field: aiohttp knows what to do with it


def _is_written(response: web.StreamResponse) -> bool:
    """Whether *response* is out to its last byte, and the connection goes on."""
    return response._eof_sent and bool(response.keep_alive)


def _probe(transport: asyncio.BaseTransport) -> None:
    """Find a client who has silently gone: TCP probes after a minute, three of them, twenty seconds apart."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
