"""The outermost middleware: it opens the Visit and, whatever happens, hands it to the listener at the end."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from gateway.ports import Clock, Listener
from gateway.visit import Visit
from gateway.web.cors import Cors
from gateway.web.credentials import Forwarded

VISIT = web.RequestKey("visit", Visit)
SET_COOKIE = web.RequestKey("set_cookie", str)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def new_request_id() -> str:
    return os.urandom(10).hex()


class Knows(Protocol):
    """Whatever holds the rules on forwarded addresses and foreign origins in force."""

    @property
    def forwarded(self) -> Forwarded: ...

    @property
    def cors(self) -> Cors: ...


def visits(
    clock: Clock, listener: Listener, current: Callable[[], Knows]
) -> Callable[..., Awaitable[web.StreamResponse]]:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        visit = Visit(
            request_id=new_request_id(),
            method=request.method if request.method in ("GET", "HEAD", "POST", "OPTIONS") else "other",
            route="other" if resource is None else resource.canonical,
            peer=current().forwarded.client(request),
            clock=clock.monotonic,
            started=clock.monotonic(),
        )
        request[VISIT] = visit
        try:
            response = await handler(request)
        except asyncio.CancelledError:
            visit.outcome = visit.outcome or "left"
            raise
        else:
            visit.status = response.status
            return response
        finally:
            listener.ended(visit)

    return middleware


def name_answer(
    current: Callable[[], Knows], draining: Callable[[], bool]
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Just before a head is written: the request id, the session's newer cookie, what a listed origin may know, and
    while *draining* that the connection ends with this answer."""

    async def name(request: web.Request, response: web.StreamResponse) -> None:
        visit = request.get(VISIT)
        response.headers["X-Request-ID"] = new_request_id() if visit is None else visit.request_id
        response.headers["Server"] = "valt-gateway"
        cookie = request.get(SET_COOKIE)
        if cookie is not None:
            response.headers.add("Set-Cookie", cookie)
        current().cors.tell(request, response)
        if draining():
            response.force_close()
            # aiohttp has written its own word on the connection before anybody is asked.
            response.headers["Connection"] = "close"

    return name
