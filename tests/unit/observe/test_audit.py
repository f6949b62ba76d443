"""The audit: complete lines, in order, and none lost."""

import asyncio
import inspect
import json
import os
import resource
import select
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import BusyError, GatewayError
from gateway.events import AuditFailed, AuditWritten, LogEvent
from gateway.model import Delivery, Grant, Identity, IdentityKind, Outcome
from gateway.observe.audit import AuditLog
from gateway.observe.json_lines import rfc3339
from gateway.request_record import FilmSeconds, RequestRecord
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder

ANNA = Identity("anna", "https://sso.example.edu", "campus", IdentityKind.JWT, frozenset({"staff", "supervisors"}))
BEN = Identity("ben", "https://sso.example.edu", "campus", IdentityKind.JWT)
GRANT = Grant(
    ANNA, "rec-1", "vid-1", "reviewer", Delivery.PROXY, "supervisors", groups=frozenset({"supervisors", "leads"})
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall=1_800_000_000.25)


@pytest.fixture
def observer() -> Recorder:
    return Recorder()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def audit(path: Path, clock: ManualClock, observer: Recorder) -> Iterator[AuditLog]:
    audit = AuditLog(str(path), clock, observer)
    audit.open()
    yield audit
    audit.close()


def record_of(clock: ManualClock, **more: Any) -> RequestRecord:
    record = RequestRecord(
        "id-1", "GET", "/recordings/{recording}/videos/{video}", "192.0.2.7", clock.monotonic, clock.steady
    )
    for name, value in more.items():
        setattr(record, name, value)
    return record


