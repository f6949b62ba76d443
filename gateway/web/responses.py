"""Responses of the shapes that several handlers send: JSON, redirects to our own pages, and ``Retry-After``."""

import json
import math
from typing import Any

from aiohttp import web

NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""Headers of a response to a request whose address or cookies are one person's."""
CLEAR_STORAGE = {"Clear-Site-Data": '"storage"'}
"""The header of a response that ends a person's sessions: which recordings they watched and up to where stays in the
browser (pages/watch/position.js) until then."""


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


def set_retry_after(response: web.StreamResponse, seconds: float | None) -> None:
    """Adds ``Retry-After`` in whole seconds, rounded up, at least 1 (RFC 9110, section 10.2.3); None adds nothing."""
    if seconds is not None:
        response.headers["Retry-After"] = str(retry_seconds(seconds))


def retry_seconds(seconds: float) -> int:
    """Returns *seconds* rounded up, at least 1."""
    return max(1, math.ceil(round(seconds, 3)))
