"""What kind of answer a request asks for. Pure."""

import functools

from aiohttp import web


def is_navigation(request: web.BaseRequest) -> bool:
    """A person's browser goes to this address: Fetch Metadata says so, or, without it, Accept prefers a page."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate" and request.headers.get("Sec-Fetch-Dest", "document") in ("document", "iframe")
    return _preferred(request.headers.get("Accept", "")) == "text/html"


def is_top_navigation(request: web.BaseRequest) -> bool:
    """A navigation of the whole window: only that may be sent to sign in, a frame or an embedded player may not."""
    return is_navigation(request) and request.headers.get("Sec-Fetch-Dest", "document") == "document"


def is_embedded(request: web.BaseRequest) -> bool:
    """The page is for a frame: the browser says so, or the address, as ``?embed`` does where browsers are old."""
    return request.headers.get("Sec-Fetch-Dest") == "iframe" or "embed" in request.query


def wants_json(request: web.BaseRequest) -> bool:
    return _preferred(request.headers.get("Accept", "")) == "application/json"


@functools.lru_cache(maxsize=256)
def _preferred(accept: str) -> str | None:
    """The media type with the highest quality that is named outright (RFC 9110, 12.5.1); the first of equals."""
    best, best_quality = None, 0.0
    for part in accept.split(",")[:32]:
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                quality = _quality(value)
        if quality > best_quality:
            best, best_quality = name.lower(), quality
    return best


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
