"""The samples of a film's tracks, from its ``moov`` box (ISO/IEC 14496-12, section 8). Pure.

Counts in a file may lie: every table is bounded by the bytes that it has, and all samples by `MAX_SAMPLES`.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from math import inf
from typing import NamedTuple

from gateway.delivery.film_boxes import IndexUnreadableError, boxes, child

MAX_SAMPLES = 500_000
"""Five hours at 25 frames a second. Without a limit a table of equal sizes could claim billions in a few bytes."""
_MAX_EDITS = 32
_MAX_TRACKS = 32


class Sample(NamedTuple):
    """*offset* and *size* in bytes of the file; *time*, of presentation, and *duration* in units of the track."""

    offset: int
    size: int
    time: int
    duration: int


class Edit(NamedTuple):
    """An entry of the edit list: *duration* in units of the film (0 is the rest), *start* in units of the track or -1
    for an empty edit."""

    duration: int
    start: int


@dataclass(slots=True)
class Track:
    """*scale* and *film_scale*: units per second of the track and of the film. *defaults*: duration and size of the
    samples of fragments. Of a track that is not *wanted* no samples are read, only where they end."""

    number: int
    kind: bytes
    scale: int
    film_scale: int
    edits: list[Edit]
    table: bytes
    """The content of its ``stbl`` box."""
    samples: list[Sample] = field(default_factory=list)
    defaults: tuple[int, int] = (0, 0)
    next_time: int = 0
    wanted: bool = True

    def presented(self) -> Iterator[tuple[int, int, float, float]]:
        """Yields offset, end, and start and end in seconds, of each sample that is presented."""
        windows = list(self._windows())
        for offset, size, time, duration in self.samples:
            times = [
                (shift + max(time, begin) / self.scale, shift + (time + duration) / self.scale)
                for begin, end, shift in windows
                if time + duration > begin and time < end
            ]
            if size and times:
                yield offset, offset + size, times[0][0], times[-1][1]

    def _windows(self) -> Iterator[tuple[float, float, float]]:
        """Yields what the edits present: from and to in units of the track, and the seconds to add to a time."""
        film_time = 0.0
        for edit in self.edits or [Edit(0, 0)]:
            seconds = edit.duration / self.film_scale
            if edit.start >= 0:
                end = edit.start + seconds * self.scale if edit.duration else inf
                yield edit.start, end, film_time - edit.start / self.scale
            film_time += seconds


def read_tracks(moov: bytes) -> list[Track]:
    """Returns the tracks, with the samples that the content of a ``moov`` box lists. With a video track, those of
    other kinds are not wanted. Raises IndexUnreadableError."""
    try:
        film_scale = _scale(child(moov, b"mvhd"))
        tracks = [_track(content, film_scale) for kind, content in boxes(moov) if kind == b"trak"]
        if len(tracks) > _MAX_TRACKS:
            raise IndexUnreadableError("too many tracks", "too_large")
        has_video = any(track.kind == b"vide" for track in tracks)
        for track in tracks:
            track.wanted = not has_video or track.kind == b"vide"
            track.samples = _samples(track.table) if track.wanted else []
        for kind, content in boxes(child(moov, b"mvex") or b""):
            if kind == b"trex":
                number, _, duration, size = struct.unpack_from(">4I", content, 4)
                for track in tracks:
                    if track.number == number:
                        track.defaults = (duration, size)
    except struct.error:
        raise IndexUnreadableError("a box is too short") from None
    return tracks


def _track(trak: bytes, film_scale: int) -> Track:
    header, table = child(trak, b"tkhd") or b"", child(trak, b"mdia", b"minf", b"stbl") or b""
    (number,) = struct.unpack_from(">I", header, 20 if header[:1] == b"\1" else 12)
    handler = child(trak, b"mdia", b"hdlr") or b""
    scale = _scale(child(trak, b"mdia", b"mdhd"))
    return Track(number, handler[8:12], scale, film_scale, _edits(child(trak, b"edts", b"elst") or b""), table)


def _scale(header: bytes | None) -> int:
    """The units per second that a ``mvhd`` or ``mdhd`` box names."""
    data = header or b""
    (scale,) = struct.unpack_from(">I", data, 20 if data[:1] == b"\1" else 12)
    if not scale:
        raise IndexUnreadableError("a time scale is zero")
    return int(scale)


def _edits(elst: bytes) -> list[Edit]:
    if not elst:
        return []
    form = struct.Struct(">Qq4x") if elst[0] == 1 else struct.Struct(">Ii4x")
    (count,) = struct.unpack_from(">I", elst, 4)
    count = min(count, (len(elst) - 8) // form.size)
    if count > _MAX_EDITS:
        raise IndexUnreadableError("too many edits", "too_large")
    return [Edit(*values) for values in form.iter_unpack(elst[8 : 8 + count * form.size])]


def _entries(table: bytes, kind: bytes, form: str) -> list[tuple[int, ...]]:
    """Returns the entries of the table *kind* in a ``stbl`` box; at most as many as it has bytes for."""
    data = child(table, kind)
    if data is None:
        return []
    entry = struct.Struct(form)
    (count,) = struct.unpack_from(">I", data, 4)
    count = min(count, (len(data) - 8) // entry.size)
    if count > MAX_SAMPLES:
        raise IndexUnreadableError("too many entries", "too_large")
    return list(entry.iter_unpack(data[8 : 8 + count * entry.size]))


def _sizes(table: bytes) -> list[int]:
    data = child(table, b"stsz")
    if data is None:
        raise IndexUnreadableError("no table of sample sizes")
    constant, count = struct.unpack_from(">2I", data, 4)
    if count > MAX_SAMPLES:
        raise IndexUnreadableError("too many samples", "too_large")
    if constant:
        return [constant] * count
    count = min(count, (len(data) - 12) // 4)
    return list(struct.unpack_from(f">{count}I", data, 12))


def _samples(table: bytes) -> list[Sample]:
    sizes = _sizes(table)
    offsets = _offsets(table, sizes)
    durations = _expand(_entries(table, b"stts", ">2I"), len(offsets))
    signed = (child(table, b"ctts") or b"\0")[0] == 1
    shifts = _expand(_entries(table, b"ctts", ">Ii" if signed else ">2I"), len(offsets))
    samples, time = [], 0
    for offset, size, duration, shift in zip(offsets, sizes, durations, shifts, strict=False):
        # Writers of version 0 put negative shifts into it all the same.
        samples.append(Sample(offset, size, time + (shift - 2**32 if shift >= 2**31 else shift), duration))
        time += duration
    return samples


def _expand(runs: list[tuple[int, ...]], length: int) -> Iterator[int]:
    """Yields the values of *runs*, each a count and a value, and zeros up to *length*."""
    left = length
    for count, value in runs:
        yield from repeat(value, min(count, left))
        left -= min(count, left)
    yield from repeat(0, left)


def _offsets(table: bytes, sizes: list[int]) -> list[int]:
    """Returns the position of each sample in the file."""
    chunks = [entry[0] for entry in _entries(table, b"stco", ">I") or _entries(table, b"co64", ">Q")]
    runs = _entries(table, b"stsc", ">3I")
    offsets: list[int] = []
    for index, (first, count, _) in enumerate(runs):
        last = runs[index + 1][0] if index + 1 < len(runs) else len(chunks) + 1
        if last <= first:
            raise IndexUnreadableError("the table of chunks is out of order")
        for chunk in chunks[max(first, 1) - 1 : max(last, 1) - 1]:
            position = chunk
            for size in sizes[len(offsets) : len(offsets) + count]:
                offsets.append(position)
                position += size
            if len(offsets) == len(sizes):
                return offsets
    return offsets
