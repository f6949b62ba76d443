"""Byte ranges and conditional requests of RFC 9110, for a server that has the file. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

# A number may lie past the end of any file (RFC 9110, 14.1.2); one of thousands of digits Python would not read.
_SPEC = re.compile(r"[ \t]*(\d{0,999})-(\d{0,999})[ \t]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """*spans* are the first and last byte of each range, both included; None is the whole file."""

    status: int
    spans: tuple[tuple[int, int], ...] | None = None


def http_date(seconds: float) -> str:
    return formatdate(seconds, usegmt=True)


def answer(headers: Mapping[str, str], length: int, etag: str | None, modified: float | None) -> Answer:
    """Returns the response to a GET of a file of *length* bytes: 200, 206, 304, 412 or 416 (RFC 9110, sections 13.2.2
    and 14.2). *modified* is Unix seconds."""
    date = None if modified is None else int(modified)
    if "If-Match" in headers:
        if not _matches(headers["If-Match"], etag, strong=True):
            return Answer(412)
    elif _compared(date, headers.get("If-Unmodified-Since")) == "after":
        return Answer(412)
    if "If-None-Match" in headers:
        if _matches(headers["If-None-Match"], etag, strong=False):
            return Answer(304)
    elif _compared(date, headers.get("If-Modified-Since")) in ("same", "before"):
        return Answer(304)
    if "Range" not in headers or not _if_range(headers.get("If-Range"), etag, date):
        return Answer(200)
    spans = parse(headers["Range"], length)
    if spans is None:
        return Answer(200)
    return Answer(206, spans) if spans else Answer(416)


def parse(value: str, length: int) -> tuple[tuple[int, int], ...] | None:
    """Returns the satisfiable spans of a Range field: empty if there is none, None if the field must be ignored."""
    unit, separator, specs = value.partition("=")
    if not separator or unit.strip().lower() != "bytes":
        return None
    listed = [spec for spec in specs.split(",") if spec.strip()]
    if not listed:
        return None
    spans = []
    for spec in listed:
        match = _SPEC.fullmatch(spec)
        if match is None or match[1] == match[2] == "":
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


def _compared(modified: int | None, value: str | None) -> str | None:
    """Returns whether the file was modified before, in the same second as, or after the date *value*. None if either is
    unknown: the condition is ignored then (RFC 9110, sections 13.1.3 and 13.1.4)."""
    if modified is None or value is None:
        return None
    try:
        date = parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError):
        return None
    return "same" if modified == date else "before" if modified < date else "after"


def _if_range(value: str | None, etag: str | None, modified: int | None) -> bool:
    if value is None:
        return True
    if value.startswith(('"', "W/")):
        return etag is not None and not etag.startswith("W/") and value == etag
    return _compared(modified, value) == "same"
