"""The loader of film indexes: every failure is counted with its reason, and nothing stops or slows the event loop."""

import asyncio
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.delivery.film_boxes import IndexUnreadableError
from gateway.delivery.film_index import FilmBoxes, build_index, find_boxes
from gateway.delivery.film_indexes import FilmIndexes
from gateway.delivery.film_parser import build_in_process
from gateway.delivery.verdicts import Representation
from gateway.errors import ValtUnavailableError
from gateway.events import FILM_INDEX_OUTCOMES, FilmIndexLoaded, LogEvent
from gateway.model import Link, Secret, Video
from gateway.request_record import FilmSeconds
from tests.support.measures import ROOT
from tests.support.recorder import Recorder

pytestmark = pytest.mark.promise("evidence-7")
VIDEO = Video("rec-1", "vid-1")


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def film(samples: int, *, chunks: int | None = None, edits: int = 0) -> bytes:
    """Returns a ``moov`` box of a video with one sample of 100 bytes in each chunk, 25 a second."""
    chunks = samples if chunks is None else chunks
    tables = {
        b"stsz": struct.pack(">III", 0, 0, samples) + struct.pack(">I", 100) * samples,
        b"stco": struct.pack(">II", 0, chunks) + b"".join(struct.pack(">I", at * 100) for at in range(chunks)),
        b"stts": struct.pack(">II", 0, 1) + struct.pack(">II", samples, 1),
        b"stsc": struct.pack(">II", 0, 1) + struct.pack(">III", 1, 1, 1),
    }
    table = box(b"stbl", b"".join(box(kind, content) for kind, content in tables.items()))
    handler = box(b"mdhd", bytes(12) + struct.pack(">I", 25)) + box(b"hdlr", bytes(8) + b"vide")
    lists = box(b"edts", box(b"elst", struct.pack(">II", 0, edits) + struct.pack(">Iii", 1000, 0, 1) * edits))
    track = box(b"tkhd", bytes(12) + struct.pack(">I", 1)) + (lists if edits else b"")
    track += box(b"mdia", handler + box(b"minf", table))
    return box(b"moov", box(b"mvhd", bytes(12) + struct.pack(">I", 1000)) + box(b"trak", track))


class Links:
    """Implements ports.Links: there is always a link."""

    def cached(self, account: str, video: Video, *, min_life: float = 0.0) -> Link | None:
        return None

    async def get(self, account: str, video: Video, *, min_life: float = 0.0) -> Link:
        return Link(Secret("http://media.example.edu/film.mp4"), None, None)

    async def renew(self, account: str, video: Video, stale: Link) -> Link:
        return stale


def loader(data: bytes, observer: Recorder) -> FilmIndexes:
    async def read_range(_link: Link, first: int, length: int, _body: Representation) -> bytes:
        return data[first : first + length]

    return FilmIndexes(read_range, Links(), observer)


def body_of(size: int, etag: str | None = None) -> Representation:
    return Representation(0, size, size, etag)


async def load(films: FilmIndexes, body: Representation) -> FilmSeconds | None:
    index = films.request("reviewer", VIDEO, body)
    return await index if isinstance(index, asyncio.Future) else index


def outcomes(observer: Recorder) -> list[str]:
    return [event.outcome for event in observer.events if isinstance(event, FilmIndexLoaded)]


async def test_an_index_that_a_process_has_built_is_the_same() -> None:
    data = film(3000)
    moov = FilmBoxes(data[8:], [])
    index = await build_in_process(moov)
    assert index == build_index(moov)
    assert index.duration == 120
    for first, last in ((0, 10**9), (100, 100), (51_199, 51_200), (150, 260_000), (10**9, 10**9)):
        sent = [number for number in range(3000) if number * 100 <= last and number * 100 + 99 >= first]
        assert index.seconds(first, last) == ((sent[0] / 25, (sent[-1] + 1) / 25) if sent else None)


@pytest.mark.parametrize(
    ("data", "outcome", "reason"),
    [
        (film(10), "ok", None),
        (box(b"moov", bytes(7)), "damaged", "a box is too short"),
        (film(600_000, chunks=1), "too_large", "too many samples"),
        (film(10, chunks=600_000), "too_large", "too many entries"),
        (film(10, edits=40), "too_large", "too many edits"),
        (struct.pack(">I4s", 40_000_000, b"moov"), "too_large", "too large"),
        (box(b"ftyp", b"isom"), "no_index", "no moov box"),
        (box(b"moov", box(b"mvhd", bytes(12) + struct.pack(">I", 1000))), "no_index", "no samples"),
    ],
)
async def test_each_reason_is_counted_and_logged(data: bytes, outcome: str, reason: str | None) -> None:
    observer = Recorder()
    size = len(data) if len(data) > 8 else 50_000_000
    index = await load(loader(data, observer), body_of(size))
    assert (index is None) == (outcome != "ok")
    assert outcomes(observer) == [outcome]
    logged = [dict(event.fields)["reason"] for event in observer.events if isinstance(event, LogEvent)]
    assert logged == ([] if reason is None else [reason])


