"""The audit: whole records, in order, and none lost."""

import json
import resource
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import BusyError
from gateway.events import AuditFailed, AuditWritten, LogEvent
from gateway.model import Delivery, Grant, Identity, IdentityKind, Outcome
from gateway.observe.audit import AuditFile
from gateway.request_record import RequestRecord
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder

ANNA = Identity("anna", "https://sso.example.edu", "campus", IdentityKind.JWT, frozenset({"staff", "supervisors"}))
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
def audit(path: Path, clock: ManualClock, observer: Recorder) -> Iterator[AuditFile]:
    audit = AuditFile(str(path), clock, observer)
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


def playing(clock: ManualClock, **more: Any) -> RequestRecord:
    fields = {"identity": ANNA, "video": "vid-1", "recording": "rec-1", "grant": GRANT, "delivery": Delivery.PROXY}
    return record_of(clock, **fields, range="bytes=0-", status=206, **more)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def events(path: Path) -> list[str]:
    return [line["event"] for line in lines(path)]


OPEN = {
    "v": 1,
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
}


async def test_an_open_line_stands_before_the_first_byte_and_a_close_line_after_the_last(
    audit: AuditFile, path: Path, clock: ManualClock, observer: Recorder
) -> None:
    record = playing(clock)
    await audit.opened(record)
    assert lines(path) == [OPEN]
    assert record.opened
    clock.pass_(12.5)
    record.bytes, record.resumes, record.outcome = 4096, 2, Outcome.LEFT
    record.end()
    audit.on_request_end(record)
    ended = {"time": "2027-01-15T08:00:12.750Z", "event": "close"}
    assert lines(path) == [OPEN, OPEN | ended | {"bytes": 4096, "resumes": 2, "outcome": "left", "seconds": 12.5}]
    assert observer.events == [AuditWritten("open"), AuditWritten("close")]


def test_a_refusal_is_one_line_with_its_code(audit: AuditFile, path: Path, clock: ManualClock) -> None:
    audit.on_request_end(record_of(clock, recording="rec-1", video="vid-1", status=401, code="credentials_missing"))
    unknown = dict.fromkeys(("subject", "issuer", "provider", "groups", "rule", "account", "delivery", "range"))
    refused = {"event": "deny", "status": 401, "code": "credentials_missing", "bytes": 0, "resumes": 0, "seconds": 0.0}
    assert lines(path) == [OPEN | unknown | refused]


def test_a_refused_watch_page_is_a_denial_without_a_video(audit: AuditFile, path: Path, clock: ManualClock) -> None:
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


def test_what_concerns_no_recording_is_not_audited(audit: AuditFile, path: Path, clock: ManualClock) -> None:
    audit.on_request_end(record_of(clock, status=404, code="not_found"))
    audit.on_request_end(record_of(clock, status=200))
    audit.on_request_end(record_of(clock, identity=ANNA, recording="rec-1", status=200))
    assert lines(path) == []


async def test_a_redirect_opens_and_never_closes(audit: AuditFile, path: Path, clock: ManualClock) -> None:
    record = playing(clock)
    record.delivery, record.status = Delivery.REDIRECT, 307
    await audit.opened(record)
    audit.on_request_end(record)
    assert events(path) == ["open"]


def test_a_call_of_the_api_is_one_line(audit: AuditFile, path: Path, clock: ManualClock) -> None:
    audit.on_request_end(record_of(clock, identity=ANNA, api=True, recording="rec-1", status=200))
    assert events(path) == ["api"]


def test_signing_in_and_out_names_the_person(audit: AuditFile, path: Path, clock: ManualClock) -> None:
    audit.signed("sign_in", ANNA, record_of(clock))
    audit.signed("sign_out", ANNA, record_of(clock))
    fields = [(line["event"], line["subject"], line["provider"]) for line in lines(path)]
    assert fields == [("sign_in", "anna", "campus"), ("sign_out", "anna", "campus")]


def test_a_name_with_line_breaks_stays_on_its_line(audit: AuditFile, path: Path, clock: ManualClock) -> None:
    sly = Identity('anna\n{"v":1}\u2028', "https://sso.example.edu", "campus", IdentityKind.JWT)
    audit.signed("sign_in", sly, record_of(clock))
    assert [line["subject"] for line in lines(path)] == [sly.subject]


