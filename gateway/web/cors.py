"""Portals on another site that embed videos: what the browser must be told, and only for those that are listed.

Fetch standard, "CORS protocol". A stranger's origin is answered as none is, so that nothing is learnt of it.
"""

from collections.abc import Iterable

from aiohttp import web

from gateway.errors import MethodNotAllowedError
from gateway.web.request import Request

_EXPOSED = "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, X-Request-ID"
_PREFLIGHT_SECONDS = 600


class Cors:
    """*origins* are ``scheme://host[:port]``, as browsers send them."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)

    def add_headers(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Add what a listed origin's browser needs to *response*."""
        if not self._origins:
            return
        response.headers.add("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin in self._origins and origin is not None:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        if "Cross-Origin-Resource-Policy" in response.headers:
            # Same-site would keep the embedded player of another site from the bytes it may have.
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"

    async def preflight(self, request: Request) -> web.StreamResponse:
        """OPTIONS: a listed origin may GET with a Range and its conditions; everybody else is told 405."""
        if request.headers.get("Origin") not in self._origins or "Access-Control-Request-Method" not in request.headers:
            raise MethodNotAllowedError
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": "GET, HEAD",
                "Access-Control-Allow-Headers": "Authorization, If-Range, Range",
                "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
                "Cache-Control": "no-store",
            },
        )