async def test_failures_of_the_media_server_are_counted_and_not_repeated_at_once() -> None:
    observer = Recorder()
    films = loader(b"", observer)
    errors: list[Callable[[], Exception]] = [lambda: ValtUnavailableError("down"), TimeoutError, lambda: KeyError("x")]

    async def fail(*_: object) -> bytes:
        raise errors[0]()

    films.read_range = fail
    for size, expected in enumerate(("unavailable", "timeout", "internal"), 100):
        assert await load(films, body_of(size)) is None
        assert await load(films, body_of(size)) is None  # not at once
        assert outcomes(observer)[-1:] == [expected]
        assert len(outcomes(observer)) == size - 99
        errors.pop(0)


async def test_more_waiting_films_than_the_limit_are_counted_as_busy() -> None:
    observer = Recorder()
    films = loader(b"", observer)
    never = asyncio.Event()

    async def wait(*_: object) -> bytes:
        await never.wait()
        return b""

    films.read_range = wait
    loads = [films.request("reviewer", VIDEO, body_of(size)) for size in range(1, 34)]
    assert loads[-1] is None
    assert outcomes(observer) == ["busy"]
    await films.close()


def test_every_outcome_has_a_test() -> None:
    tested = {"ok", "damaged", "too_large", "no_index", "unavailable", "timeout", "internal", "busy"}
    assert tested == set(FILM_INDEX_OUTCOMES)


async def test_a_film_of_equal_size_with_another_validator_has_an_index_of_its_own() -> None:
    observer = Recorder()
    data = film(10)
    films = loader(data, observer)
    for etag in ('"1"', '"2"', '"1"'):
        await load(films, body_of(len(data), etag))
    assert outcomes(observer) == ["ok", "ok"]


async def test_the_indexes_of_a_hundred_films_are_read_once() -> None:
    observer = Recorder()
    data = box(b"ftyp", bytes(1000))
    films = loader(data, observer)
    for _ in range(2):
        for number in range(100):
            await load(films, body_of(len(data), f'"{number}"'))
    assert outcomes(observer) == ["no_index"] * 100


async def longest_wait(work: Awaitable[object]) -> float:
    """Returns the longest time, in seconds, for which the event loop did not run a timer during *work*."""
    longest, last = 0.0, time.perf_counter()
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0.001)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    await asyncio.gather(task, return_exceptions=True)
    return longest


async def test_the_largest_index_does_not_stop_the_event_loop() -> None:
    data = film(450_000)
    wait = await longest_wait(load(loader(data, Recorder()), body_of(len(data))))
    assert wait < 0.5  # 0.02 s on an idle machine; 1.1 s where a thread builds it


async def test_the_parser_has_limits_of_processor_time_and_memory_before_it_reads() -> None:
    arguments = ("-S", "-P", "-m", "gateway.delivery.film_parser")
    environ = {"PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environ
    )
    try:
        async with asyncio.timeout(60):  # it has read nothing: its standard input is open
            while True:
                rows = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
                limits = {row[:26].strip(): row[26:].split()[:2] for row in rows[1:]}
                if limits["Max address space"] == ["1073741824"] * 2 and limits["Max cpu time"] == ["20"] * 2:
                    break
                await asyncio.sleep(0.05)
        out, _ = await process.communicate(b"")
        assert out == b"!damaged:error"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_parser_that_runs_has_ended_when_the_indexes_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, parser = tmp_path / "pid", tmp_path / "parser"
    parser.write_text(f"#!/bin/sh\necho $$ > {number}.new\nmv {number}.new {number}\nexec sleep 1000\n")
    parser.chmod(0o700)
    monkeypatch.setattr("gateway.delivery.film_parser.sys.executable", str(parser))
    data = film(10)
    films = loader(data, Recorder())
    index = films.request("reviewer", VIDEO, body_of(len(data)))
    async with asyncio.timeout(60):
        while not number.exists():
            await asyncio.sleep(0.02)
    await films.close()
    assert not Path("/proc", number.read_text().strip()).exists()
    assert isinstance(index, asyncio.Future)
    assert index.cancelled()


async def test_a_parser_that_exceeds_its_limits_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.delivery.film_parser.sys.executable", "/bin/false")
    with pytest.raises(IndexUnreadableError, match="limits"):
        await build_in_process(FilmBoxes(b"", []))
    monkeypatch.setattr("gateway.delivery.film_parser.sys.executable", "/missing")
    with pytest.raises(IndexUnreadableError, match="started"):
        await build_in_process(FilmBoxes(b"", []))


def test_a_search_for_boxes_reads_little() -> None:
    assert next(find_boxes(10**12)) == (0, 64 * 1024)
