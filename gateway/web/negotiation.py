"""Which representation of a resource a request prefers: a page, a page for a frame, or JSON. Pure."""

import functools
from collections.abc import Iterator

from aiohttp import web

from gateway.web.request import RejectedRequest

_FRAMES = ("iframe", "frame", "object", "embed")
"""The elements by which a page embeds another one, as Sec-Fetch-Dest names them."""


def is_navigation(request: web.BaseRequest | RejectedRequest) -> bool:
    """Whether a browser navigates to this URL: by Fetch Metadata, or without it, if Accept prefers HTML."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    return _preferred(request.headers.get("Accept", "")) == "text/html"


def is_top_navigation(request: web.BaseRequest | RejectedRequest) -> bool:
    """Whether the whole window navigates: only then may it be redirected to sign-in, unlike a frame or a player."""
    return is_navigation(request) and request.headers.get("Sec-Fetch-Dest", "document") == "document"


def is_embedded(request: web.BaseRequest | RejectedRequest) -> bool:
    """Whether the page is for a frame: by Fetch Metadata, or by ``?embed`` in the URL for browsers without it."""
    return request.headers.get("Sec-Fetch-Dest") in _FRAMES or "embed" in request.query


@functools.lru_cache(maxsize=256)
def prefers_json(accept: str) -> bool:
    """Whether the header Accept prefers JSON."""
    return _preferred(accept) == "application/json"


@functools.lru_cache(maxsize=256)
def _preferred(accept: str) -> str | None:
    """Returns the media type of highest quality (RFC 9110, section 12.5.1), the first of equals, or None.

    Wildcards are not resolved: only a type that is named in full counts.
    """
    best, best_quality = None, 0.0
    for name, quality in _qualities(accept):
        if quality > best_quality:
            best, best_quality = name, quality
    return best


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the header Accept-Encoding names gzip, with a quality above 0 (RFC 9110, section 12.5.3)."""
    return any(name == "gzip" and quality > 0 for name, quality in _qualities(accept_encoding))


def _qualities(header: str) -> Iterator[tuple[str, float]]:
    """Yields the names in a header of preferences, in lower case, and the quality of each."""
    for part in header.split(",")[:32]:
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                quality = _quality(value)
        yield name.lower(), quality


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
