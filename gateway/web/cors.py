"""CORS headers (Fetch standard, "CORS protocol") for portals on other sites that embed videos.

An origin that is not listed gets the same response as a request without one, so that it learns nothing.
"""

from collections.abc import Iterable

from aiohttp import web

from gateway.errors import MethodNotAllowedError
from gateway.web.request import Request

_EXPOSED = "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, X-Request-ID"
_PREFLIGHT_SECONDS = 600
_READABLE = "/recordings"
"""Beginning of the routes whose responses a listed origin may read."""


class Cors:
    """Allows *origins*, ``scheme://host[:port]`` as browsers send them, to read responses with credentials."""

    def __init__(self, origins: Iterable[str]) -> None:
        self.origins = frozenset(origins)

    def add_headers(self, request: Request, response: web.StreamResponse) -> None:
        """Adds the CORS headers to *response* if the request's origin is listed and its address is one of recordings:
        no portal reads pages of sign-in, or links of the API that are valid elsewhere."""
        response.headers.add("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin in self.origins and request.record.route.startswith(_READABLE):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        if "Cross-Origin-Resource-Policy" in response.headers:
            # The default, same-site, would block the embedded player of a listed site.
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"

    async def preflight(self, request: Request) -> web.StreamResponse:
        """OPTIONS: allows GET and HEAD with Range headers.

        Raises MethodNotAllowedError for an origin that is not listed.
        """
        if request.headers.get("Origin") not in self.origins or "Access-Control-Request-Method" not in request.headers:
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
