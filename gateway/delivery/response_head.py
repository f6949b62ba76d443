"""Parses the head of a media server's response, strictly and without I/O.

Accepted is what the spliced path can deliver: plain HTTP/1.1, and for a 200 or 206 one stated length. Anything else
that a lawful server may send raises UnsupportedResponseError and is left to aiohttp's client.
"""

import functools
import re
from dataclasses import dataclass

from aiohttp import hdrs
from multidict import CIMultiDict

from gateway.delivery.http_fields import content_length
from gateway.errors import ValtResponseError

_MAX_FIELDS = 64
_STATUS = re.compile(r"HTTP/1\.1 ([1-5][0-9]{2})(?: .*)?")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ALLOWED = bytes(code for code in range(256) if code == 9 or (code >= 32 and code != 127))
"""What a line may hold (RFC 9110, section 5.5)."""
_WITH_BODY = re.compile(rb"HTTP/1\.[01] 20[06](?![0-9])")


class UnsupportedResponseError(Exception):
    """The response has no plain HTTP/1.1 head, or a body without a stated length. *lasting*: whether the server will
    probably respond so to other requests too."""

    def __init__(self, reason: str, *, lasting: bool) -> None:
        super().__init__(reason)
        self.lasting = lasting


def unsupported(head: bytes, reason: str) -> UnsupportedResponseError:
    """Returns the error for *head*, or as much of it as has arrived.

    Only an ordinary response, a 200 or 206 that is not multipart, says anything about the server: any client can cause
    the others, and must not thereby slow the server down for everybody.
    """
    lasting = _WITH_BODY.match(head) is not None and b"multipart/byteranges" not in head.lower()
    return UnsupportedResponseError(reason, lasting=lasting)


def too_large(head: bytes, *, is_first: bool) -> UnsupportedResponseError | ValtResponseError:
    """Returns the error for a *head* that is too large, together with the interim responses before it if there are any.

    These are an error: aiohttp's client has larger limits for a head, and none for how many interim ones it skips.
    """
    if is_first:
        return unsupported(head, "the head is too large")
    return ValtResponseError("the media server's interim responses do not end")


@dataclass(slots=True)
class Head:
    """The head of a response."""

    status: int
    headers: "CIMultiDict[str]"
    """Values are decoded as UTF-8 with surrogates for other bytes, as aiohttp does it."""
    length: int
    """Bytes of the body; 0 where it is not going to be read, for any status but 200 and 206."""
    reusable: bool
    """Whether the connection can serve another request when *length* bytes have been read."""


def parse(head: bytes) -> Head | None:
    """Returns the head, or None for an interim response (1xx). Raises UnsupportedResponseError.

    *head* ends with the empty line. After 204 and 304 the connection is not reusable: a server that sends a body with
    them all the same would send it into the next response.
    """
    first, *lines = head[:-4].decode("utf-8", "surrogateescape").split("\r\n")
    try:
        status, fields = _status(first), list(map(_field, lines))
    except ValueError:
        raise unsupported(head, "the head is not plain HTTP/1.1") from None
    if head.translate(None, _ALLOWED) != b"\r\n" * (len(lines) + 2) or len(lines) > _MAX_FIELDS:
        raise unsupported(head, "the head is not plain HTTP/1.1")
    headers = CIMultiDict(fields)
    if status == 101:
        raise unsupported(head, "the protocol was to be changed")
    if status < 200:
        return None
    lengths = headers.getall(hdrs.CONTENT_LENGTH, [])
    length = content_length(lengths[0]) if len(lengths) == 1 and hdrs.TRANSFER_ENCODING not in headers else None
    reusable = length is not None and "close" not in ",".join(headers.getall(hdrs.CONNECTION, ())).lower()
    if status in (200, 206):
        if length is None:
            raise unsupported(head, "the body has no stated length")
        return Head(status, headers, length, reusable)
    return Head(status, headers, 0, reusable and length == 0 and status not in (204, 304))


@functools.lru_cache(maxsize=64)
def _status(line: str) -> int:
    """Returns the status of a status line. Raises ValueError for any line but one of HTTP/1.1."""
    matched = _STATUS.fullmatch(line)
    if matched is None:
        raise ValueError
    return int(matched[1])


@functools.lru_cache(maxsize=256)
def _field(line: str) -> tuple[str, str]:
    """Returns the name and the value of a field line. Raises ValueError without a valid name (RFC 9110, section 5.1).

    Most lines are the same in each response with a part of one file.
    """
    name, colon, value = line.partition(":")
    if not colon or _NAME.fullmatch(name) is None:
        raise ValueError
    return name, value.strip(" \t")