def test_the_file_is_for_its_owner_alone(audit: AuditFile, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_after_a_rotation_the_new_file_is_written(audit: AuditFile, path: Path, clock: ManualClock) -> None:
    record = playing(clock)
    await audit.opened(record)
    moved = path.rename(path.with_suffix(".1"))
    audit.reopen()
    audit.on_request_end(record)
    assert (events(moved), events(path)) == (["open"], ["close"])


async def test_where_the_new_file_cannot_be_opened_the_old_one_goes_on(
    audit: AuditFile, path: Path, clock: ManualClock
) -> None:
    moved = path.rename(path.with_suffix(".1"))
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        audit.reopen()
    await audit.opened(playing(clock))
    assert events(moved) == ["open"]


async def test_a_full_disk_opens_no_stream_and_is_logged_once(clock: ManualClock, observer: Recorder) -> None:
    audit = AuditFile("/dev/full", clock, observer)
    audit.open()
    record = playing(clock)
    for _ in range(2):
        with pytest.raises(BusyError):
            await audit.opened(record)
    audit.close()
    assert not record.opened
    remedy = "the audit cannot be written: no new stream is opened until it can"
    assert observer.events == [AuditFailed(), LogEvent("error", remedy, (("cause", "ENOSPC"),)), AuditFailed()]


async def test_what_could_not_be_written_is_written_before_the_next_line(
    path: Path, clock: ManualClock, observer: Recorder
) -> None:
    disk = path.with_name("disk")
    disk.symlink_to(path)
    audit = AuditFile(str(disk), clock, observer)
    audit.open()
    first, second = playing(clock), playing(clock)
    await audit.opened(first)
    _point(disk, "/dev/full")
    audit.reopen()
    audit.on_request_end(first)
    with pytest.raises(BusyError):
        await audit.opened(second)
    second.code, second.status = "busy", 503
    audit.on_request_end(second)
    _point(disk, str(path))
    audit.reopen()
    await audit.opened(playing(clock))
    audit.close()
    assert events(path) == ["open", "close", "deny", "open"]
    assert observer.events[-1] == LogEvent("info", "the audit is written again")


def test_pending_lines_are_written_at_the_end(path: Path, clock: ManualClock, observer: Recorder) -> None:
    disk = path.with_name("disk")
    disk.symlink_to("/dev/full")
    audit = AuditFile(str(disk), clock, observer)
    audit.open()
    audit.signed("sign_out", ANNA, record_of(clock))
    _point(disk, str(path))
    audit.reopen()
    audit.close()
    assert events(path) == ["sign_out"]


async def test_a_line_written_in_part_gets_its_end(audit: AuditFile, path: Path, clock: ManualClock) -> None:
    await audit.opened(playing(clock))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
    try:
        with pytest.raises(BusyError):
            await audit.opened(playing(clock))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not path.read_bytes().endswith(b"\n")
    audit.signed("sign_out", ANNA, record_of(clock))
    assert events(path) == ["open", "open", "sign_out"]


async def test_excess_refusals_are_counted_and_ends_of_streams_are_written(
    path: Path, clock: ManualClock, observer: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.observe.audit._MOST_DENIALS", 2)
    disk = path.with_name("disk")
    disk.symlink_to(path)
    audit = AuditFile(str(disk), clock, observer)
    audit.open()
    stream = playing(clock)
    await audit.opened(stream)
    _point(disk, "/dev/full")
    audit.reopen()
    for _ in range(5):
        audit.on_request_end(record_of(clock, recording="rec-1", status=403, code="access_denied"))
    audit.on_request_end(stream)
    _point(disk, str(path))
    audit.reopen()
    audit.close()
    assert events(path) == ["open", "deny", "deny", "close"]
    assert observer.events.count(AuditFailed()) == 6


async def test_what_was_never_opened_refuses_streams(path: Path, clock: ManualClock, observer: Recorder) -> None:
    with pytest.raises(BusyError):
        await AuditFile(str(path), clock, observer).opened(playing(clock))


def _point(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)