def stream_of(clock: ManualClock, **more: Any) -> RequestRecord:
    values = {"identity": ANNA, "video": "vid-1", "recording": "rec-1", "grant": GRANT, "delivery": Delivery.PROXY}
    return record_of(clock, **values, range="bytes=0-", status=206, **more)


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of requests, without the members of the chain."""
    chained = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        {name: value for name, value in line.items() if name not in ("chain", "seq", "hash")}
        for line in chained
        if line["event"] != "chain"
    ]


def events(path: Path) -> list[str]:
    return [line["event"] for line in lines(path)]


OPEN = {
    "v": 2,
    "time": "2027-01-15T08:00:00.250Z",
    "event": "open",
    "request_id": "id-1",
    "subject": "anna",
    "issuer": "https://sso.example.edu",
    "provider": "campus",
    "groups": ["leads", "supervisors"],
    "rule": "supervisors",
    "account": "reviewer",
    "recording": "rec-1",
    "video": "vid-1",
    "delivery": "proxy",
    "method": "GET",
    "range": "bytes=0-",
    "status": 206,
    "code": None,
    "bytes": None,
    "resumes": None,
    "outcome": None,
    "seconds": None,
    "peer": "192.0.2.7",
    "front_request_id": None,
    "first_byte": None,
    "last_byte": None,
    "film_from": None,
    "film_to": None,
}


async def test_a_stream_has_an_open_line_and_after_its_end_a_close_line(
    audit: AuditLog, path: Path, clock: ManualClock, observer: Recorder
) -> None:
    record = stream_of(clock)
    await audit.opened(record)
    assert lines(path) == [OPEN]
    assert record.opened
    clock.pass_(12.5)
    record.bytes, record.resumes, record.outcome = 4096, 2, Outcome.LEFT
    record.end()
    audit.on_request_end(record)
    ended = {"time": "2027-01-15T08:00:12.750Z", "event": "close"}
    assert lines(path) == [OPEN, OPEN | ended | {"bytes": 4096, "resumes": 2, "outcome": "left", "seconds": 12.5}]
    assert observer.events == [AuditWritten("chain"), AuditWritten("open"), AuditWritten("close")]


@pytest.mark.parametrize("outcome", [None, Outcome.WHOLE])
async def test_a_stream_that_an_error_ends_before_its_head_has_failed(
    audit: AuditLog, path: Path, clock: ManualClock, outcome: Outcome | None
) -> None:
    record = stream_of(clock, outcome=outcome)
    await audit.opened(record)
    record.fail(GatewayError("an internal error"))
    audit.on_request_end(record)
    assert [(line["event"], line["code"], line["outcome"]) for line in lines(path)] == [
        ("open", None, None),
        ("close", "internal", "failed"),
    ]


def test_a_refused_video_is_one_deny_line_with_its_code(audit: AuditLog, path: Path, clock: ManualClock) -> None:
    audit.on_request_end(record_of(clock, recording="rec-1", video="vid-1", status=401, code="credentials_missing"))
    unknown = dict.fromkeys(("subject", "issuer", "provider", "groups", "rule", "account", "delivery", "range"))
    refused = {"event": "deny", "status": 401, "code": "credentials_missing", "bytes": 0, "resumes": 0, "seconds": 0.0}
    assert lines(path) == [OPEN | unknown | refused]


def test_a_stream_that_is_cut_before_it_opened_is_one_deny_line_without_a_code(
    audit: AuditLog, path: Path, clock: ManualClock
) -> None:
    record = stream_of(clock)
    record.status, record.outcome = None, Outcome.CUT
    audit.on_request_end(record)
    refused = {"event": "deny", "status": None, "bytes": 0, "resumes": 0, "outcome": "cut", "seconds": 0.0}
    assert lines(path) == [OPEN | refused]


def test_a_refused_recording_is_one_deny_line_without_a_video(audit: AuditLog, path: Path, clock: ManualClock) -> None:
    audit.on_request_end(record_of(clock, identity=ANNA, recording="rec-1", status=403, code="access_denied"))
    line = lines(path)[0]
    fields = {name: line[name] for name in ("event", "subject", "recording", "video", "code")}
    assert fields == {
        "event": "deny",
        "subject": "anna",
        "recording": "rec-1",
        "video": None,
        "code": "access_denied",
    }


def test_requests_for_no_recording_and_pages_are_not_audited(audit: AuditLog, path: Path, clock: ManualClock) -> None:
    audit.on_request_end(record_of(clock, status=404, code="not_found"))
    audit.on_request_end(record_of(clock, status=200))
    audit.on_request_end(record_of(clock, identity=ANNA, recording="rec-1", status=200))
    assert lines(path) == []


def test_a_request_that_its_client_gives_up_before_its_first_byte_is_not_audited(
    audit: AuditLog, path: Path, clock: ManualClock
) -> None:
    audit.on_request_end(stream_of(clock, outcome=Outcome.LEFT))
    assert lines(path) == []


async def test_a_redirect_has_an_open_line_and_no_close_line(audit: AuditLog, path: Path, clock: ManualClock) -> None:
    record = stream_of(clock)
    record.delivery, record.status = Delivery.REDIRECT, 307
    await audit.opened(record)
    audit.on_request_end(record)
    assert events(path) == ["open"]


def test_an_api_call_is_one_line(audit: AuditLog, path: Path, clock: ManualClock) -> None:
    audit.on_request_end(record_of(clock, identity=ANNA, api=True, recording="rec-1", status=200))
    assert events(path) == ["api"]


def test_sign_in_and_sign_out_lines_name_the_person(audit: AuditLog, path: Path, clock: ManualClock) -> None:
    audit.signed("sign_in", ANNA, record_of(clock))
    audit.signed("sign_out", ANNA, record_of(clock))
    signed = [(line["event"], line["subject"], line["provider"]) for line in lines(path)]
    assert signed == [("sign_in", "anna", "campus"), ("sign_out", "anna", "campus")]


def test_a_sign_out_line_has_nothing_of_what_another_person_is_granted(
    audit: AuditLog, path: Path, clock: ManualClock
) -> None:
    audit.signed("sign_out", BEN, stream_of(clock))
    (line,) = lines(path)
    assert (line["subject"], line["request_id"], line["method"], line["peer"]) == ("ben", "id-1", "GET", "192.0.2.7")
    for name in ("groups", "rule", "account", "recording", "video", "delivery", "range"):
        assert line[name] is None, name


def test_a_name_with_line_breaks_stays_on_its_line(audit: AuditLog, path: Path, clock: ManualClock) -> None:
    forged = Identity('anna\n{"v":1}\u2028', "https://sso.example.edu", "campus", IdentityKind.JWT)
    audit.signed("sign_in", forged, record_of(clock))
    assert [line["subject"] for line in lines(path)] == [forged.subject]


def test_no_character_of_a_name_controls_a_terminal(audit: AuditLog, path: Path, clock: ManualClock) -> None:
    name = "".join(map(chr, range(0x100))) + "\u2028\u202e\ud800"
    audit.signed("sign_in", Identity(name, "issuer", "campus", IdentityKind.JWT), record_of(clock))
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in path.read_bytes())
    assert lines(path)[0]["subject"] == name


def test_only_the_owner_may_read_the_file(audit: AuditLog, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_after_a_rotation_lines_go_to_the_new_file(audit: AuditLog, path: Path, clock: ManualClock) -> None:
    record = stream_of(clock)
    await audit.opened(record)
    moved = path.rename(path.with_suffix(".1"))
    audit.reopen()
    audit.on_request_end(record)
    assert (events(moved), events(path)) == (["open"], ["close"])


@pytest.mark.promise("operation-O1")
async def test_if_the_file_cannot_be_reopened_lines_wait_and_streams_are_refused(
    audit: AuditLog, path: Path, clock: ManualClock, observer: Recorder
) -> None:
    running = stream_of(clock)
    await audit.opened(running)
    moved = path.rename(path.with_suffix(".1"))
    path.mkdir()
    for _ in range(3):
        audit.reopen()
    assert not audit.is_writable
    with pytest.raises(BusyError):
        await audit.opened(stream_of(clock))
    audit.on_request_end(running)
    assert (events(moved), audit.waiting) == (["open"], 1)
    message = "the audit cannot be written: new streams are refused until it can"
    logged = [event for event in observer.events if isinstance(event, LogEvent)]
    assert logged == [LogEvent("error", message, (("cause", "EISDIR"), ("file", str(path))))]
    path.rmdir()
    audit.tick()
    assert audit.is_writable
    await audit.opened(stream_of(clock))
    assert events(path) == ["close", "open"]


def test_lines_that_cannot_be_written_at_the_end_are_returned(clock: ManualClock, observer: Recorder) -> None:
    audit = AuditLog("/dev/full", clock, observer)
    audit.open()
    audit.signed("sign_in", ANNA, record_of(clock))
    [line] = audit.close()
    assert json.loads(line)["event"] == "sign_in"


async def test_on_a_full_disk_no_stream_is_opened_and_one_error_is_logged(
    clock: ManualClock, observer: Recorder
) -> None:
    audit = AuditLog("/dev/full", clock, observer)
    audit.open()
    record = stream_of(clock)
    for _ in range(2):
        with pytest.raises(BusyError):
            await audit.opened(record)
    audit.close()
    assert not record.opened
    message = "the audit cannot be written: new streams are refused until it can"
    assert observer.events == [
        AuditFailed(),
        LogEvent("error", message, (("cause", "ENOSPC"), ("file", "/dev/full"))),
        AuditFailed(),
    ]


async def test_lines_that_could_not_be_written_come_before_the_next_line(
    path: Path, clock: ManualClock, observer: Recorder
) -> None:
    disk = path.with_name("disk")
    disk.symlink_to(path)
    audit = AuditLog(str(disk), clock, observer)
    audit.open()
    first, second = stream_of(clock), stream_of(clock)
    await audit.opened(first)
    point(disk, "/dev/full")
    audit.reopen()
    audit.on_request_end(first)
    with pytest.raises(BusyError):
        await audit.opened(second)
    second.code, second.status = "busy", 503
    audit.on_request_end(second)
    point(disk, str(path))
    audit.reopen()
    await audit.opened(stream_of(clock))
    audit.close()
    assert events(path) == ["open", "close", "deny", "open"]
    assert LogEvent("info", "the audit can be written again") in observer.events


def test_close_writes_the_lines_that_wait(path: Path, clock: ManualClock, observer: Recorder) -> None:
    disk = path.with_name("disk")
    disk.symlink_to("/dev/full")
    audit = AuditLog(str(disk), clock, observer)
    audit.open()
    audit.signed("sign_out", ANNA, record_of(clock))
    point(disk, str(path))
    audit.reopen()
    audit.close()
    assert events(path) == ["sign_out"]


async def test_a_partly_written_line_is_completed_by_the_next_write(
    audit: AuditLog, path: Path, clock: ManualClock
) -> None:
    await audit.opened(stream_of(clock))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
    try:
        with pytest.raises(BusyError):
            await audit.opened(stream_of(clock))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not path.read_bytes().endswith(b"\n")
    audit.signed("sign_out", ANNA, record_of(clock))
    assert events(path) == ["open", "open", "sign_out"]


async def test_deny_lines_beyond_the_limit_are_counted_and_close_lines_still_wait(
    path: Path, clock: ManualClock, observer: Recorder
) -> None:
    disk = path.with_name("disk")
    disk.symlink_to(path)
    audit = AuditLog(str(disk), clock, observer, max_waiting=2)
    audit.open()
    stream = stream_of(clock)
    await audit.opened(stream)
    point(disk, "/dev/full")
    audit.reopen()
    for _ in range(5):
        audit.on_request_end(record_of(clock, recording="rec-1", status=403, code="access_denied"))
    audit.on_request_end(stream)
    point(disk, str(path))
    audit.reopen()
    audit.close()
    assert events(path) == ["open", "deny", "deny", "close", "deny_summary"]
    assert [line["count"] for line in lines(path) if line["event"] == "deny_summary"] == [3]
    assert observer.events.count(AuditFailed()) == 6


def deny(audit: AuditLog, clock: ManualClock, number: int) -> None:
    for _ in range(number):
        audit.on_request_end(record_of(clock, recording="rec-1", status=403, code="access_denied"))


def test_close_returns_how_many_refusals_have_no_line_if_it_cannot_write(
    clock: ManualClock, observer: Recorder
) -> None:
    audit = AuditLog("/dev/full", clock, observer, max_waiting=2)
    audit.open()
    deny(audit, clock, 5)
    unwritten = [json.loads(line) for line in audit.close()]
    assert [line["event"] for line in unwritten][-3:] == ["deny", "deny", "deny_summary"]
    assert unwritten[-1]["count"] == 3


def test_close_writes_how_many_refusals_have_no_line(path: Path, clock: ManualClock, observer: Recorder) -> None:
    audit = AuditLog(str(path), clock, observer, max_waiting=2)
    audit.open()
    audit.signed("sign_in", ANNA, record_of(clock))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        deny(audit, clock, 5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert audit.close() == []
    assert events(path) == ["sign_in", "deny", "deny", "deny_summary"]
    assert lines(path)[-1]["count"] == 3


async def test_a_file_that_is_not_open_refuses_streams(path: Path, clock: ManualClock, observer: Recorder) -> None:
    with pytest.raises(BusyError):
        await AuditLog(str(path), clock, observer).opened(stream_of(clock))


def redirect_of(clock: ManualClock) -> RequestRecord:
    record = stream_of(clock)
    record.delivery, record.status = Delivery.REDIRECT, 307
    return record


async def test_open_lines_of_simultaneous_redirects_are_written_together(
    audit: AuditLog, path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def write(descriptor: int, data: bytes, write: Callable[[int, bytes], int] = os.write) -> int:
        sizes.append(len(data))
        return write(descriptor, data)

    await audit.opened(redirect_of(clock))
    monkeypatch.setattr(os, "write", write)
    records = [redirect_of(clock) for _ in range(20)]
    await asyncio.gather(*map(audit.opened, records))
    assert all(record.opened for record in records)
    assert events(path) == ["open"] * 21
    assert len(sizes) < 6
    assert max(sizes) <= select.PIPE_BUF


async def test_each_of_simultaneous_redirects_depends_on_its_own_line(
    audit: AuditLog, path: Path, clock: ManualClock
) -> None:
    await audit.opened(redirect_of(clock))
    size = path.stat().st_size
    length = len(path.read_bytes().splitlines(keepends=True)[-1])
    records = [redirect_of(clock) for _ in range(4)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2 * length + 100, hard))
    try:
        results = await asyncio.gather(*map(audit.opened, records), return_exceptions=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [type(result) for result in results] == [type(None), type(None), BusyError, BusyError]
    assert [record.opened for record in records] == [True, True, False, False]
    await audit.opened(redirect_of(clock))
    assert events(path) == ["open"] * 5  # the third of the four was partly written, and is completed


async def test_a_redirect_that_is_cancelled_delays_no_other_and_its_line_is_written(
    audit: AuditLog, path: Path, clock: ManualClock
) -> None:
    records = [redirect_of(clock) for _ in range(2)]
    first, second = (asyncio.create_task(audit.opened(record)) for record in records)
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert [record.opened for record in records] == [False, True]
    assert events(path) == ["open", "open"]


async def test_close_writes_the_open_lines_of_redirects(audit: AuditLog, path: Path, clock: ManualClock) -> None:
    redirect = asyncio.create_task(audit.opened(redirect_of(clock)))
    await asyncio.sleep(0)
    audit.close()
    assert events(path) == ["open"]
    await redirect


def point(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)


@pytest.mark.promise("evidence-8")
async def test_a_close_line_waits_for_the_index_for_its_limit_and_not_longer(
    path: Path, clock: ManualClock, observer: Recorder
) -> None:
    assert inspect.signature(AuditLog).parameters["film_timeout"].default == 5.0
    audit = AuditLog(str(path), clock, observer, film_timeout=0.05)
    audit.open()
    record = stream_of(clock)
    index: asyncio.Future[FilmSeconds | None] = asyncio.get_running_loop().create_future()
    record.film = index
    await audit.opened(record)
    record.first_byte, record.bytes, record.outcome = 0, 10, Outcome.WHOLE
    record.end()
    audit.on_request_end(record)
    ended = clock.now()
    clock.pass_(3)
    assert events(path) == ["open"]
    async with asyncio.timeout(5):
        while len(lines(path)) < 2:
            await asyncio.sleep(0.01)
    closing = lines(path)[1]
    assert (closing["event"], closing["film_from"], closing["time"]) == ("close", None, rfc3339(ended))
    index.set_result(None)
    await asyncio.sleep(0)
    assert events(path) == ["open", "close"]
    audit.close()
