"""The index of an MP4 film: which seconds the bytes of a range belong to. Pure: a generator that asks for byte ranges.

How it works. `find_boxes` yields the ranges of the file that it needs and is sent their bytes, so that it does no I/O:
headers of boxes (ISO/IEC 14496-12), the ``moov`` box wherever it is, and in a fragmented film each ``moof`` box.
`build_index` makes the index of them. Sizes and counts in a file may lie: every read is bounded, and
IndexUnreadableError is raised at a limit.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple

from gateway.delivery.film_boxes import HEADER, IndexUnreadableError, parse_header
from gateway.delivery.film_fragments import read_fragment
from gateway.delivery.film_samples import read_tracks

_MAX_MOOV = 32 * 1024 * 1024
"""Bytes: a film of ten hours at 60 frames a second has 16 MB."""
_MAX_READS = 20_000
_MAX_BOXES = 50_000
_READ_AHEAD = 64 * 1024
"""Bytes that are read with the header of a box, because the next boxes are often small."""

_BLOCK = 512
"""Samples whose least start and greatest end are stored, so that the seconds of a whole film are found at once."""


class FilmBoxes(NamedTuple):
    """The content of the ``moov`` box, and position and content of each ``moof`` box."""

    moov: bytes
    fragments: list[tuple[int, bytes]]


Read = Generator[tuple[int, int], bytes, FilmBoxes]
"""Yields first byte and length of what it needs; is sent those bytes, fewer only at the end of the file."""


@dataclass(frozen=True, slots=True)
class FilmIndex:
    """The samples of one track, sorted by offset: arrays of equal length; starts and stops are in seconds. *least* and
    *greatest* are the extremes of each block of them."""

    offsets: "array[int]"
    ends: "array[int]"
    starts: "array[float]"
    stops: "array[float]"
    least: "array[float]"
    greatest: "array[float]"

    @property
    def duration(self) -> float:
        """The greatest end of a sample, in seconds."""
        return round(max(self.greatest), 3)

    def seconds(self, first: int, last: int) -> tuple[float, float] | None:
        """Returns the least start and the greatest end, in seconds, of the samples of which bytes *first* to *last*
        contain at least one byte; None if there is none."""
        low, high = bisect_left(self.ends, first + 1), bisect_left(self.offsets, last + 1)
        if low >= high:
            return None
        least = _extreme(min, self.starts, self.least, low, high)
        return round(least, 3), round(_extreme(max, self.stops, self.greatest, low, high), 3)


def find_boxes(size: int) -> Read:
    """Returns the boxes that index a film of *size* bytes. Raises IndexUnreadableError if there are none."""
    moov, fragments, position, reads, buffer = b"", list[tuple[int, bytes]](), 0, 0, _Buffer()
    total = 0
    for _ in range(_MAX_BOXES):
        if position + 8 > size:
            break
        if not buffer.has(position, min(HEADER, size - position)):
            reads += 1
            buffer = _Buffer(position, (yield position, min(_READ_AHEAD, size - position)))
        length, kind, header = parse_header(buffer.get(position, HEADER), size - position)
        if kind in (b"moov", b"moof"):
            total += length
            if total > _MAX_MOOV or reads > _MAX_READS:
                raise IndexUnreadableError("too large", "too_large")
            if not buffer.has(position, length):
                reads += 1
                buffer = _Buffer(position, (yield position, length))
            body = buffer.get(position + header, length - header)
            if kind == b"moov":
                moov = body
            else:
                fragments.append((position, body))
        position += length
    if not moov:
        raise IndexUnreadableError("no moov box", "no_index")
    return FilmBoxes(moov, fragments)


def build_index(boxes: FilmBoxes) -> FilmIndex:
    """Returns the index. Raises IndexUnreadableError. Takes seconds of processor time for a very long film."""
    tracks = read_tracks(boxes.moov)
    for position, body in boxes.fragments:
        read_fragment(body, position, tracks)
    track = next((each for each in tracks if each.kind in (b"vide", b"soun") and each.samples), None)
    if track is None:
        raise IndexUnreadableError("no samples", "no_index")
    try:
        return _index_of(sorted(track.presented()))
    except OverflowError:
        raise IndexUnreadableError("a position or a time is impossible") from None


def _index_of(samples: list[tuple[int, int, float, float]]) -> FilmIndex:
    if not samples:
        raise IndexUnreadableError("no samples are presented", "no_index")
    offsets, ends, starts, stops = zip(*samples, strict=True)
    blocks = range(0, len(samples), _BLOCK)
    return FilmIndex(
        array("q", offsets),
        array("q", ends),
        array("d", starts),
        array("d", stops),
        array("d", [min(starts[at : at + _BLOCK]) for at in blocks]),
        array("d", [max(stops[at : at + _BLOCK]) for at in blocks]),
    )


def _extreme(pick: Callable[..., float], values: "array[float]", blocks: "array[float]", low: int, high: int) -> float:
    """Returns the least or the greatest of *values* from *low* up to *high*, of whole blocks by *blocks*."""
    first, last = -(-low // _BLOCK), high // _BLOCK
    if first >= last:
        return pick(values[low:high])
    parts = (values[low : first * _BLOCK], blocks[first:last], values[last * _BLOCK : high])
    return pick(pick(part) for part in parts if part)


@dataclass(frozen=True, slots=True)
class _Buffer:
    position: int = 0
    data: bytes = b""

    def has(self, position: int, length: int) -> bool:
        return self.position <= position and position + length <= self.position + len(self.data)

    def get(self, position: int, length: int) -> bytes:
        return self.data[position - self.position : position - self.position + length]
