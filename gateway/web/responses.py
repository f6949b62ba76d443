"""Responses of the shapes that several handlers send: JSON, redirects to our own pages, and ``Retry-After``;
and the time in which a client must have read a response."""

import asyncio
import json
import math
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from aiohttp import hdrs, web

NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""Headers of a response to a request whose address or cookies are one person's."""
CLEAR_STORAGE = {"Clear-Site-Data": '"storage"'}
"""The header of a response that ends a person's sessions: which recordings they watched and up to where stays in the
browser (pages/watch/position.js) until then."""

RESPONSE_TIMEOUT = 120.0
"""Seconds in which the kernel must have taken a response that no handler streams; pages and scripts are under 1 MB."""


class UnreadResponse:
    """Calls *abort* if a response has been waiting for the client to read for *timeout* seconds.

    aiohttp waits without a limit for a client to read, and asyncio for the rest to leave a transport that has been
    closed. While a handler *is_running* nothing is aborted: a stream that is being delivered has limits of its own,
    because viewers pause.
    """

    __slots__ = ("_abort", "_blocked_since", "_is_running", "_loop", "_timeout", "_timer")

    def __init__(self, abort: Callable[[], None], is_running: Callable[[], bool], timeout: float) -> None:
        self._abort = abort
        self._is_running = is_running
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._blocked_since: float | None = None
        """Since when the response has been waiting, in seconds of the event loop's clock."""
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<UnreadResponse blocked={self.is_blocked}>"

    @property
    def is_blocked(self) -> bool:
        """Whether a response waits for the client to read."""
        return self._blocked_since is not None

    def pause(self) -> None:
        """To be called when the client's socket takes no more."""
        self._blocked_since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._check_progress)

    def resume(self) -> None:
        """To be called when the client's socket has taken everything."""
        self._blocked_since = None  # the timer runs on: streams pause and resume too often to create one each time

    def close(self) -> None:
        """To be called when the connection has ended."""
        self._abort = _do_nothing  # a reference to the guard, which has one to this
        if self._timer is not None:
            self._timer.cancel()

    def _check_progress(self) -> None:
        self._timer = None
        if self._blocked_since is None:
            return
        now = self._loop.time()
        self._blocked_since = now if self._is_running() else self._blocked_since
        deadline = self._blocked_since + self._timeout
        if now < deadline:
            self._timer = self._loop.call_at(deadline, self._check_progress)
        else:
            self._abort()


def _do_nothing() -> None:
    pass


def fixed_headers(*, tls: bool) -> dict[str, str]:
    """Returns what every response carries, also one to a request that no handler got. With *tls*, where the gateway has
    the certificate, browsers are told to use https alone for a year (RFC 6797). Other names below the same domain are
    not ours to decide about."""
    headers: dict[str, str] = {hdrs.SERVER: "valt-gateway"}
    if tls:
        headers[hdrs.STRICT_TRANSPORT_SECURITY] = "max-age=31536000"
    return headers


def json_response(
    body: Any, status: int = 200, *, content_type: str = "application/json; charset=utf-8"
) -> web.Response:
    """Returns *body* as JSON, not to be stored by any cache and not to be interpreted as another type."""
    return web.Response(
        status=status,
        body=json.dumps(body).encode(),
        headers={
            "Content-Type": content_type,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def redirect_response(status: int, location: str) -> web.Response:
    """Returns a redirect with *status* 302 or 303; the Referer that the browser sends there is empty."""
    return web.Response(status=status, headers=NO_STORE | {"Location": location})


def serialize(response: web.Response) -> bytes:
    """Returns *response*, whose body is bytes, as HTTP/1.1 that ends the connection."""
    body = response.body if isinstance(response.body, bytes) else b""
    head = [f"HTTP/1.1 {response.status} {response.reason}"]
    head += [f"{name}: {value}" for name, value in response.headers.items() if name.lower() != "content-length"]
    head += [f"Content-Length: {len(body)}", f"Date: {formatdate(usegmt=True)}", "Connection: close", "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def set_retry_after(response: web.StreamResponse, seconds: float | None) -> None:
    """Adds ``Retry-After`` in whole seconds, rounded up, at least 1 (RFC 9110, section 10.2.3); None adds nothing."""
    if seconds is not None:
        response.headers["Retry-After"] = str(retry_seconds(seconds))


def retry_seconds(seconds: float) -> int:
    """Returns *seconds* rounded up, at least 1."""
    return max(1, math.ceil(round(seconds, 3)))
