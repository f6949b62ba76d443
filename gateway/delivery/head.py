"""The head of a media server's answer, read strictly: only answers whose body has a stated length are taken. Whatever
else a lawful server may do is OddAnswerError, and is left to aiohttp's client. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from multidict import CIMultiDict

# Possessive, so that a head that is not plain is seen to be none in one pass.
_WORD = r"[^\x00-\x20\x7f]++"
_FIELD = rf"([!#$%&'*+\-.^_`|~0-9A-Za-z]++):[ \t]*+((?:{_WORD}(?:[ \t]++{_WORD})*+)?+)[ \t]*+\r\n"
_FIELDS = re.compile(_FIELD)
_HEAD = re.compile(rf"HTTP/1\.1 ([1-5][0-9]{{2}})(?: [^\r\n]*)?\r\n((?:{_FIELD}){{0,64}})\r\n")


class OddAnswerError(Exception):
    """The answer is not one with a plain head and a stated length."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer; *length* is that of its body in bytes."""

    status: int
    headers: Mapping[str, str]
    length: int
    keep: bool


def parse(head: bytes, method: str) -> Head | None:
    """The head, or None for an interim one (1xx). OddAnswerError for anything but one plain stated length."""
    matched = _HEAD.fullmatch(head.decode("latin-1"))
    if matched is None:
        raise OddAnswerError("the head is not plain HTTP/1.1")
    status = int(matched[1])
    if status == 101:
        raise OddAnswerError("the protocol was to be changed")
    if status < 200:
        return None
    headers = CIMultiDict(_FIELDS.findall(matched[2]))
    lengths = headers.getall("Content-Length", [])
    bodiless = method == "HEAD" or status in (204, 304)
    if "Transfer-Encoding" in headers or len(lengths) != (1 if lengths or not bodiless else 0):
        raise OddAnswerError("the body has no stated length")
    stated = lengths[0] if lengths else "0"
    if not (stated.isascii() and stated.isdigit() and len(stated) <= 19):
        raise OddAnswerError("the body has no stated length")
    keep = "close" not in headers.get("Connection", "").lower()
    return Head(status, headers, 0 if bodiless else int(stated), keep)
