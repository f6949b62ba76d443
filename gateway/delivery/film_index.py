"""The index of an MP4 film: which seconds the bytes of a range belong to. Pure: a generator that asks for byte ranges.

How it works. `read_index` yields the ranges of the file that it needs and is sent their bytes, so that it does no I/O:
headers of boxes (ISO/IEC 14496-12), the ``moov`` box wherever it is, and in a fragmented film each ``moof`` box.
Sizes and counts in a file may lie: every read is bounded, and IndexUnreadableError is raised at a limit.
"""

from array import array
from bisect import bisect_left
from collections.abc import Generator
from dataclasses import dataclass

from gateway.delivery.film_boxes import HEADER, IndexUnreadableError, parse_header
from gateway.delivery.film_samples import Track, read_fragment, read_tracks

_MAX_MOOV = 32 * 1024 * 1024
"""Bytes: a film of ten hours at 60 frames a second has 16 MB."""
_MAX_READS = 20_000
_MAX_BOXES = 50_000
_READ_AHEAD = 64 * 1024
"""Bytes that are read with the header of a box, because the next boxes are often small."""

Read = Generator[tuple[int, int], bytes, "FilmIndex"]
"""Yields first byte and length of what it needs; is sent those bytes, fewer only at the end of the file."""


@dataclass(frozen=True, slots=True)
class FilmIndex:
    """The samples of one track, sorted by offset: arrays of equal length; starts and stops are in seconds."""

    offsets: "array[int]"
    ends: "array[int]"
    starts: "array[float]"
    stops: "array[float]"

    def seconds(self, first: int, last: int) -> tuple[float, float] | None:
        """Returns the least start and the greatest end, in seconds, of the samples of which bytes *first* to *last*
        contain at least one byte; None if there is none."""
        low, high = bisect_left(self.ends, first + 1), bisect_left(self.offsets, last + 1)
        if low >= high:
            return None
        return round(min(self.starts[low:high]), 3), round(max(self.stops[low:high]), 3)


def read_index(size: int) -> Read:
    """Returns the index of a film of *size* bytes. Raises IndexUnreadableError if it has none that can be read."""
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
                raise IndexUnreadableError("too large")
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
        raise IndexUnreadableError("no moov box")
    return _index(read_tracks(moov), fragments)


def _index(tracks: list[Track], fragments: list[tuple[int, bytes]]) -> FilmIndex:
    for position, body in fragments:
        read_fragment(body, position, tracks)
    track = next((each for each in tracks if each.kind in (b"vide", b"soun") and each.samples), None)
    if track is None:
        raise IndexUnreadableError("no samples")
    samples = sorted(track.presented())
    if not samples:
        raise IndexUnreadableError("no samples are presented")
    offsets, ends, starts, stops = zip(*samples, strict=True)
    return FilmIndex(array("q", offsets), array("q", ends), array("d", starts), array("d", stops))


@dataclass(frozen=True, slots=True)
class _Buffer:
    position: int = 0
    data: bytes = b""

    def has(self, position: int, length: int) -> bool:
        return self.position <= position and position + length <= self.position + len(self.data)

    def get(self, position: int, length: int) -> bytes:
        return self.data[position - self.position : position - self.position + length]
