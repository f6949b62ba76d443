"""The seconds of a film that a range of bytes belongs to: as ffprobe tells them, and whatever the file claims."""

import asyncio
import contextlib
import json
import os
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.delivery.film_boxes import IndexUnreadableError, boxes
from gateway.delivery.film_index import FilmBoxes, FilmIndex, build_index, find_boxes
from tests.support.programs import program

SEQUENCES = int(os.environ.get("SEQUENCES", "500"))
VIDEO = ("-f", "lavfi", "-i", "testsrc=size=128x72:rate=25:duration=8")
AUDIO = ("-f", "lavfi", "-i", "sine=frequency=440:duration=8")
PLAIN = (*VIDEO, *AUDIO, "-c:v", "libx264", "-bf", "0", "-c:a", "aac")
B_FRAMES = (*VIDEO, *AUDIO, "-c:v", "libx264", "-bf", "3", "-g", "50", "-c:a", "aac")
UNEVEN = "select='not(eq(mod(n,7),3))',setpts='PTS+0.01*mod(N,3)/TB'"
FILMS: dict[str, tuple[str, ...]] = {
    "moov last": PLAIN,
    "moov first": (*PLAIN, "-movflags", "+faststart"),
    "variable frame rate": (*VIDEO, "-vf", UNEVEN, "-fps_mode", "vfr", "-c:v", "libx264", "-bf", "0"),
    "audio only": (*AUDIO, "-c:a", "aac"),
    "edit list": B_FRAMES,
    "more than 4 GiB": PLAIN,
    "fragmented": (*B_FRAMES, "-movflags", "+frag_keyframe+empty_moov"),
    "fragmented with its base in the moof": (*B_FRAMES, "-movflags", "+frag_keyframe+empty_moov+default_base_moof"),
    "fragmented with the audio first": (
        *(*B_FRAMES, "-map", "1:a", "-map", "0:v"),
        *("-movflags", "+frag_keyframe+empty_moov+omit_tfhd_offset"),
    ),
}


