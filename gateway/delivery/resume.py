"""Decides what a media server's response means: for a client's request, and for the rest of an interrupted body.

How it works: every response, the first of a stream and any later one, is judged by *evaluate* against the request that
was sent. It returns Usable only if the response's fields agree with its status, with each other and with the request.
A later response must besides be of the same file: no validator (ETag, Last-Modified, total length, media type) may
differ, and there must be evidence that it is the same, which is a strong ETag (RFC 9110, section 15.3.7.3), or without
one the same length and Last-Modified. So a client receives the bytes of one file at the positions that its head states,
or sees a failure. The module does no I/O.
"""

from dataclasses import replace

from aiohttp import hdrs
from multidict import MultiMapping

from gateway.delivery.conditions import contradicts, holds_if_range
from gateway.delivery.http_fields import (
    MediaType,
    RangeSpec,
    content_length,
    content_range,
    is_identity,
    is_media,
    media_type,
    unsatisfied_total,
)
from gateway.delivery.verdicts import (
    Complete,
    MediaRequest,
    NotFound,
    Representation,
    StaleLink,
    TryAgain,
    Unusable,
    Usable,
    Verdict,
)

MAX_SKIP = 64 * 1024 * 1024
"""How many bytes at most are discarded to reach a position again with a server that ignores Range."""

_FIRST_PAUSE, _PAUSE_FACTOR, _MAX_PAUSE = 0.2, 5.0, 30.0
"""Seconds, a factor, seconds. Five tries wait for 15 to 30 seconds in all, and up to a minute if VALT's circuit breaker
is open: enough for VALT to restart, while the viewer sees what the player has buffered."""

_SINGLE_VALUED = (hdrs.CONTENT_RANGE, hdrs.CONTENT_TYPE, hdrs.CONTENT_LENGTH, hdrs.ETAG, hdrs.LAST_MODIFIED)
_MULTIPART = "multipart/byteranges"


def strong_etag(body: Representation) -> str | None:
    """Returns the ETag, if it identifies the file byte for byte (RFC 9110, section 8.8.1).

    An empty one does not, which some servers send with every file, nor one with a small w, which is meant to be weak.
    """
    etag = body.etag
    return None if not etag or etag == '""' or etag.startswith(("W/", "w/")) else etag


def is_identified(body: Representation) -> bool:
    """Whether a later response can prove to be of the same file."""
    return strong_etag(body) is not None or (body.total is not None and body.last_modified is not None)


def can_continue(body: Representation) -> bool:
    """Whether the rest can be requested again after the connection is closed, as far as is known."""
    return is_identified(body) and (body.ranges or (body.end is not None and body.end <= MAX_SKIP))


def resume_request(body: Representation, position: int) -> MediaRequest:
    """Returns the request for the rest of *body* from byte *position* of the file."""
    last = None if body.end is None else body.end - 1
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={position}-{'' if last is None else last}"}
    etag = strong_etag(body)
    if etag is not None and etag.startswith('"'):  # servers take another one for a date, and send the whole file
        headers["If-Range"] = etag
    return MediaRequest(headers, (RangeSpec(position, last),), continues=body, position=position)


def evaluate(request: MediaRequest, status: int, headers: MultiMapping[str]) -> Verdict:
    """Returns what a response to *request* means."""
    if status in (401, 403):
        return StaleLink()
    if status in (404, 410):
        return NotFound(status)
    if status in (408, 425, 429) or status >= 500:
        return TryAgain(status)
    stated = media_type(headers.get(hdrs.CONTENT_TYPE, ""))
    fault = _contradiction(status, headers, stated)
    if fault is not None:
        return Unusable(fault)
    if request.conditions and contradicts(
        request.conditions, status, headers.get(hdrs.ETAG), headers.get(hdrs.LAST_MODIFIED)
    ):
        return Unusable("the response contradicts a condition of the request")
    if status in (304, 412):
        return _precondition(request, status)
    if status == 416:
        return _nothing_selected(request, headers)
    if status == 206 and stated is not None and stated.name == _MULTIPART:
        return _several_parts(request, headers, stated)
    body = _representation(status, headers, stated)
    if body is None:
        return Unusable("the Content-Range or Content-Length of a response is missing or not valid")
    if status == 206 and not _was_requested(request, body):
        return Unusable("the response has other bytes than were requested")
    if request.continues is not None:
        return _continuation(request, request.continues, status, body)
    length = None if body.end is None else body.end - body.first
    if status == 206 and (request.ranges is None or request.method == "HEAD"):
        # The whole file, or for HEAD its first bytes, are described as a 200 describes it.
        return Usable(200, replace(body, end=body.total), length=length, from_part=request.method == "HEAD")
    return Usable(status, body, length=length)


