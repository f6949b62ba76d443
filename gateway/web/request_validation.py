"""Rejects requests that two HTTP parsers could read differently, finds where heads end, and bounds the requests that
wait on one connection. Pure."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import HttpVersion10, HttpVersion11, hdrs
from multidict import istr

from gateway.errors import BadRequestError, MisdirectedRequestError
from gateway.web.request import HeadFields, Request

_ABSOLUTE = re.compile(r"https?://[^/?]", re.IGNORECASE)
_HOST = re.compile(r"(?:[A-Za-z0-9._~%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
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
    "since",
    "until",
    "room",
    "author",
    "page",
)
"""Query parameters that the gateway reads; none may be repeated."""

MAX_HEAD = 32 * 1024
"""Bytes of a request head, from the request line to the empty line."""
MAX_LINE = 8190
"""Bytes of a request line."""
MAX_WAITING = 64 * 1024
"""Bytes of the heads, or of the chunked body, that wait for their turn on one connection."""
_PARSED_AHEAD = 32
"""Requests that aiohttp parses before it stops reading: of more, which are small then, only so many count."""
_END = b"\r\n\r\n"
_BODY_FIELD = re.compile(
    rb"\r\n(?:content-length[ \t]*+:[ \t]*+0*+(\d{0,18}+)|transfer-encoding[ \t]*+:)[^\r\n]*+\r", re.I
)
"""Its repetitions give nothing back (possessive), so that no line, however long, takes more than linear time."""
_UNFINISHED_BODY_FIELD = re.compile(rb"\r\n(?:content-length|transfer-encoding)[ \t]*+:[^\r\n]*+\r?", re.I)
_LONGEST_LINE = 2048
"""Bytes of a line about the body, which no client makes that long. Of another unfinished line, half of them are stored
of its beginning and of its end, for `_BODY_FIELD` and `_END`: a whole one would be as large as the head."""


class HeadScanner:
    """Follows the bytes of a connection from one request head to the next; no I/O and no time. A head ends at the first
    empty line. Its body is ``Content-Length`` bytes long and is skipped; the head after a chunked one is not looked
    for."""

    __slots__ = (
        *("_chunked", "_length", "_tail", "begin", "body_left"),
        *("completed", "fields", "head_size", "is_last", "size", "started"),
    )

    def __init__(self) -> None:
        self.head_size = 0
        """Bytes of the unfinished head; 0 between a request and the next one."""
        self.begin = 0
        """Bytes of the latest data before its last head, 0 if it has begun earlier."""
        self.size = 0
        """Bytes of all heads so far."""
        self.started = 0
        """Heads of which a byte has arrived."""
        self.completed = 0
        """Heads that have ended."""
        self.is_last = False
        """Whether a chunked body has begun, after which nothing is counted."""
        self.body_left = 0
        """Bytes of the unfinished body."""
        self.fields: HeadFields | None = None
        """Of the latest head, if it was not whole in one segment or has more than `MAX_LINE` bytes."""
        self._length = 0
        self._chunked = False
        self._tail = b""

    def __repr__(self) -> str:
        return f"<HeadScanner head_size={self.head_size} completed={self.completed} body_left={self.body_left}>"

    def feed(self, data: bytes, limit: int) -> bool:
        """Follows *data*; False as soon as a head is larger than *limit* bytes, or a line about its body than 2 KiB,
        and for the rest of that head."""
        window, position = (self._tail + data, len(self._tail)) if self._tail else (data, 0)
        offset = position
        begin = self.begin = 0
        while position < len(window) and not self.is_last:
            if self.body_left:
                skipped = min(self.body_left, len(window) - position)
                self.body_left -= skipped
                begin = position = position + skipped
                continue
            if not self.head_size and window[position] in b"\r\n":
                # Empty lines before a request line are ignored (RFC 9112, section 2.2), and are no head.
                begin = position = position + 1
                continue
            end = window.find(_END, max(begin, position - 3))
            stop = len(window) if end < 0 else end + len(_END)
            if not self.head_size:
                self.begin = position - offset
                self.started += 1
                self.fields = None
            self.head_size += stop - position
            self.size += stop - position
            if end < 0 or self.fields is not None or self.head_size > MAX_LINE:
                self.fields = self.fields or HeadFields()
                self.fields.feed(window[position:stop])
            if self.head_size > limit:
                return False
            field = _BODY_FIELD.search(window, begin, stop)
            if field is not None:
                if len(field[0]) > _LONGEST_LINE:
                    return self._refuse(limit)
                self._chunked = self._chunked or field[1] is None
                self._length = int(field[1] or 0)
            if end < 0:
                # The unfinished line is looked at again, because the boundary between segments may divide a field.
                line = window[max(begin, window.rfind(b"\r\n", begin)) :]
                if len(line) > _LONGEST_LINE:
                    if _UNFINISHED_BODY_FIELD.fullmatch(line):
                        return self._refuse(limit)
                    line = line[: _LONGEST_LINE // 2] + line[-_LONGEST_LINE // 2 :]
                self._tail = line
            else:
                self.completed += 1
                self.is_last = self._chunked
                self.body_left = self._length
                self.head_size = self._length = 0
                self._tail = b""
            begin = position = stop
        return True

    def _refuse(self, limit: int) -> bool:
        """Returns False, as `feed` does for all that follows of a head whose size is beyond *limit*."""
        self.head_size = limit + 1
        return False


class WaitingHeads:
    """How much a client has sent on one connection before it had the responses to its earlier requests."""

    __slots__ = ("_segments", "_size")

    def __init__(self) -> None:
        self._segments: list[tuple[int, int]] = []
        """Of each segment: how many requests had arrived with it, and how many bytes of heads it has."""
        self._size = 0

    def add(self, size: int, arrived: int, answered: int, *, chunked: bool) -> bool:
        """Counts *size* bytes of a segment; returns whether more than `MAX_WAITING` wait.

        *arrived* and *answered* are the numbers of requests so far. After a *chunked* request, with which the
        connection ends, everything counts.
        """
        done = 0
        while done < len(self._segments) and self._segments[done][0] <= answered and not chunked:
            self._size -= self._segments[done][1]
            done += 1
        del self._segments[:done]  # at once: a deque would do without, and take 0.6 KiB for each connection
        self._segments.append((arrived, size))
        self._size += size
        return self._size * _PARSED_AHEAD > MAX_WAITING * max(arrived - answered, _PARSED_AHEAD)


class RequestValidator:
    """*identity_headers* are the headers that identity providers read; none may be repeated.

    *public_url* is the only address for which a request target in absolute form is accepted.
    """

    def __init__(self, identity_headers: Iterable[str], public_url: str) -> None:
        self._origin = origin_of(public_url)
        self._host = urlsplit(public_url).netloc
        self._single_headers = tuple(map(istr, dict.fromkeys([*_SINGLE_HEADERS, *identity_headers])))

    def check(self, request: Request) -> None:
        """Raises BadRequestError unless *request* is unambiguous HTTP/1.0 or 1.1 (RFC 9112, sections 3.2, 5 and 6).

        Raises MisdirectedRequestError if its target names another authority than ours.
        """
        if request.version not in (HttpVersion11, HttpVersion10):
            raise BadRequestError("the HTTP version is not 1.0 or 1.1")
        target = request.raw_path
        if not target.startswith("/") or target.startswith("//") or "#" in target:
            self._check_absolute(target)
        headers = request.headers
        for name in self._single_headers:
            if name in headers and len(headers.getall(name)) > 1:
                raise BadRequestError(f"the header {name} is repeated")
        host = headers.get(hdrs.HOST, "")
        if host != self._host and _HOST.fullmatch(host) is None:
            raise BadRequestError("the header Host is not one host")
        coding = headers.get(hdrs.TRANSFER_ENCODING)
        if coding is not None and (coding.strip().lower() != "chunked" or request.version == HttpVersion10):
            raise BadRequestError("the transfer coding is not supported")
        # The query behind this prefix is another server's, and no parameter of it is read but `download`.
        is_ours = request.has_query and not target.startswith("/oauth2/auth/")
        query = request.query if is_ours else None
        if query and any(len(query.getall(name, ())) > 1 for name in SINGLE_PARAMETERS):
            raise BadRequestError("a query parameter is repeated")

    def _check_absolute(self, target: str) -> None:
        """Raises an error unless *target* is in absolute form (RFC 9112, section 3.2.2) and its authority is ours."""
        if "#" in target or _ABSOLUTE.match(target) is None:
            raise BadRequestError("the request target is neither in origin nor in absolute form")
        if origin_of(target) != self._origin:
            raise MisdirectedRequestError("the authority of the request target is not public_url's")


def origin_of(url: str) -> tuple[str, int | None] | None:
    """Returns host and port of an http or https *url*; None if it has none that can be read.

    The scheme is left out: a proxy in front may speak https where the gateway speaks http.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.hostname is None or "@" in parts.netloc:
        return None
    return parts.hostname, None if port in (80, 443) else port


def is_same_origin(request: Request, public_url: str) -> bool:
    """Whether a page of this gateway sent the request, by Fetch Metadata, or without it by its Origin."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get(hdrs.ORIGIN) == public_url
