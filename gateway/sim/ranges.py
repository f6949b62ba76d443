"""Byte ranges and conditions as RFC 9110 has them, for a server that has the file. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

_SPEC = re.compile(r"[ \t]*(\d*)-(\d*)[ \t]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """*spans* are first and last byte, both included; None is the whole file."""

    status: int
    spans: tuple[tuple[int, int], ...] | None = None


def http_date(seconds: float) -> str:
    return formatdate(seconds, usegmt=True)


def answer(headers: Mapping[str, str], length: int, etag: str | None, modified: float | None) -> Answer:
    """What a GET of a file of *length* is answered with: 200, 206, 304, 412 or 416 (RFC 9110, 13.2.2 and 14.2)."""
    date = None if modified is None else int(modified)
    if "If-Match" in headers:
        if not _matches(headers["If-Match"], etag, strong=True):
            return Answer(412)
    elif "If-Unmodified-Since" in headers and not _not_after(date, headers["If-Unmodified-Since"]):
        return Answer(412)
    if "If-None-Match" in headers:
        if _matches(headers["If-None-Match"], etag, strong=False):
            return Answer(304)
    elif "If-Modified-Since" in headers and _not_after(date, headers["If-Modified-Since"]):
        return Answer(304)
    if "Range" not in headers or not _if_range(headers.get("If-Range"), etag, date):
        return Answer(200)
    spans = parse(headers["Range"], length)
    if spans is None:
        return Answer(200)
    return Answer(206, spans) if spans else Answer(416)


def parse(value: str, length: int) -> tuple[tuple[int, int], ...] | None:
    """The satisfiable spans of a Range; () if none is; None if it is to be ignored."""
    unit, separator, specs = value.partition("=")
    if not separator or unit.strip().lower() != "bytes":
        return None
    spans = []
    for spec in specs.split(","):
        if not spec.strip():
            continue
        match = _SPEC.fullmatch(spec)
        if match is None or match[1] == match[2] == "" or max(len(match[1]), len(match[2])) > 19:
            return None
        if not match[1]:
            if int(match[2]) > 0 and length:
                spans.append((max(0, length - int(match[2])), length - 1))
            continue
        first, last = int(match[1]), int(match[2]) if match[2] else length - 1
        if match[2] and last < first:
            return None
        if first < length:
            spans.append((first, min(last, length - 1)))
    return tuple(spans)


def _matches(value: str, etag: str | None, *, strong: bool) -> bool:
    if value.strip() == "*":
        return True
    if etag is None or (strong and etag.startswith("W/")):
        return False
    tags = [tag.strip() for tag in value.split(",")]
    return etag in tags if strong else etag.removeprefix("W/") in [tag.removeprefix("W/") for tag in tags]


def _not_after(modified: int | None, value: str) -> bool:
    """Whether the file was not modified after the date told; an unreadable date is no condition that holds."""
    try:
        return modified is not None and modified <= parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError):
        return False


def _if_range(value: str | None, etag: str | None, modified: int | None) -> bool:
    if value is None:
        return True
    if value.startswith(('"', "W/")):
        return etag is not None and not etag.startswith("W/") and value == etag
    try:
        return modified is not None and modified == parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError):
        return False
