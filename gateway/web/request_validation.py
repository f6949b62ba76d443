"""What is refused before anybody is asked who they are: requests that two parsers could read differently. Pure."""

from collections.abc import Iterable

from aiohttp import HttpVersion10, HttpVersion11
from multidict import istr

from gateway.errors import BadRequestError
from gateway.web.request import Request

_ONCE = ("Authorization", "Range", "If-Range", "Host", "Content-Length", "Transfer-Encoding")
OURS = ("ticket", "download", "rd", "access_token", "state", "code", "iss", "error", "provider", "q", "page")
"""Query parameters that mean something here; none may stand twice."""


class RequestValidator:
    """*identity_headers* are the names the configuration reads an identity from; each may stand once."""

    def __init__(self, identity_headers: Iterable[str]) -> None:
        self._once = tuple(map(istr, dict.fromkeys([*_ONCE, *identity_headers])))

    def check(self, request: Request) -> None:
        """BadRequestError for a request that is not plain HTTP/1.1 (RFC 9112) in origin form with its proofs once."""
        if request.version not in (HttpVersion11, HttpVersion10):
            raise BadRequestError("the HTTP version is not 1.0 or 1.1")
        target = request.raw_path
        if not target.startswith("/") or target.startswith("//"):
            raise BadRequestError("the request target is not in origin form")
        headers = request.headers
        for name in self._once:
            if name in headers and len(headers.getall(name)) > 1:
                raise BadRequestError(f"the header {name} stands more than once")
        coding = headers.get("Transfer-Encoding")
        if coding is not None and (coding.strip().lower() != "chunked" or request.version == HttpVersion10):
            raise BadRequestError("the transfer coding is not one this server speaks")
        query = request.query if request.has_query else None
        if query and any(len(query.getall(name, ())) > 1 for name in OURS):
            raise BadRequestError("a query parameter stands more than once")
