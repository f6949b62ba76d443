"""The log: complete records, in batches and bounds, without secrets."""

import asyncio
import errno
import io
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.events import AuditFailed, LogEvent, LogLineDropped
from gateway.model import Delivery, Grant, Identity, IdentityKind, Outcome
from gateway.observe.library_logs import LibraryHandler, redact, redirect_library_logs
from gateway.observe.logs import LogObserver
from gateway.request_record import RequestRecord
from tests.support.clock import ManualClock
from tests.support.pipes import fill
from tests.support.recorder import Recorder

ANNA = Identity("anna", "https://sso.example.edu", "campus", IdentityKind.JWT, frozenset({"staff"}))


class Stream(io.StringIO):
    """Standard error."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
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


def test_a_request_is_one_record_without_empty_fields(log: LogObserver, stream: Stream, clock: ManualClock) -> None:
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


def test_a_log_event_is_one_record_with_its_fields(log: LogObserver, stream: Stream) -> None:
    log.on_event(LogEvent("warning", "a provider's keys could not be fetched", (("issuer", "campus"),)))
    fields = {"level": "warning", "event": "a provider's keys could not be fetched", "issuer": "campus"}
    assert stream.records == [{"timestamp": "2027-01-15T08:00:00.250Z"} | fields]


def test_other_events_are_not_logged(log: LogObserver, stream: Stream) -> None:
    log.on_event(AuditFailed())
    assert stream.records == []


def test_events_below_the_configured_level_are_not_logged(stream: Stream, clock: ManualClock) -> None:
    log = LogObserver(stream, "json", "warning", clock)
    log.on_request_end(record_of(clock))
    log.on_event(LogEvent("info", "a detail"))
    log.on_event(LogEvent("error", "a fault"))
    assert [record["event"] for record in stream.records] == ["a fault"]


def test_the_console_format_keeps_a_record_on_one_line_whatever_the_names(stream: Stream, clock: ManualClock) -> None:
    log = LogObserver(stream, "console", "info", clock)
    log.on_request_end(
        record_of(clock, identity=Identity("anna\n2027 [error] forged\x1b[31m", "i", "p", IdentityKind.JWT))
    )
    text = stream.getvalue()
    assert text.startswith("2027-01-15T08:00:00.250Z [info   ] request request_id=id-1 method=GET route=")
    assert r"subject='anna\n2027 [error] forged\x1b[31m'" in text
    assert text.count("\n") == 1
    assert "\x1b" not in text


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_levels_are_colored_on_a_terminal_unless_no_color_is_set(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch, no_color: str, colored: bool
) -> None:
    class Terminal(Stream):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("NO_COLOR", no_color)
    terminal = Terminal()
    LogObserver(terminal, "console", "info", clock).on_event(LogEvent("error", "a fault"))
    label = "\x1b[31m[error  ]\x1b[0m" if colored else "[error  ]"
    assert terminal.getvalue() == f"2027-01-15T08:00:00.250Z {label} a fault\n"


def test_json_keeps_a_name_with_line_breaks_on_its_line(log: LogObserver, stream: Stream, clock: ManualClock) -> None:
    log.on_request_end(record_of(clock, identity=Identity("anna\n{}", "i", "p", IdentityKind.JWT)))
    assert [record["subject"] for record in stream.records] == ["anna\n{}"]


def test_a_batch_of_access_records_is_written_at_once(log: LogObserver, stream: Stream, clock: ManualClock) -> None:
    log.on_requests_end([record_of(clock) for _ in range(3)])
    assert (stream.writes, len(stream.records)) == (1, 3)


def test_records_of_a_batch_have_the_times_at_which_their_requests_ended(
    log: LogObserver, stream: Stream, clock: ManualClock
) -> None:
    batch = [record_of(clock), record_of(clock)]
    for record in batch:
        clock.pass_(0.5)
        record.end()
    clock.pass_(10)
    log.on_requests_end(batch)
    times = [record["timestamp"] for record in stream.records]
    assert times == ["2027-01-15T08:00:00.750Z", "2027-01-15T08:00:01.250Z"]


@pytest.mark.promise("operation-O2")
def test_records_that_could_not_be_written_are_counted_in_the_next_batch(clock: ManualClock) -> None:
    class Full(Stream):
        is_full = True

        def write(self, text: str) -> int:
            if self.is_full:
                raise OSError(errno.ENOSPC, "full")
            return super().write(text)

    stream, counted = Full(), Recorder()
    log = LogObserver(stream, "json", "info", clock, counted)
    for count in (2, 3):
        log.on_requests_end([record_of(clock) for _ in range(count)])
    stream.is_full = False
    for _ in range(2):
        log.on_requests_end([record_of(clock)])
    _, dropped, _ = stream.records
    assert (dropped["event"], dropped["level"], dropped["count"]) == ("access records dropped", "warning", 5)
    assert counted.events == [LogLineDropped()] * 5


def test_a_log_that_cannot_be_written_fails_no_request(clock: ManualClock) -> None:
    with io.TextIOWrapper(Path("/dev/full").open("wb", buffering=0), write_through=True) as full:
        log = LogObserver(full, "json", "info", clock)
        log.on_request_end(record_of(clock))
    closed = io.StringIO()
    log = LogObserver(closed, "json", "info", clock)
    closed.close()
    log.on_event(LogEvent("error", "not written"))


@contextmanager
def piped_log(clock: ManualClock, patience: float) -> Iterator[tuple[LogObserver, int, int]]:
    """Yields a log to standard error, which is a pipe, and the pipe's ends: the reader's and the writer's."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream, pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stderr", stream)  # in the test, because pytest replaces it after the fixtures
        log = LogObserver(stream, "json", "error", clock, patience=patience)
        yield log, reader, writer
        log.close()
    os.close(reader)


