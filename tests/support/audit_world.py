"""Files of the audit for tests: written by the gateway's own classes with rotations, restarts and two workers."""

import os
import random
from pathlib import Path

from gateway.model import Delivery, Grant, Identity, IdentityKind, Outcome
from gateway.observe.audit import AuditLog
from gateway.ports import Clock
from gateway.request_record import RequestRecord
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder


def audit_of(path: Path, clock: Clock, key: bytes | None = None) -> AuditLog:
    audit = AuditLog(str(path), clock, Recorder(), key=key)
    audit.open()
    return audit


def stream_record(
    clock: Clock, subject: str, recording: str, video: str = "v1", request_id: str = "id"
) -> RequestRecord:
    """Returns the record of a stream that *subject* is allowed to see, not begun."""
    identity = Identity(subject, "https://sso.example.edu", "campus", IdentityKind.JWT)
    record = RequestRecord(request_id, "GET", "/recordings", "192.0.2.7", clock.monotonic, clock.monotonic())
    record.identity, record.recording, record.video = identity, recording, video
    record.grant = Grant(identity, recording, video, "reviewer", Delivery.PROXY, "supervisors")
    record.delivery, record.status = Delivery.PROXY, 206
    return record


async def stream(audit: AuditLog, record: RequestRecord, clock: ManualClock, first: int, length: int) -> None:
    """Writes the ``open`` and the ``close`` line of a stream of ten seconds that sent *length* bytes from *first*."""
    await audit.opened(record)
    clock.pass_(10)
    record.first_byte, record.bytes, record.outcome = first, length, Outcome.WHOLE
    record.end()
    audit.on_request_end(record)


async def write_world(folder: Path, seed: int, key: bytes | None = None, streams: int = 4) -> list[Path]:
    """Writes the audit of two workers, each with two runs, rotated during each run and between the two. Returns the
    files, those of a worker oldest first."""
    choice, clock, files = random.Random(seed), ManualClock(wall=1_800_000_000.0), list[Path]()
    for worker in range(2):
        path = folder / f"audit.{worker}.jsonl"
        for run in range(2):
            audit = audit_of(path, clock, key)
            audit.record_admin("start")
            for part in range(2):
                for number in range(streams):
                    subject = choice.choice(("anna", "ben", "carla"))
                    record = stream_record(clock, subject, f"r{choice.randrange(3)}", request_id=f"{run}.{number}")
                    await stream(audit, record, clock, choice.randrange(1000), choice.randrange(1, 1000))
                clock.pass_(60)
                if part == 0:
                    files.append(rotate(path, 9 - 2 * run, clock))
                    audit.reopen()
            audit.close()
            if run == 0:
                files.append(rotate(path, 8, clock))
        files.append(path)
    return files


def rotate(path: Path, number: int, clock: ManualClock) -> Path:
    """Renames the file as logrotate does. Returns its new path."""
    rotated = path.rename(path.with_name(f"{path.name}.{number}"))
    os.utime(rotated, (clock.now(), clock.now()))
    return rotated
