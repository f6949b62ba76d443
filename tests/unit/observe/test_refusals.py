"""Clients without a proven identity cause a bounded number of lines."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.events import LogEvent, LoopLagMeasured, RefusalSuppressed
from gateway.model import Identity, IdentityKind
from gateway.observe.audit import AuditLog
from gateway.observe.refusals import BATCH, RefusalFilter
from gateway.request_record import RequestRecord
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder

ANNA = Identity("anna", "https://sso.example.edu", "campus", IdentityKind.JWT)
LIMIT = 3

pytestmark = pytest.mark.promise("bounds-S6", "security-S6")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def log() -> Recorder:
    return Recorder()


@pytest.fixture
def metrics() -> Recorder:
    return Recorder()


@pytest.fixture
def refusals(path: Path, log: Recorder, metrics: Recorder, clock: ManualClock) -> Iterator[RefusalFilter]:
    audit = AuditLog(str(path), clock, Recorder())
    audit.open()
    yield RefusalFilter(audit, log, metrics, clock, per_minute=LIMIT)
    audit.close()


def refused(clock: ManualClock, peer: str | None = "192.0.2.7", identity: Identity | None = None) -> RequestRecord:
    record = RequestRecord("id-1", "GET", "/recordings/{recording}", peer, clock.monotonic, clock.steady)
    record.recording, record.code, record.status, record.identity = "rec-1", "credentials_missing", 401, identity
    return record


def answered(clock: ManualClock, peer: str | None = "192.0.2.7", identity: Identity | None = None) -> RequestRecord:
    """Returns the record of a request that was not refused, such as one for robots.txt."""
    record = refused(clock, peer, identity)
    record.recording, record.code, record.status = None, None, 200
    return record


def lines(path: Path) -> list[dict[str, Any]]:
    parsed = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in parsed if line["event"] != "chain"]


def test_lines_beyond_the_limit_are_counted_in_one_summary_line(
    refusals: RefusalFilter, path: Path, log: Recorder, metrics: Recorder, clock: ManualClock
) -> None:
    for _ in range(LIMIT + 40):
        refusals.on_request_end(refused(clock))
    clock.pass_(60)
    refusals.end_window()
    *denials, summary = lines(path)
    assert [line["event"] for line in denials] == ["deny"] * LIMIT
    assert {name: summary[name] for name in summary if name not in ("chain", "seq", "hash")} == {
        "v": 2,
        "time": "2027-01-15T08:01:00.000Z",
        "event": "deny_summary",
        "peer": "192.0.2.7",
        "count": 40,
        "since": "2027-01-15T08:00:00.000Z",
    }
    refusals.flush()
    assert len(log.records) == LIMIT
    fields = (("count", "40"), ("addresses", "1"))
    assert log.events == [LogEvent("warning", "refusals were counted instead of written", fields)]
    assert metrics.events == [RefusalSuppressed()] * 40


def test_a_new_window_begins_anew(refusals: RefusalFilter, path: Path, clock: ManualClock) -> None:
    for _ in range(2):
        for _ in range(LIMIT):
            refusals.on_request_end(refused(clock))
        refusals.end_window()
    assert [line["event"] for line in lines(path)] == ["deny"] * (2 * LIMIT)


def test_one_address_takes_nothing_from_another(refusals: RefusalFilter, path: Path, clock: ManualClock) -> None:
    for number in range(50):
        for _ in range(LIMIT):
            refusals.on_request_end(refused(clock, f"192.0.2.{number}"))
    assert len(lines(path)) == 50 * LIMIT


def test_all_addresses_of_an_ipv6_network_are_one(refusals: RefusalFilter, path: Path, clock: ManualClock) -> None:
    for number in range(20):
        refusals.on_request_end(refused(clock, f"2001:db8:1:2::{number:x}"))
    refusals.end_window()
    assert [line["peer"] for line in lines(path)][LIMIT:] == ["2001:0db8:0001:0002::/64"]


def test_refusals_of_a_proven_identity_are_always_written(
    refusals: RefusalFilter, path: Path, clock: ManualClock
) -> None:
    for _ in range(10 * LIMIT):
        refusals.on_request_end(refused(clock, identity=ANNA))
    assert len(lines(path)) == 10 * LIMIT


def test_log_lines_of_a_stranger_are_bounded_whatever_the_answer_is(
    refusals: RefusalFilter, path: Path, log: Recorder, metrics: Recorder, clock: ManualClock
) -> None:
    for _ in range(20):
        refusals.on_request_end(answered(clock))
    for _ in range(LIMIT):
        refusals.on_request_end(refused(clock))
    refusals.on_request_end(answered(clock, "192.0.2.8"))
    refusals.flush()
    assert len(metrics.records) == 20 + LIMIT + 1
    logged = [(record.peer, record.code) for record in log.records]
    others, refusal = ("192.0.2.7", None), ("192.0.2.7", "credentials_missing")
    assert logged == [others, others, refusal, ("192.0.2.8", None)]
    refusals.end_window()
    assert [line["event"] for line in lines(path)] == ["deny"] * LIMIT
    assert metrics.events == []
    assert log.events == [
        LogEvent("warning", "refusals were counted instead of written", (("count", "2"), ("addresses", "1"))),
        LogEvent(
            "info",
            "other requests without an identity were counted instead of written",
            (("count", "18"), ("addresses", "1")),
        ),
    ]
    refusals.on_request_end(answered(clock))
    refusals.flush()
    assert len(log.records) == 5


def test_requests_of_a_proven_identity_are_always_logged(
    refusals: RefusalFilter, log: Recorder, clock: ManualClock
) -> None:
    for _ in range(10 * LIMIT):
        refusals.on_request_end(answered(clock))
        refusals.on_request_end(answered(clock, identity=ANNA))
    refusals.flush()
    assert len([record for record in log.records if record.identity is ANNA]) == 10 * LIMIT


def test_calls_that_a_client_without_an_identity_gives_up_are_bounded_in_the_audit(
    refusals: RefusalFilter, path: Path, clock: ManualClock
) -> None:
    for _ in range(LIMIT + 5):
        record = answered(clock)
        record.mark_api_call()
        refusals.on_request_end(record)
    refusals.end_window()
    assert [line["event"] for line in lines(path)] == ["api"] * LIMIT + ["deny_summary"]


def test_beyond_ten_thousand_addresses_all_others_are_counted_as_one(
    refusals: RefusalFilter, path: Path, clock: ManualClock
) -> None:
    for number in range(10_000):
        refusals.on_request_end(refused(clock, f"10.0.{number // 256}.{number % 256}"))
    for number in range(50):
        refusals.on_request_end(refused(clock, f"10.9.0.{number}"))
    refusals.end_window()
    summaries = [line for line in lines(path) if line["event"] == "deny_summary"]
    assert [(line["peer"], line["count"]) for line in summaries] == [(None, 50 - LIMIT)]


def test_messages_that_strangers_can_cause_are_bounded_by_their_text(
    refusals: RefusalFilter, log: Recorder, clock: ManualClock
) -> None:
    """For example a forged header of forward authentication, which is logged with each request's id."""
    report = refusals.reporter(LogEvent)
    for number in range(100):
        report(LogEvent("warning", "forged", (("request_id", str(number)),)))
    report(LogEvent("error", "something else"))
    assert len(log.events) == 61
    clock.pass_(60)
    refusals.end_window()
    fields = (("message", "forged"), ("count", "40"))
    summary = LogEvent("warning", "further lines of this text were counted instead of written", fields)
    assert log.events[61:] == [summary]
    report(LogEvent("warning", "forged"))
    refusals.end_window()
    assert len(log.events) == 63


def test_requests_are_counted_and_logged_in_batches(
    refusals: RefusalFilter, log: Recorder, metrics: Recorder, clock: ManualClock
) -> None:
    requests = [refused(clock, identity=ANNA) for _ in range(BATCH + 2)]
    for request in requests[: BATCH - 1]:
        refusals.on_request_end(request)
    assert (log.records, metrics.records) == ([], [])
    refusals.on_request_end(requests[BATCH - 1])
    assert log.records == metrics.records == requests[:BATCH]
    refusals.on_request_end(requests[BATCH])
    refusals.on_event(LoopLagMeasured(0.0))
    assert log.records == metrics.records == requests[: BATCH + 1]
    refusals.on_request_end(requests[-1])
    refusals.flush()
    assert log.records == metrics.records == requests
