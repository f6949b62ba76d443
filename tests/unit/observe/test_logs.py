"""The log: whole records, in batches, in bounds, and nothing that is secret."""

import asyncio
import io
import json
import logging
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.events import AuditFailed, LogEvent
from gateway.model import Delivery, Grant, Identity, IdentityKind, Outcome
from gateway.observe.logs import LogObserver, take_over
from gateway.observe.stdlib_logging import LibraryHandler, cleaned
from gateway.request_record import RequestRecord
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder

ANNA = Identity("anna", "https://sso.example.edu", "campus", IdentityKind.JWT, frozenset({"staff"}))


class Stream(io.StringIO):
    """Standard error, that tells when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()
        self.writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        self.written.set()
        return super().write(text)

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall=1_800_000_000.25)


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def log(stream: Stream, clock: ManualClock) -> LogObserver:
    return LogObserver(stream, "json", "info", clock)


def record_of(clock: ManualClock, **more: Any) -> RequestRecord:
    request_record = RequestRecord(
        "id-1", "GET", "/recordings/{recording}/videos/{video}", "192.0.2.7", clock.monotonic, clock.steady
    )
    for name, value in more.items():
        setattr(request_record, name, value)
    return request_record


def test_a_request_is_one_record(log: LogObserver, stream: Stream, clock: ManualClock) -> None:
    request_record = record_of(
        clock, identity=ANNA, recording="rec-1", video="vid-1", delivery=Delivery.PROXY, status=206
    )
    request_record.grant = Grant(ANNA, "rec-1", "vid-1", "reviewer", Delivery.PROXY, "supervisors")
    request_record.bytes, request_record.outcome, request_record.reason = 4096, Outcome.CUT, "revoked"
    clock.pass_(1.5)
    request_record.end()
    log.on_request_end(request_record)
    assert stream.records == [
        {
            "timestamp": "2027-01-15T08:00:01.750Z",
            "level": "info",
            "event": "request",
            "request_id": "id-1",
            "method": "GET",
            "route": "/recordings/{recording}/videos/{video}",
            "status": 206,
            "code": None,
            "reason": "revoked",
            "subject": "anna",
            "provider": "campus",
            "rule": "supervisors",
            "recording": "rec-1",
            "video": "vid-1",
            "delivery": "proxy",
            "bytes": 4096,
            "outcome": "cut",
            "seconds": 1.5,
            "peer": "192.0.2.7",
        }
    ]


def test_what_an_operator_should_notice_is_told_with_its_fields(log: LogObserver, stream: Stream) -> None:
    log.on_event(LogEvent("warning", "a provider's keys could not be fetched", (("issuer", "campus"),)))
    told = {"level": "warning", "event": "a provider's keys could not be fetched", "issuer": "campus"}
    assert stream.records == [{"timestamp": "2027-01-15T08:00:00.250Z"} | told]


def test_other_events_are_not_logged(log: LogObserver, stream: Stream) -> None:
    log.on_event(AuditFailed())
    assert stream.records == []


def test_below_the_configured_level_nothing_is_told(stream: Stream, clock: ManualClock) -> None:
    log = LogObserver(stream, "json", "warning", clock)
    log.on_request_end(record_of(clock))
    log.on_event(LogEvent("info", "small talk"))
    log.on_event(LogEvent("error", "a fault"))
    assert [record["event"] for record in stream.records] == ["a fault"]


def test_the_console_shows_a_line_for_a_person_and_no_name_can_begin_another(
    stream: Stream, clock: ManualClock
) -> None:
    log = LogObserver(stream, "console", "info", clock)
    log.on_request_end(
        record_of(clock, identity=Identity("anna\n2027 [error] forged\x1b[31m", "i", "p", IdentityKind.JWT))
    )
    text = stream.getvalue()
    assert text.startswith("2027-01-15T08:00:00.250Z [info")
    assert text.count("\n") == 1
    assert "\x1b" not in text


def test_json_keeps_a_name_with_line_breaks_on_its_line(log: LogObserver, stream: Stream, clock: ManualClock) -> None:
    log.on_request_end(record_of(clock, identity=Identity("anna\n{}", "i", "p", IdentityKind.JWT)))
    assert [record["subject"] for record in stream.records] == ["anna\n{}"]


async def test_records_wait_for_one_another_and_are_written_together(
    log: LogObserver, stream: Stream, clock: ManualClock
) -> None:
    log.start()
    for _ in range(3):
        log.on_request_end(record_of(clock))
    assert stream.writes == 0
    async with asyncio.timeout(5):
        await stream.written.wait()
    assert (stream.writes, len(stream.records)) == (1, 3)
    log.stop()


async def test_a_full_batch_does_not_wait(log: LogObserver, stream: Stream, clock: ManualClock) -> None:
    log.start()
    for _ in range(512):
        log.on_request_end(record_of(clock))
    await asyncio.sleep(0)
    assert (stream.writes, len(stream.records)) == (1, 512)
    log.stop()


async def test_more_than_can_wait_is_dropped_and_counted(log: LogObserver, stream: Stream, clock: ManualClock) -> None:
    log.start()
    for _ in range(5000):
        log.on_request_end(record_of(clock))
    log.stop()
    *requests, last = stream.records
    assert len(requests) == 4096
    assert (last["event"], last["level"], last["count"]) == ("access records dropped", "warning", 904)


async def test_at_the_end_everything_that_waits_is_written(
    log: LogObserver, stream: Stream, clock: ManualClock
) -> None:
    log.start()
    log.on_request_end(record_of(clock))
    log.stop()
    assert len(stream.records) == 1


def test_a_log_that_cannot_be_written_ends_no_request(clock: ManualClock) -> None:
    with io.TextIOWrapper(Path("/dev/full").open("wb", buffering=0), write_through=True) as full:
        log = LogObserver(full, "json", "info", clock)
        log.on_request_end(record_of(clock))
    closed = io.StringIO()
    log = LogObserver(closed, "json", "info", clock)
    closed.close()
    log.on_event(LogEvent("error", "nobody hears this"))


TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Cannot connect to https://valt.example.edu/dl?token=abc now", "Cannot connect to … now"),
        ("GET /recordings/a?ticket=abc failed", "GET … failed"),
        (f"bad token {TOKEN} seen", "bad token … seen"),
        ("key vgk_short seen", "key … seen"),
        ("Authorization: Bearer abc def", "…"),
        ("header b'X-Any: abc def' is odd", "header … is odd"),
        ("odd line b'cut off abc", "odd line …"),
        ("sha 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "sha …"),
        ("first\nCookie: abc", "first"),
        ("Error handling request from 192.0.2.7", "Error handling request from 192.0.2.7"),
        ("", ""),
    ],
)
def test_a_librarys_message_is_told_without_what_could_be_secret(message: str, told: str) -> None:
    assert cleaned(message) == told


@pytest.fixture
def library(log: LogObserver, clock: ManualClock) -> logging.Logger:
    take_over(log, clock, "info")
    return logging.getLogger("aiohttp.server")


def test_an_exception_is_told_by_its_kind_and_place_without_its_text(library: logging.Logger, stream: Stream) -> None:
    try:
        raise aiohttp.InvalidURL("https://valt.example.edu/dl?token=planted")
    except aiohttp.InvalidURL:
        library.exception("Error handling request from %s", "192.0.2.7")
    record = stream.records[0]
    assert record.pop("where").startswith("test_logs.py:")
    assert record == {
        "timestamp": "2027-01-15T08:00:00.250Z",
        "level": "error",
        "event": "Error handling request from 192.0.2.7",
        "logger": "aiohttp.server",
        "error": "InvalidURL",
    }


def test_what_libraries_say_for_their_own_developers_is_not_told(library: logging.Logger, stream: Stream) -> None:
    library.debug("a secret detail")
    assert stream.records == []


def test_a_library_that_cannot_format_its_message_ends_nothing(clock: ManualClock) -> None:
    told = Recorder()
    record = logging.LogRecord("asyncio", logging.WARNING, "", 0, "%d requests", ("planted",), None)
    LibraryHandler(told, clock).handle(record)
    assert told.events == [LogEvent("warning", "a message that cannot be formatted", (("logger", "asyncio"),))]


@pytest.mark.promise("findings-17")
def test_a_flood_is_cut_to_a_few_lines_a_second_and_one_with_the_count(
    library: logging.Logger, stream: Stream, clock: ManualClock
) -> None:
    for _ in range(1000):
        library.warning("odd request")
    clock.pass_(1)
    library.warning("the next second")
    told = [(record["event"], record.get("count")) for record in stream.records]
    assert told == [
        *[("odd request", None)] * 20,
        ("lines of libraries left out", "980"),
        ("the next second", None),
    ]


async def test_the_count_of_a_flood_is_told_though_no_line_follows(clock: ManualClock) -> None:
    counted = asyncio.Event()

    class Waiting(Recorder):
        def on_event(self, event: object) -> None:
            if isinstance(event, LogEvent) and event.fields == (("count", "5"),):
                counted.set()

    handler = LibraryHandler(Waiting(), clock, period=0.01)
    for _ in range(25):
        handler.handle(logging.LogRecord("asyncio", logging.WARNING, "", 0, "odd", None, None))
    async with asyncio.timeout(5):
        await counted.wait()
