"""Rejects, before authentication, requests that two HTTP parsers could read differently. Pure."""

from collections.abc import Iterable

from aiohttp import HttpVersion10, HttpVersion11
from multidict import istr

from gateway.errors import BadRequestError
from gateway.web.request import Request

_SINGLE_HEADERS = ("Authorization", "Range", "If-Range", "Host", "Content-Length", "Transfer-Encoding")
SINGLE_PARAMETERS = (
    "ticket",
    "download",
    "rd",
    "access_token",
    "state",
    "code",
    "iss",
    "error",
    "provider",
    "q",
    "page",
)
"""Query parameters that the gateway reads; none may be repeated."""


class RequestValidator:
    """*identity_headers* are the headers that identity providers read; none may be repeated."""

    def __init__(self, identity_headers: Iterable[str]) -> None:
        self._single_headers = tuple(map(istr, dict.fromkeys([*_SINGLE_HEADERS, *identity_headers])))

    def check(self, request: Request) -> None:
        """Raises BadRequestError unless *request* is unambiguous HTTP/1.0 or 1.1 in origin form.

        RFC 9112, sections 3.2.1, 5 and 6.
        """
        if request.version not in (HttpVersion11, HttpVersion10):
            raise BadRequestError("the HTTP version is not 1.0 or 1.1")
        target = request.raw_path
        if not target.startswith("/") or target.startswith("//"):
            raise BadRequestError("the request target is not in origin form")
        headers = request.headers
        for name in self._single_headers:
            if name in headers and len(headers.getall(name)) > 1:
                raise BadRequestError(f"the header {name} is repeated")
        coding = headers.get("Transfer-Encoding")
        if coding is not None and (coding.strip().lower() != "chunked" or request.version == HttpVersion10):
            raise BadRequestError("the transfer coding is not supported")
        query = request.query if request.has_query else None
        if query and any(len(query.getall(name, ())) > 1 for name in SINGLE_PARAMETERS):
            raise BadRequestError("a query parameter is repeated")