async def run(*command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        program(command[0]), *command[1:], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, command
    return out


def index_of(size: int, read: Callable[[int, int], bytes]) -> tuple[FilmIndex, int]:
    """Returns the index and the number of bytes read."""
    reads, total = find_boxes(size), 0
    try:
        first, length = next(reads)
        while True:
            data = read(first, length)
            total += len(data)
            first, length = reads.send(data)
    except StopIteration as stop:
        boxes_read: FilmBoxes = stop.value
        return build_index(boxes_read), total


def index_of_file(path: Path) -> tuple[FilmIndex, int]:
    with path.open("rb") as file:

        def read(first: int, length: int) -> bytes:
            file.seek(first)
            return file.read(length)

        return index_of(path.stat().st_size, read)


def move_behind_5_gib(path: Path) -> None:
    """Puts a hole of 5 GiB before the data of a film whose index is last."""
    parts = dict(boxes(path.read_bytes()))
    hole = 5 * 1024**3
    with path.open("wb") as file:
        file.write(box(b"ftyp", parts[b"ftyp"]) + struct.pack(">I4sQ", 1, b"free", hole))
        file.seek(hole - 16, os.SEEK_CUR)
        moved = file.tell() - len(box(b"ftyp", parts[b"ftyp"])) - (8 if b"free" in parts else 0)
        file.write(box(b"mdat", parts[b"mdat"]))
        file.write(box(b"moov", with_offsets(parts[b"moov"], moved)))


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def with_offsets(content: bytes, moved: int) -> bytes:
    """Returns the content of a box with every table of 32-bit offsets as one of 64 bits, and *moved* added to each."""
    result = b""
    for kind, inner in boxes(content):
        if kind in (b"trak", b"mdia", b"minf", b"stbl"):
            result += box(kind, with_offsets(inner, moved))
        elif kind == b"stco":
            offsets = [offset + moved for (offset,) in struct.iter_unpack(">I", inner[8:])]
            result += box(b"co64", inner[:8] + struct.pack(f">{len(offsets)}Q", *offsets))
        else:
            result += box(kind, inner)
    return result


async def packets(path: Path) -> list[tuple[int, int, float, float]]:
    """Returns offset, end, and start and end in seconds, of each presented packet, by ffprobe."""
    table: list[dict[str, str]] = []
    for stream in ("v:0", "a:0"):
        entries = ("-show_entries", "packet=pts_time,duration_time,pos,size,flags")
        out = await run("ffprobe", "-v", "error", "-select_streams", stream, *entries, "-of", "json", str(path))
        table = json.loads(out)["packets"]
        if table:
            break
    return [
        (
            int(row["pos"]),
            int(row["pos"]) + int(row["size"]),
            float(row["pts_time"]),
            float(row["pts_time"]) + float(row["duration_time"]),
        )
        for row in table
        if "D" not in row["flags"]
    ]


@pytest.mark.promise("evidence-6")
@pytest.mark.parametrize("kind", FILMS)
async def test_the_seconds_of_a_range_are_those_of_ffprobe(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "film.mp4"
    await run("ffmpeg", "-y", "-loglevel", "error", *FILMS[kind], str(path))
    if kind == "more than 4 GiB":
        move_behind_5_gib(path)
    table = await packets(path)
    assert len(table) > 100
    index, read = index_of_file(path)
    assert read < 400_000
    size, choice = path.stat().st_size, random.Random(1)
    begin = min(row[0] for row in table)
    ranges = [(0, size - 1), (0, 0), (begin, begin), (size - 1, size - 1)]
    for _ in range(200):
        first = choice.randrange(begin, size)
        ranges.append((first, min(size - 1, first + choice.randrange(20_000))))
    for first, last in ranges:
        sent = [row for row in table if row[0] <= last and first < row[1]]
        seconds = index.seconds(first, last)
        if not sent:
            assert seconds is None
            continue
        assert seconds is not None
        assert seconds[0] == pytest.approx(min(row[2] for row in sent), abs=0.0011)
        assert seconds[1] == pytest.approx(max(row[3] for row in sent), abs=0.0011)


@pytest.mark.promise("evidence-7")
async def test_a_hostile_index_is_refused_or_read_and_costs_little(tmp_path: Path) -> None:
    originals = []
    for number, kind in enumerate(("moov last", "edit list", "fragmented")):
        path = tmp_path / f"{number}.mp4"
        await run("ffmpeg", "-y", "-loglevel", "error", *FILMS[kind], "-t", "2", str(path))
        originals.append(path.read_bytes())
    choice, slowest = random.Random(2), 0.0
    for _ in range(SEQUENCES):
        data = bytearray(choice.choice(originals))
        start = data.find(choice.choice((b"moov", b"moof", b"stsz", b"stsc", b"stts", b"elst", b"trun", b"tfhd")))
        for _ in range(choice.randrange(1, 6)):
            at = (max(start, 4) - 4 + choice.randrange(60)) % (len(data) - 4)
            value = choice.choice((0, 1, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, choice.getrandbits(32)))
            data[at : at + 4] = struct.pack(">I", value)
        began = time.process_time()
        with contextlib.suppress(IndexUnreadableError):
            index_of(len(data), lambda first, length, data=data: bytes(data[first : first + length]))  # type: ignore[misc]
        slowest = max(slowest, time.process_time() - began)
    assert slowest < 5


def test_what_is_no_film_has_no_index() -> None:
    for data in (b"", b"RIFF" * 10, bytes(1000), box(b"ftyp", b"isom") + box(b"mdat", bytes(100))):
        with pytest.raises(IndexUnreadableError):
            index_of(len(data), lambda first, length, data=data: data[first : first + length])  # type: ignore[misc]


def test_a_claim_of_billions_of_samples_is_refused() -> None:
    sizes = box(b"stsz", struct.pack(">III", 0, 1, 2**32 - 1))
    table = box(b"minf", box(b"stbl", sizes))
    media = box(b"mdia", box(b"mdhd", bytes(12) + struct.pack(">I", 1000)) + box(b"hdlr", bytes(8) + b"vide") + table)
    track = box(b"trak", box(b"tkhd", bytes(12) + struct.pack(">I", 1)) + media)
    data = box(b"moov", box(b"mvhd", bytes(12) + struct.pack(">I", 1000)) + track)
    with pytest.raises(IndexUnreadableError, match="too many samples"):
        index_of(len(data), lambda first, length: data[first : first + length])
