"""Parsers for the HTTP fields that decide which bytes a message carries. Pure; None stands for what cannot be parsed.

Each follows the grammar of RFC 9110, and accepts what servers are known to send besides: units in any letter case,
white space around separators, empty parameters.
"""

import functools
import re
from dataclasses import dataclass

_UNLIMITED = 1 << 64

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TYPE = re.compile(rf"[ \t]*({_NAME})/({_NAME})[ \t]*")
_PARAMETER = re.compile(rf';[ \t]*(?:({_NAME})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"\\]+)))?[ \t]*')
_BOUNDARY = re.compile(r"[ !#-\[\]-~]{0,69}[!#-\[\]-~]")
"""RFC 2046, section 5.1.1, and all printable ASCII besides, but for what ends or escapes a quoted string: IIS and
ASP.NET have `<`, `>`, `[` and `]` in theirs."""

_CONTENT_RANGE = re.compile(r"bytes[ \t]+(\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII | re.IGNORECASE)
_UNSATISFIED = re.compile(r"bytes[ \t]+\*/(\d{1,19})", re.ASCII | re.IGNORECASE)
_RANGE_UNIT = re.compile(r"[ \t]*bytes[ \t]*=", re.IGNORECASE)
_RANGE = re.compile(r"[ \t]*+(\d{0,99}+)[ \t]*+-[ \t]*+(\d{0,99}+)[ \t]*+", re.ASCII)
"""Possessive, because without digits the spaces could be divided in many ways: 8 KiB of them took 0.1 s."""
_MOST_RANGES = 16
"""No player or downloader requests more at once."""


@dataclass(frozen=True, slots=True)
class MediaType:
    """*name* is type/subtype in lower case. *parameters*, names in lower case, is None if they cannot be parsed."""

    name: str
    parameters: dict[str, str] | None

    @property
    def boundary(self) -> str | None:
        """The delimiter of a multipart type, or None without a valid one."""
        boundary = (self.parameters or {}).get("boundary", "")
        return boundary if _BOUNDARY.fullmatch(boundary) else None


@dataclass(slots=True)
class ContentRange:
    """Bytes *first* up to but not including *end* of a file of *total* bytes; None is an unknown total."""

    first: int
    end: int
    total: int | None


@dataclass(slots=True)
class RangeSpec:
    """One range of a Range field: from *first* to *last*, or to the end; without *first*, the last *last* bytes."""

    first: int | None
    last: int | None

    def bounds(self, total: int | None) -> tuple[int, int] | None:
        """Returns the first byte and the end of what the range selects of a file of *total* bytes, or None if it
        selects nothing or if that is not known. Without *total* an open end is taken as unlimited."""
        if self.first is None:
            if total is None or not self.last or not total:
                return None
            return max(0, total - self.last), total
        end = _UNLIMITED if total is None else total
        if self.last is not None:
            end = min(end, self.last + 1)
        return (self.first, end) if self.first < end else None


@functools.lru_cache(maxsize=256)
def media_type(text: str) -> MediaType | None:
    """Parses a Content-Type (RFC 9110, section 8.3.1)."""
    matched = _TYPE.match(text)
    if matched is None or text[matched.end() : matched.end() + 1] not in ("", ";"):
        return None
    name, at, parameters = f"{matched[1]}/{matched[2]}".lower(), matched.end(), dict[str, str]()
    while at < len(text):
        parameter = _PARAMETER.match(text, at)
        if parameter is None:
            return MediaType(name, None)
        at = parameter.end()
        if parameter[1] is not None:
            key = parameter[1].lower()
            if key in parameters:
                return MediaType(name, None)
            parameters[key] = re.sub(r"\\(.)", r"\1", parameter[2]) if parameter[3] is None else parameter[3]
    return MediaType(name, parameters)


def is_media(name: str) -> bool:
    """Whether a media type is one of film or sound."""
    return name.startswith(("video/", "audio/")) or name == "application/mp4"


def content_range(text: str) -> ContentRange | None:
    """Parses the Content-Range of a 206 (RFC 9110, section 14.4)."""
    matched = _CONTENT_RANGE.fullmatch(text.strip(" \t"))
    if matched is None:
        return None
    first, last, total = int(matched[1]), int(matched[2]), None if matched[3] == "*" else int(matched[3])
    if last < first or (total is not None and last >= total):
        return None
    return ContentRange(first, last + 1, total)


def unsatisfied_total(text: str) -> int | None:
    """Parses the Content-Range of a 416: the file's length."""
    matched = _UNSATISFIED.fullmatch(text.strip(" \t"))
    return None if matched is None else int(matched[1])


def content_length(text: str) -> int | None:
    """Parses a Content-Length."""
    text = text.strip(" \t")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else None


def byte_ranges(text: str) -> tuple[RangeSpec, ...] | None:
    """Parses a Range in bytes (RFC 9110, section 14.2). A field that is not valid is to be ignored as a whole.

    So is one of too many ranges (section 17.15), for each of which a media server may send the whole file."""
    unit = _RANGE_UNIT.match(text)
    if unit is None:
        return None
    ranges = []
    for part in text[unit.end() :].split(","):
        if not part.strip(" \t"):
            continue
        matched = _RANGE.fullmatch(part)
        if matched is None or matched[1] == matched[2] == "":
            return None
        spec = RangeSpec(int(matched[1]) if matched[1] else None, int(matched[2]) if matched[2] else None)
        if spec.first is not None and spec.last is not None and spec.last < spec.first:
            return None
        ranges.append(spec)
        if len(ranges) > _MOST_RANGES:
            return None
    return tuple(ranges) or None


def is_identity(codings: str) -> bool:
    """Whether a Content-Encoding leaves the bytes as they are; an empty one does.

    So does aws-chunked, the framing of an upload, which stores compatible with S3 keep as if it were the object's.
    """
    return all(coding.strip(" \t").lower() in ("", "identity", "aws-chunked") for coding in codings.split(","))