def pause(failures: int, retry_after: float, jitter: float) -> float:
    """Returns the seconds to wait before the rest is requested again after *failures* in a row without progress.

    *retry_after*: seconds for which VALT's circuit breaker stays open. *jitter*, from 0 to 1, spreads the streams that
    were interrupted together.
    """
    if not failures:
        return 0.0
    backoff = _FIRST_PAUSE * _PAUSE_FACTOR ** min(failures - 1, 10)
    return min(_MAX_PAUSE, retry_after + backoff * (0.5 + jitter / 2))


def _contradiction(status: int, headers: MultiMapping[str], stated: MediaType | None) -> str | None:
    """Returns what is wrong with a response whatever was requested, or None."""
    if status not in (200, 206, 304, 412, 416):
        return f"the media server responded with HTTP {status}"
    for name in _SINGLE_VALUED:
        values = headers.getall(name, ())
        if len(values) > 1 and len(set(values)) > 1:
            return f"the response has two values of {name}"
    for coding in headers.getall(hdrs.CONTENT_ENCODING, ()):
        if not is_identity(coding):
            return "the response is compressed"
    codings = headers.getall(hdrs.TRANSFER_ENCODING, ())
    if codings and ",".join(codings).strip(" \t").lower() != "chunked":
        return "the response has a transfer coding besides chunked, or two"
    if status == 200 and (hdrs.CONTENT_RANGE in headers or (stated is not None and stated.name == _MULTIPART)):
        return "the response is a part, and its status is 200"
    return None


def _precondition(request: MediaRequest, status: int) -> Verdict:
    """Judges 304 and 412, which only a condition of the client's can cause."""
    causes = ("If-None-Match", "If-Modified-Since") if status == 304 else ("If-Match", "If-Unmodified-Since")
    if any(name in request.headers for name in causes):
        return Usable(status)
    return Unusable(f"the media server responded with HTTP {status} to a request without a condition")


def _nothing_selected(request: MediaRequest, headers: MultiMapping[str]) -> Verdict:
    """Judges a 416: past the file's end, or for HEAD an empty file."""
    stated = headers.get(hdrs.CONTENT_RANGE)
    total = None if stated is None else unsatisfied_total(stated)
    if request.ranges is None or (stated is not None and total is None) or _selects_bytes(request, total):
        return Unusable("a 416 contradicts the request or its own Content-Range")
    if request.continues is not None:
        had, etag = request.continues, headers.get(hdrs.ETAG, request.headers.get("If-Range"))
        is_same = etag is not None and etag == strong_etag(had)
        at_end = is_same and had.end is None and total == request.position
        return Complete() if at_end else Unusable("the file has changed")
    if request.method == "HEAD":
        body = Representation(0, 0, 0)
        return Usable(200, body) if total == 0 else Unusable("the first byte of a file is said not to exist")
    return Usable(416)


def _selects_bytes(request: MediaRequest, total: int | None) -> bool:
    """Whether the client's only range selects something of a file of *total* bytes. Several ranges may be refused all
    the same (RFC 9110, section 15.5.17), and nginx refuses one whose last byte is a number of more than 63 bits."""
    ranges = request.ranges or ()
    is_refusable = len(ranges) != 1 or (ranges[0].last or 0) >= 1 << 63
    return total is not None and request.continues is None and not is_refusable and bool(ranges[0].bounds(total))


