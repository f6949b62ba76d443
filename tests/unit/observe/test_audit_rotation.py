"""The audit with the real logrotate as an unprivileged user, killed processes, and a disk that is waited for."""

import asyncio
import os
import pwd
import signal
import sys
from pathlib import Path

import pytest

from gateway.errors import BusyError
from gateway.observe.audit import AuditLog
from gateway.observe.audit_report import Selection, rows
from gateway.observe.audit_verify import verify
from gateway.observe.disk_sync import FsyncPolicy
from tests.support.audit_world import audit_of, stream, stream_record
from tests.support.clock import ManualClock
from tests.support.programs import program
from tests.support.recorder import Recorder

WRITER = """
import asyncio, sys
from pathlib import Path
from gateway.clock import SystemClock
from tests.support.audit_world import audit_of, stream_record

async def main():
    clock = SystemClock()
    audit = audit_of(Path(sys.argv[1]), clock)
    while True:
        await audit.opened(stream_record(clock, "anna", "r"))
        print(audit.head.seq, flush=True)

asyncio.run(main())
"""


async def logrotate(folder: Path, directives: str) -> None:
    """Rotates every audit file of *folder* with the real program, as nobody if the test is run as root."""
    config = folder / "logrotate.conf"
    config.write_text(f"{folder}/audit.jsonl {{\n    rotate 9\n    {directives}\n}}\n")
    config.chmod(0o644)
    nobody = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    if nobody is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, nobody, -1)
        for parent in folder.parents[:3]:
            parent.chmod(parent.stat().st_mode | 0o011)
    process = await asyncio.create_subprocess_exec(
        *(program("logrotate"), "--force", "--state", str(folder / "state"), str(config)),
        user=os.geteuid() if nobody is None else nobody,
    )
    assert await process.wait() == 0


def count(folder: Path) -> int:
    files = sorted(folder.glob("audit.jsonl*"))
    return len([row for row in rows(files, Selection(), lambda *_: None) if row["outcome"] == "whole"])


async def streams_during_logrotate(audit: AuditLog, clock: ManualClock, folder: Path, how: str, first: int) -> int:
    """Rotates *folder*'s audit while streams come and go, numbered from *first*. Returns the number after the last."""
    rotation = asyncio.create_task(logrotate(folder, how))
    while not rotation.done():
        await stream(audit, stream_record(clock, "anna", "r", request_id=str(first)), clock, 0, 1)
        first += 1
        await asyncio.sleep(0)
    await rotation
    return first


@pytest.mark.promise("evidence-4")
async def test_logrotate_with_create_loses_nothing(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "audit.jsonl"
    audit, written = audit_of(path, clock), 0
    for _ in range(3):
        written = await streams_during_logrotate(audit, clock, tmp_path, "create 0600", written)
        audit.reopen()
    audit.close()
    files = sorted(tmp_path.glob("audit.jsonl*"))
    assert len(files) == 4
    assert verify(files, None).faults == []
    assert count(tmp_path) == written


@pytest.mark.promise("evidence-4")
async def test_what_logrotate_with_copytruncate_loses_is_named(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "audit.jsonl"
    audit, written = audit_of(path, clock), 0
    for _ in range(3):
        written = await streams_during_logrotate(audit, clock, tmp_path, "copytruncate", written)
    await stream(audit, stream_record(clock, "anna", "r", request_id="last"), clock, 0, 1)
    audit.close()
    lost = written + 1 - count(tmp_path)
    faults = verify(sorted(tmp_path.glob("audit.jsonl*")), None).faults
    assert bool(faults) == bool(lost), (faults, lost)


@pytest.mark.promise("evidence-5")
async def test_after_a_kill_at_any_moment_every_whole_line_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    chains = 0
    for run in range(5):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(path), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        reported = 0
        for _ in range(20 * run + 1):
            reported = int(await process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        await process.communicate()
        result = verify([path], None)
        assert [fault for fault in result.faults if "torn" not in fault.reason] == []
        head, _, line = max(result.heads.values(), key=lambda entry: entry[2])
        assert (line >= result.lines - 1, head.seq >= reported) == (True, True)  # the last line may be torn
        chains = len(result.heads)
    assert chains == 5


@pytest.mark.parametrize(("policy", "calls"), [("never", 0), ("close", 1), ("always", 2)])
async def test_the_file_is_written_to_the_disk_as_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: FsyncPolicy, calls: int
) -> None:
    clock, synced, path = ManualClock(), list[int](), tmp_path / "audit.jsonl"
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    audit = AuditLog(str(path), clock, Recorder(), fsync=policy)
    audit.open()
    record = stream_record(clock, "anna", "r")
    await audit.opened(record)
    assert synced[-1:] == ([path.stat().st_size] if policy == "always" else [])
    record.end()
    audit.on_request_end(record)
    await asyncio.to_thread(audit.close)
    # All that was written is on the disk, or with "never" nothing. A request that arrives during one causes another, so
    # that the number of calls is not promised but bounded.
    assert synced[-1:] == ([] if policy == "never" else [path.stat().st_size])
    assert len(synced) <= calls + (0 if policy == "never" else 2)


async def test_a_stream_is_refused_if_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    clock, observer = ManualClock(), Recorder()
    audit = AuditLog(str(tmp_path / "audit.jsonl"), clock, observer, fsync="always")
    audit.open()
    with pytest.raises(BusyError):
        await audit.opened(stream_record(clock, "anna", "r"))
    audit.tick()
    assert any("cannot be written" in str(event) for event in observer.events)
    await asyncio.to_thread(audit.close)
