"""The samples of a fragmented film's tracks, from its ``moof`` boxes (ISO/IEC 14496-12, section 8.8). Pure."""

import struct

from gateway.delivery.film_boxes import IndexUnreadableError, boxes, child
from gateway.delivery.film_samples import MAX_SAMPLES, Sample, Track


def read_fragment(moof: bytes, position: int, tracks: list[Track]) -> None:
    """Adds the samples of a ``moof`` box, at *position* of the file, to *tracks*. Raises IndexUnreadableError."""
    try:
        end = position
        for kind, content in boxes(moof):
            if kind == b"traf":
                end = _read_traf(content, position, end, tracks)
    except struct.error:
        raise IndexUnreadableError("a box is too short") from None


def _read_traf(traf: bytes, position: int, end: int, tracks: list[Track]) -> int:
    """Add the samples of one ``traf`` box. Returns where its data end: the next one's may begin there."""
    header = child(traf, b"tfhd") or b""
    flags, number = struct.unpack_from(">2I", header)
    track = next((each for each in tracks if each.number == number), None)
    if track is None:
        raise IndexUnreadableError("a fragment is of no track")
    at, base, (duration, size) = 8, position if flags & 0x20000 else end, track.defaults
    if flags & 1:
        (base,), at = struct.unpack_from(">Q", header, at), at + 8
    at += 4 if flags & 2 else 0
    if flags & 8:
        (duration,), at = struct.unpack_from(">I", header, at), at + 4
    if flags & 16:
        (size,), at = struct.unpack_from(">I", header, at), at + 4
    decode = child(traf, b"tfdt")
    if decode is not None:
        (track.next_time,) = struct.unpack_from(">Q" if decode[:1] == b"\1" else ">I", decode, 4)
    place = base
    for kind, content in boxes(traf):
        if kind == b"trun":
            place = _read_trun(content, track, base, place, (duration, size))
    return place


def _read_trun(trun: bytes, track: Track, base: int, place: int, defaults: tuple[int, int]) -> int:
    flags, count = struct.unpack_from(">2I", trun)
    flags, version = flags & 0xFFFFFF, flags >> 24
    at = 8
    if flags & 1:
        (offset,), at = struct.unpack_from(">i", trun, at), at + 4
        place = base + offset
    at += 4 if flags & 4 else 0
    fields = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    entry = struct.Struct(">" + "".join("i" if bit == 0x800 and version else "I" for bit in fields))
    if not track.wanted and 0x200 not in fields:
        place += count * defaults[1]  # without a loop, which nothing would bound
        return place
    if len(track.samples) + count > MAX_SAMPLES:
        raise IndexUnreadableError("too many samples", "too_large")
    for number in range(count):
        values = dict(zip(fields, entry.unpack_from(trun, at + number * entry.size), strict=True))
        duration, size = values.get(0x100, defaults[0]), values.get(0x200, defaults[1])
        if track.wanted:
            track.samples.append(Sample(place, size, track.next_time + values.get(0x800, 0), duration))
        track.next_time += duration
        place += size
    return place
