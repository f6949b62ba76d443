"""When a body breaks off: what to ask next, and whether an answer continues the same file. Pure.

Two answers are combined only if they are of one file: RFC 9110, 15.3.7.3, wants the same strong validator; where the
media server gives none, total length and Last-Modified must agree.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

MAX_SKIP = 64 * 1024 * 1024
"""Bytes discarded at most to reach a point again with a server that ignores Range."""

_FIRST_PAUSE, _PAUSE_GROWS, _LONGEST_PAUSE = 0.2, 5.0, 30.0
"""Seconds, a factor, seconds. Five tries wait for a quarter to half a minute between them, and up to a whole one where
VALT is left alone: time for it to restart, while who watches sees what the player has read ahead."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,19})", re.ASCII)
_SINGLE = re.compile(r"bytes=[ \t]*(\d{1,19})?-(\d{1,19})?[ \t]*", re.ASCII | re.IGNORECASE)


@dataclass(slots=True)
class Representation:
    """What the head that the client has seen promised: bytes *first* up to but not including *end* of one file.
    *end* and *total* are None while the length is unknown."""

    first: int
    end: int | None
    total: int | None
    etag: str | None
    last_modified: str | None

    @property
    def strong(self) -> str | None:
        return self.etag if self.etag and not self.etag.startswith("W/") else None


@dataclass(frozen=True, slots=True)
class Continues:
    """The same file from the byte asked for, after *skip* bytes that are already had."""

    skip: int
    promise: Representation


@dataclass(frozen=True, slots=True)
class Complete:
    """There is nothing after the point that was reached."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Not the same file, or no way to be sure: the body must be cut."""


@dataclass(frozen=True, slots=True)
class StaleLink:
    """401 or 403: another link is needed."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The server could not answer now."""


Answer = Continues | Complete | Changed | StaleLink | TryAgain


def promise(status: int, headers: Mapping[str, str]) -> Representation | None:
    """What a head promises; None where its body cannot be resumed (multipart, or a 206 that makes no sense)."""
    etag, modified = headers.get("ETag"), headers.get("Last-Modified")
    length = _length(headers)
    if status == 200:
        return Representation(0, length, length, etag, modified)
    span = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "")) if status == 206 else None
    if span is None:
        return None
    first, last, total = int(span[1]), int(span[2]), None if span[3] == "*" else int(span[3])
    if last < first or (total is not None and last >= total) or length not in (None, last + 1 - first):
        return None
    return Representation(first, last + 1, total, etag, modified)


def is_consistent(got: Representation | None, status: int, headers: Mapping[str, str], asked: str | None) -> bool:
    """Whether a 206 that promises *got* answers the *asked* Range: nobody is given other bytes than he asked for."""
    if status != 206 or headers.get("Content-Type", "").lower().startswith("multipart/byteranges"):
        return status != 206 or asked is not None
    single = _SINGLE.fullmatch(asked or "")
    if got is None or single is None:
        # Several ranges may lawfully be answered by one (RFC 9110, 15.3.7.2).
        return got is not None and asked is not None
    first, last = single[1], single[2]
    if first is not None:
        return got.first == int(first) and (last is None or (got.end or 0) <= int(last) + 1)
    return got.total is None or (got.end == got.total and got.first == max(0, got.total - int(last or 0)))


def resume_headers(promised: Representation, at: int) -> dict[str, str]:
    """The headers that ask for the rest from byte *at* of the file."""
    last = "" if promised.end is None else str(promised.end - 1)
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={at}-{last}"}
    if promised.strong:
        headers["If-Range"] = promised.strong
    return headers


def judge(promised: Representation, at: int, status: int, headers: Mapping[str, str]) -> Answer:
    """What the answer to *ask_from* means for a body that has reached byte *at* of the file."""
    if status in (401, 403):
        return StaleLink()
    if status in (408, 429) or status >= 500:
        return TryAgain()
    if status == 416:
        nothing_left = _UNSATISFIED.fullmatch(headers.get("Content-Range", ""))
        whole = nothing_left is not None and int(nothing_left[1]) == at and promised.end is None
        return Complete() if whole else Changed()
    got = promise(status, headers)
    if got is None or not _same_file(promised, got):
        return Changed()
    end = promised.end if promised.end is not None else got.total
    skip = at - got.first
    if skip == 0 or (status == 200 and skip <= MAX_SKIP):
        return Continues(skip, replace(promised, end=end, total=got.total))
    return Changed()


def pause(failures: int, left_alone: float, chance: float) -> float:
    """Seconds before the rest is asked for again after so many *failures* in a row without progress.

    *left_alone*: seconds for which VALT will not be asked for another link. *chance*, from 0 to 1, keeps those whose
    bodies broke off together from coming back together.
    """
    if not failures:
        return 0.0
    backoff = _FIRST_PAUSE * _PAUSE_GROWS ** min(failures - 1, 10)
    return min(_LONGEST_PAUSE, left_alone + backoff * (0.5 + chance / 2))


def _same_file(had: Representation, got: Representation) -> bool:
    if had.total is not None and got.total is not None and had.total != got.total:
        return False
    if had.strong or got.strong:
        return had.strong == got.strong
    same_length = had.total is not None and had.total == got.total
    return same_length and had.last_modified is not None and had.last_modified == got.last_modified


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else None