@pytest.mark.promise("evidence-10")
def test_every_unwritten_line_of_the_audit_waits_for_who_reads(clock: ManualClock) -> None:
    lines = [b'{"event":"close","seq":%d,"text":"%s"}\n' % (number, b"x" * 700) for number in range(3001)]
    lines.insert(0, "ä rest\n".encode()[1:])
    with piped_log(clock, patience=60) as (log, reader, _):
        report = threading.Thread(target=log.report_unwritten, args=(lines,))
        report.start()
        text = b""
        while text.count(b"\n") < len(lines) + 1:
            text += os.read(reader, 65_536)
        report.join()
    first, *records = [json.loads(line) for line in text.splitlines()]
    assert (first["event"], first["count"], first["level"]) == ("audit lines not written: they follow", 3002, "error")
    assert records[0]["line"] == "\\xa4 rest"
    assert [json.loads(record["line"])["seq"] for record in records[1:]] == list(range(3001))


def test_unwritten_lines_of_the_audit_do_not_wait_for_ever(clock: ManualClock) -> None:
    with piped_log(clock, patience=0.01) as (log, reader, writer):
        filling = fill(writer)
        log.report_unwritten([b"{}\n"] * 1000)
        assert len(os.read(reader, filling)) == filling
        assert os.read(reader, 65_536).count(b"\n") <= 51


TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("message", "redacted"),
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
def test_whatever_could_be_secret_is_redacted_in_a_library_message(message: str, redacted: str) -> None:
    assert redact(message) == redacted


@pytest.fixture
def library(log: LogObserver, clock: ManualClock) -> logging.Logger:
    redirect_library_logs(log, clock, "info")
    return logging.getLogger("aiohttp.server")


def test_an_exception_is_logged_with_its_class_and_place_without_its_text(
    library: logging.Logger, stream: Stream
) -> None:
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


def test_debug_messages_of_libraries_are_not_logged(library: logging.Logger, stream: Stream) -> None:
    library.debug("a secret detail")
    assert stream.records == []


def test_a_library_message_that_cannot_be_formatted_is_replaced(clock: ManualClock) -> None:
    observer = Recorder()
    record = logging.LogRecord("asyncio", logging.WARNING, "", 0, "%d requests", ("planted",), None)
    LibraryHandler(observer, clock).handle(record)
    assert observer.events == [LogEvent("warning", "a message that cannot be formatted", (("logger", "asyncio"),))]


@pytest.mark.promise("findings-17")
def test_a_flood_of_library_messages_becomes_twenty_lines_a_second_and_a_count(
    library: logging.Logger, stream: Stream, clock: ManualClock
) -> None:
    for _ in range(1000):
        library.warning("odd request")
    clock.pass_(1)
    library.warning("the next second")
    lines = [(record["event"], record.get("count")) for record in stream.records]
    assert lines == [
        *[("odd request", None)] * 20,
        ("library log lines suppressed", "980"),
        ("the next second", None),
    ]


async def test_the_count_of_suppressed_lines_is_logged_though_no_message_follows(clock: ManualClock) -> None:
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
