"""The head of a media server's answer, read strictly: only answers whose body has a stated length are taken. Whatever
else a lawful server may do is OddAnswerError, and is left to aiohttp's client. Pure.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import hdrs
from multidict import CIMultiDict

_MOST_FIELDS = 64
_STATUS = re.compile(r"HTTP/1\.1 ([1-5][0-9]{2})(?: .*)?")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NO_CONTROLS = bytes(code for code in range(256) if code == 9 or (code >= 32 and code != 127))
"""What a line may hold (RFC 9110, 5.5)."""


class UnsupportedResponseError(Exception):
    """The answer is not one with a plain head and a stated length."""


@dataclass(slots=True)
class Head:
    """The head of an answer; *length* is that of its body in bytes."""

    status: int
    headers: Mapping[str, str]
    length: int
    keep: bool


def parse(head: bytes, method: str) -> Head | None:
    """The head, or None for an interim one (1xx). OddAnswerError for anything but one plain stated length."""
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    matched = _STATUS.fullmatch(first)
    no_other_controls = head.translate(None, _NO_CONTROLS) == b"\r\n" * (len(lines) + 2)
    if matched is None or not no_other_controls or len(lines) > _MOST_FIELDS:
        raise UnsupportedResponseError("the head is not plain HTTP/1.1")
    headers = CIMultiDict([_field(line) for line in lines])
    status = int(matched[1])
    if status == 101:
        raise UnsupportedResponseError("the protocol was to be changed")
    if status < 200:
        return None
    lengths = headers.getall(hdrs.CONTENT_LENGTH, [])
    bodiless = method == "HEAD" or status in (204, 304)
    if hdrs.TRANSFER_ENCODING in headers or len(lengths) != (1 if lengths or not bodiless else 0):
        raise UnsupportedResponseError("the body has no stated length")
    stated = lengths[0] if lengths else "0"
    if not (stated.isascii() and stated.isdigit() and len(stated) <= 19):
        raise UnsupportedResponseError("the body has no stated length")
    keep = "close" not in headers.get(hdrs.CONNECTION, "").lower()
    return Head(status, headers, 0 if bodiless else int(stated), keep)


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not _is_name(name):
        raise UnsupportedResponseError("the head is not plain HTTP/1.1")
    return name, value.strip(" \t")


@functools.lru_cache(maxsize=256)
def _is_name(text: str) -> bool:
    """RFC 9110, 5.1. A media server says the same names over and over."""
    return _NAME.fullmatch(text) is not None