def _several_parts(request: MediaRequest, headers: MultiMapping[str], stated: MediaType) -> Verdict:
    """Judges multipart/byteranges, which must not answer a single range (RFC 9110, section 15.3.7.2)."""
    if request.ranges is None or len(request.ranges) < 2 or stated.boundary is None:
        return Unusable("several parts were not requested, or have no boundary")
    if hdrs.CONTENT_RANGE in headers:
        return Unusable("a response of several parts has a Content-Range of its own")
    etag, last_modified = headers.get(hdrs.ETAG), headers.get(hdrs.LAST_MODIFIED)
    if "If-Range" in request.headers and not holds_if_range(request.headers["If-Range"], etag, last_modified):
        return Unusable("the response does not answer the request's If-Range")
    return Usable(206)


def _representation(status: int, headers: MultiMapping[str], stated: MediaType | None) -> Representation | None:
    """Returns which bytes of which file a 200 or 206 has, or None if its fields do not say so."""
    length = None
    if hdrs.CONTENT_LENGTH in headers:
        length = content_length(headers[hdrs.CONTENT_LENGTH])
        if length is None:
            return None
    first, end, total = 0, length, length
    if status == 206:
        part = content_range(headers.get(hdrs.CONTENT_RANGE, ""))
        if part is None or length not in (None, part.end - part.first):
            return None
        first, end, total = part.first, part.end, part.total
    ranges = status == 206 or "bytes" in headers.get(hdrs.ACCEPT_RANGES, "").lower()
    # A type that cannot be parsed is not a missing one: in place of the film it may be anything's.
    name = (headers.get(hdrs.CONTENT_TYPE, "").strip(" \t") or None) if stated is None else stated.name
    return Representation(first, end, total, headers.get(hdrs.ETAG), headers.get(hdrs.LAST_MODIFIED), name, ranges)


def _was_requested(request: MediaRequest, body: Representation) -> bool:
    """Whether the part that a 206 has lies in what was requested; of several ranges it may have one, or span some."""
    condition = request.headers.get("If-Range")
    if condition is not None and not (request.continues or holds_if_range(condition, body.etag, body.last_modified)):
        return False
    end = body.end or 0
    if request.ranges is None:
        return body.first == 0 and end == body.total
    if len(request.ranges) == 1:
        bounds = request.ranges[0].bounds(body.total)
        return bounds is not None and body.first == bounds[0] and end <= bounds[1]
    selected = [bounds for spec in request.ranges if (bounds := spec.bounds(body.total)) is not None]
    return any(first <= body.first for first, _ in selected) and any(end <= last for _, last in selected)


def _continuation(request: MediaRequest, had: Representation, status: int, body: Representation) -> Verdict:
    """Judges a later response: whether it is of the same file and reaches the position. A 206 begins there."""
    skip = request.position - body.first
    if not _is_same_file(had, body) or skip > MAX_SKIP:
        return Unusable("the file has changed")
    end = had.end if had.end is not None else body.total
    if body.end is not None and body.end <= request.position:
        return Complete() if end == request.position else Unusable("the file has changed")
    length = had.total if body.end is None else body.end - body.first
    return Usable(status, replace(had, end=end, total=body.total or had.total, ranges=status == 206), skip, length)


def _is_same_file(had: Representation, body: Representation) -> bool:
    """Whether nothing that both state differs, and something proves that they are of one file.

    A later response may leave out the media type of a film (RFC 9110, section 15.3.7), but not the type of something
    else, which may be a page in place of the film, and it must not state one that the first did not.
    """
    pairs = ((had.total, body.total), (had.etag, body.etag), (had.last_modified, body.last_modified))
    if any(None not in pair and pair[0] != pair[1] for pair in pairs):
        return False
    if body.media_type != had.media_type and not (body.media_type is None and is_media(had.media_type or "")):
        return False
    if strong_etag(had) or strong_etag(body):
        return had.etag == body.etag
    return None not in (had.total, body.total, had.last_modified, body.last_modified)
