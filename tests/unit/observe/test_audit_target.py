"""The audit's file is removed, renamed, replaced or read-only, its disk full, its pipe not read: no line is lost."""

import asyncio
import errno
import json
import os
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest

from gateway.errors import BusyError
from gateway.events import LogEvent
from gateway.observe.audit import AuditLog
from gateway.observe.audit_expire import append_admin
from gateway.observe.audit_report import Selection, rows
from gateway.observe.audit_verify import verify
from tests.support.audit_world import audit_of, stream, stream_record
from tests.support.clock import ManualClock
from tests.support.pipes import fill
from tests.support.programs import program, run
from tests.support.recorder import Recorder

pytestmark = pytest.mark.promise("evidence-10")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall=1_800_000_000.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "audit.jsonl"


@pytest.fixture
def audit(path: Path, clock: ManualClock) -> Iterator[AuditLog]:
    audit = audit_of(path, clock)
    yield audit
    audit.close()


async def streams(audit: AuditLog, clock: ManualClock, *names: str) -> None:
    for name in names:
        await stream(audit, stream_record(clock, "anna", "r", request_id=name), clock, 0, 1)


def ids(path: Path) -> list[str]:
    """The streams that are whole in the file."""
    return [row["request_id"] for row in rows([path], Selection(), lambda *_: None)]


async def until_writable(audit: AuditLog, expected: bool, *, seconds: float = 5) -> None:
    """Has the audit do what it does each second, until it can be written, or cannot be."""
    async with asyncio.timeout(seconds):
        while audit.is_writable is not expected:
            audit.tick()
            await asyncio.sleep(0.001)


def messages(observer: Recorder) -> list[str]:
    return [event.message for event in observer.events if isinstance(event, LogEvent)]


async def test_after_the_file_is_removed_no_line_is_written_to_where_nobody_reads(
    audit: AuditLog, path: Path, clock: ManualClock
) -> None:
    await streams(audit, clock, "1")
    for number in range(3):  # a new file often gets the removed one's inode number
        path.unlink()
        await streams(audit, clock, str(number))
        assert ids(path) == [str(number)]
        assert [json.loads(line)["event"] for line in path.read_bytes().splitlines()] == ["chain", "open", "close"]


async def test_a_removed_file_is_noticed_and_logged_without_a_stream(path: Path, clock: ManualClock) -> None:
    observer = Recorder()
    audit = AuditLog(str(path), clock, observer)
    audit.open()
    await streams(audit, clock, "1")
    path.unlink()
    audit.tick()
    assert path.read_bytes().startswith(b'{"v":2,')
    assert messages(observer) == ["the audit file was removed: a new one is opened"]
    audit.close()


async def test_while_the_directory_is_gone_streams_are_refused_and_no_line_is_lost(
    audit: AuditLog, path: Path, clock: ManualClock
) -> None:
    running = stream_record(clock, "anna", "r", request_id="running")
    await audit.opened(running)
    path.unlink()
    path.parent.rmdir()
    audit.tick()
    assert not audit.is_writable
    with pytest.raises(BusyError):
        await audit.opened(stream_record(clock, "anna", "r"))
    running.end()
    audit.on_request_end(running)
    assert audit.waiting == 1
    path.parent.mkdir()
    audit.tick()
    assert audit.is_writable
    assert [json.loads(line)["event"] for line in path.read_bytes().splitlines()] == ["chain", "close"]
    assert verify([path], None).faults == []


async def test_a_rotation_without_sighup_is_followed_after_two_looks(
    audit: AuditLog, path: Path, clock: ManualClock
) -> None:
    await streams(audit, clock, "1")
    renamed = path.rename(path.with_name("audit.jsonl.1"))
    audit.tick()
    assert not path.exists()  # a rotation may be about to create it
    await streams(audit, clock, "2")
    audit.tick()
    await streams(audit, clock, "3")
    assert (ids(renamed), ids(path)) == (["1", "2"], ["3"])
    assert verify([renamed, path], None).faults == []


async def test_a_file_that_is_replaced_by_another_is_left(audit: AuditLog, path: Path, clock: ManualClock) -> None:
    await streams(audit, clock, "1")
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)
    await streams(audit, clock, "2")
    assert ids(path) == ["1", "2"]
    assert verify([path], None).faults == []


@pytest.mark.promise("operation-O2")
async def test_a_named_pipe_that_is_not_read_refuses_streams_and_blocks_nobody(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "pipe"
    os.mkfifo(path)
    audit = AuditLog(str(path), clock, Recorder())
    with pytest.raises(OSError, match="start its reader first"):
        audit.open()
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    audit.open()
    running = stream_record(clock, "anna", "r")
    await audit.opened(running)
    head = os.read(reader, 100_000)
    filler = os.open(path, os.O_WRONLY)
    fill(filler)
    os.close(filler)
    async with asyncio.timeout(5):
        with pytest.raises(BusyError):
            await audit.opened(stream_record(clock, "anna", "r"))
    running.end()
    audit.on_request_end(running)
    with suppress(BlockingIOError):
        while os.read(reader, 100_000):
            pass
    audit.tick()
    assert audit.is_writable
    events = [json.loads(line)["event"] for line in (head + os.read(reader, 100_000)).splitlines()]
    assert events == ["chain", "open", "close"]
    audit.close()
    os.close(reader)


async def test_after_a_failed_fsync_streams_are_refused_until_one_succeeds(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = True

    def fsync(_descriptor: int) -> None:
        if fails:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    audit = AuditLog(str(path), clock, Recorder(), fsync="close")
    audit.open()
    await streams(audit, clock, "1")
    await until_writable(audit, False)
    for _ in range(3):
        audit.tick()
        assert not audit.is_writable
        with pytest.raises(BusyError):
            await audit.opened(stream_record(clock, "anna", "r"))
    fails = False
    await until_writable(audit, True)
    await streams(audit, clock, "2")
    await asyncio.to_thread(audit.close)
    assert ids(path) == ["1", "2"]


@pytest.mark.parametrize("call", ["fsync", "dup"])
async def test_a_file_that_is_left_while_the_disk_fails_is_followed_by_another(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """`dup` fails if no descriptor is left, and with it the last fsync of the file, which is closed all the same."""

    def fail(_descriptor: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    audit = AuditLog(str(path), clock, Recorder(), fsync="close")
    audit.open()
    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        await streams(audit, clock, "1")
        await until_writable(audit, False)
        renamed = path.rename(path.with_name("audit.jsonl.1"))
        audit.reopen()
        with pytest.raises(BusyError):
            await audit.opened(stream_record(clock, "anna", "r"))
        audit.record_admin("reload")
    await until_writable(audit, True)
    await streams(audit, clock, "2")
    await asyncio.to_thread(audit.close)
    assert (ids(renamed), ids(path)) == (["1"], ["2"])
    assert verify([renamed, path], None).faults == []


async def test_an_fsync_that_fails_at_the_end_is_logged(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    observer = Recorder()
    audit = AuditLog(str(path), clock, observer, fsync="close")
    audit.open()
    audit.record_admin("stop")
    assert await asyncio.to_thread(audit.close) == []
    assert not audit.is_on_disk
    reported = [(event.level, event.message, event.fields) for event in observer.events if isinstance(event, LogEvent)]
    cause = (("cause", "ENOSPC"), ("file", str(path)))
    assert reported == [("error", "the last lines of the audit may not be on the disk", cause)]


@pytest.mark.parametrize("rotates", [False, True])
async def test_a_failed_fsync_is_logged_also_if_the_next_one_has_succeeded(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, rotates: bool
) -> None:
    """Linux reports what the disk has lost once."""
    started, fails, succeeded = threading.Event(), threading.Event(), threading.Event()

    def fsync(_descriptor: int) -> None:
        if started.is_set():
            succeeded.set()
            return
        started.set()
        fails.wait()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    observer = Recorder()
    audit = AuditLog(str(path), clock, observer, fsync="always")
    audit.open()
    audit.record_admin("start")
    async with asyncio.timeout(10):
        await asyncio.to_thread(started.wait)
        if rotates:
            path.rename(path.with_name("audit.jsonl.1"))
            audit.reopen()
        audit.record_admin("reload")
        fails.set()
        await asyncio.to_thread(succeeded.wait)
        while "the audit can be written again" not in messages(observer):
            audit.tick()
            await asyncio.sleep(0.001)
    assert messages(observer)[0] == "the audit cannot be written: new streams are refused until it can"
    assert audit.is_writable
    await asyncio.to_thread(audit.close)


async def test_while_a_disk_does_not_answer_no_file_is_opened(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _descriptor: answers.wait(300))
    audit = AuditLog(str(path), clock, Recorder(), fsync="close", disk_timeout=0.05)
    audit.open()
    await streams(audit, clock, "1")
    async with asyncio.timeout(60):
        await until_writable(audit, False, seconds=60)
        path.rename(path.with_name("audit.jsonl.1"))
        audit.reopen()  # to create a file could wait for the same disk
        assert not path.exists()
        answers.set()
        await until_writable(audit, True, seconds=60)
    await asyncio.to_thread(audit.close)
    assert [json.loads(line)["event"] for line in path.read_bytes().splitlines()] == ["chain"]


async def test_a_pipe_in_place_of_a_file_whose_disk_failed_is_written(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    audit = AuditLog(str(path), clock, Recorder(), fsync="close")
    audit.open()
    await streams(audit, clock, "1")
    await until_writable(audit, False)
    path.unlink()
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    for _ in range(3):
        audit.reopen()
    assert audit.is_writable
    assert os.read(reader, 100_000).startswith(b'{"v":2,')
    await asyncio.to_thread(audit.close)
    os.close(reader)


@pytest.mark.parametrize("policy", ["close", "always"])
async def test_while_a_disk_does_not_answer_streams_are_refused_and_none_waits_for_ever(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, policy: Literal["close", "always"]
) -> None:
    answers, observer = threading.Event(), Recorder()
    monkeypatch.setattr(os, "fsync", lambda _descriptor: answers.wait(300))
    audit = AuditLog(str(path), clock, observer, fsync=policy, disk_timeout=0.05)
    audit.open()
    with suppress(BusyError):  # with "always" the first stream waits in vain
        await streams(audit, clock, "1")
    async with asyncio.timeout(60):
        await until_writable(audit, False, seconds=60)
        for number in range(3):
            with pytest.raises(BusyError):
                await audit.opened(stream_record(clock, "anna", "r", request_id=f"refused {number}"))
            audit.tick()
            assert not audit.is_writable
        answers.set()
        while "2" not in ids(path):  # on a busy machine the thread may be late again
            audit.tick()
            await asyncio.sleep(0.001)
            with suppress(BusyError):
                await streams(audit, clock, "2")
    await asyncio.to_thread(audit.close)
    assert "the audit cannot be written: new streams are refused until it can" in messages(observer)


async def test_an_opened_stream_that_was_refused_after_all_is_one_row(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    audit = AuditLog(str(path), clock, Recorder(), fsync="always")
    audit.open()
    monkeypatch.setattr(os, "fsync", fail)
    record = stream_record(clock, "anna", "r")
    with pytest.raises(BusyError):
        await audit.opened(record)
    record.status, record.code = 503, "busy"
    record.end()
    audit.on_request_end(record)
    monkeypatch.undo()
    async with asyncio.timeout(5):
        audit.tick()
        while not audit.is_writable:
            await asyncio.sleep(0.001)
            audit.tick()
    await asyncio.to_thread(audit.close)
    reported = [(row["request_id"], row["outcome"]) for row in rows([path], Selection(), lambda *_: None)]
    assert reported == [("id", "refused")]


async def test_a_line_that_another_process_interrupts_is_written_anew(path: Path, clock: ManualClock) -> None:
    """A revocation is recorded while a line of the gateway's is partly written, because the disk was full."""
    audit = audit_of(path, clock)
    await streams(audit, clock, "1")
    running = stream_record(clock, "anna", "r", request_id="running")
    await audit.opened(running)
    running.end()
    with limited_files(path.stat().st_size + 100):
        audit.on_request_end(running)
    assert (audit.is_writable, path.read_bytes().endswith(b"\n")) == (False, False)
    append_admin(path, None, "revoke", clock.now(), {"subject": "anna"})
    audit.tick()
    await streams(audit, clock, "2")
    audit.close()
    assert ids(path) == ["1", "running", "2"]
    assert ["torn" in fault.reason for fault in verify([path], None).faults] == [True]


@pytest.mark.promise("operation-O7")
async def test_a_torn_line_on_a_full_disk_ends_with_the_first_line_that_can_be_written(
    path: Path, clock: ManualClock
) -> None:
    audit, observer = audit_of(path, clock), Recorder()
    await streams(audit, clock, "1")
    audit.close()
    path.write_bytes(path.read_bytes()[:-30])
    audit = AuditLog(str(path), clock, observer)
    with limited_files(path.stat().st_size):
        audit.open()
        audit.record_admin("start")
        audit.reopen()
        with pytest.raises(BusyError):
            await audit.opened(stream_record(clock, "anna", "r", request_id="refused"))
        failures = [event.fields for event in observer.events if isinstance(event, LogEvent)]
        assert failures == [(("cause", "EFBIG"), ("file", str(path)))]
    audit.tick()
    await streams(audit, clock, "2")
    audit.close()
    assert [fault.line for fault in verify([path], None).faults] == [3]
    assert [json.loads(line)["event"] for line in path.read_bytes().splitlines()[3:]] == [
        *("chain", "admin", "open", "close")
    ]


@pytest.mark.promise("operation-O7")
@pytest.mark.parametrize("creates", [False, True])
def test_a_torn_line_is_ended_also_in_a_file_that_was_renamed_meanwhile(
    path: Path, clock: ManualClock, creates: bool
) -> None:
    audit = audit_of(path, clock)
    audit.record_admin("start")
    audit.close()
    path.write_bytes(path.read_bytes()[:-30])
    audit = AuditLog(str(path), clock, Recorder())
    with limited_files(path.stat().st_size):
        audit.open()
        renamed = path.rename(path.with_name("audit.jsonl.1"))
        if creates:
            path.touch()
    audit.record_admin("start")
    audit.reopen()
    audit.record_admin("stop")
    audit.close()
    assert [fault.line for fault in verify([renamed, path], None).faults] == [2]
    lines = [json.loads(line)["event"] for line in renamed.read_bytes().splitlines()[2:]]
    assert lines == ["chain", "admin"]


async def test_a_record_of_a_revocation_that_does_not_fit_leaves_no_part(path: Path, clock: ManualClock) -> None:
    audit = audit_of(path, clock)
    await streams(audit, clock, "1")
    before = path.read_bytes()
    with limited_files(len(before) + 100), pytest.raises(OSError, match="No space"):
        append_admin(path, None, "revoke", clock.now(), {"subject": "anna"})
    assert path.read_bytes() == before
    await streams(audit, clock, "2")
    audit.close()
    assert verify([path], None).faults == []


@contextmanager
def limited_files(size: int) -> Iterator[None]:
    """Lets no file grow beyond *size* bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


STDOUT = """
import asyncio, sys
from gateway.clock import SystemClock
from gateway.observe.audit import AuditLog
from tests.support.audit_world import stream_record
from tests.support.recorder import Recorder

async def main():
    clock = SystemClock()
    audit = AuditLog("-", clock, Recorder())
    audit.open()
    for number in range(3):
        await audit.opened(stream_record(clock, "anna", "r", request_id=str(number)))
    sys.stderr.buffer.write(b"".join(await asyncio.to_thread(audit.close)))

asyncio.run(main())
"""


async def test_what_standard_output_did_not_take_is_returned_at_the_end() -> None:
    reader, writer = os.pipe()
    fill(writer)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STDOUT, stdout=writer, stderr=asyncio.subprocess.PIPE
    )
    os.close(writer)
    async with asyncio.timeout(30):
        _, unwritten = await process.communicate()
    os.close(reader)
    assert [json.loads(line)["event"] for line in unwritten.splitlines()] == ["chain", "open", "open", "open"]


async def test_while_too_many_lines_wait_no_request_is_served_that_adds_one(tmp_path: Path) -> None:
    clock = ManualClock()
    audit = AuditLog(str(tmp_path / "missing" / "audit.jsonl"), clock, Recorder(), max_waiting=3)
    record = stream_record(clock, "anna", "r")
    record.api = True
    record.end()
    for _ in range(3):
        audit.require_room()
        audit.on_request_end(record)
    for _ in range(3):
        with pytest.raises(BusyError):
            audit.require_room()
        record.code = "busy"
        audit.on_request_end(record)
    assert audit.waiting == 3
    (tmp_path / "missing").mkdir()
    audit.tick()
    audit.require_room()
    lines = [json.loads(line) for line in (tmp_path / "missing" / "audit.jsonl").read_bytes().splitlines()]
    assert [line["event"] for line in lines] == ["chain", "api", "api", "api", "deny_summary"]
    assert lines[-1]["count"] == 3
    audit.close()


DISKS = """
import asyncio, json, os, subprocess, sys
from pathlib import Path
from gateway.errors import BusyError
from gateway.events import LogEvent
from gateway.observe.audit import AuditLog
from gateway.observe.audit_verify import verify
from tests.support.audit_world import rotate, stream, stream_record
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder

async def attempts(audit, clock, count):
    written = 0
    for _ in range(count):
        try:
            await stream(audit, stream_record(clock, "anna", "r", request_id=str(written)), clock, 0, 1)
            written += 1
        except BusyError:
            pass
    return written

async def main(folder):
    clock, path = ManualClock(), folder / "audit.jsonl"
    observer = Recorder()
    audit = AuditLog(str(path), clock, observer)
    audit.open()
    before = await attempts(audit, clock, 3)
    running = stream_record(clock, "ben", "r", request_id="running")
    await audit.opened(running)
    old = rotate(path, 1, clock)
    # A file system with open files is not made read-only; a read-only view of it is mounted over it.
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    audit.reopen()
    refused = await attempts(audit, clock, 2)
    cause = [event.fields[0][1] for event in observer.events if isinstance(event, LogEvent)]
    running.end()
    audit.on_request_end(running)
    state = [audit.is_writable, audit.waiting]
    subprocess.run(["umount", folder], check=True)
    audit.tick()
    after = await attempts(audit, clock, 1)

    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 100)
        except OSError:
            pass
    full = await attempts(audit, clock, 40)
    filler.unlink()
    audit.tick()
    again = await attempts(audit, clock, 1)
    audit.close()
    lines = [json.loads(line) for each in (old, path) for line in each.read_bytes().splitlines()]
    closed = sum(line["event"] == "close" for line in lines)
    expected = before + refused + 1 + after + full + again
    faults = verify([old, path], None).faults
    print(json.dumps([before, refused, cause, state, after, full < 40, again, closed == expected, faults]))

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_read_only_and_a_full_file_system_refuse_streams_and_lose_nothing(tmp_path: Path) -> None:
    """With real mounts, in a mount namespace of its own (and a user namespace, if the test is not run by root)."""
    folder = tmp_path / "disk"
    folder.mkdir()
    namespaces = ["-m"] if os.geteuid() == 0 else ["-m", "-U", "-r"]
    probe = await run(program("unshare"), *namespaces, "mount", "-t", "tmpfs", "none", str(folder))
    if probe.code != 0:  # a right of this user, which no package brings
        pytest.skip(f"mounts are not allowed here: {probe.err.decode().strip()}")
    script = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" -c "$3" "$1"'
    ran = await run(
        *(program("unshare"), *namespaces, "sh", "-c", script, "sh", str(folder), sys.executable, DISKS),
    )
    assert ran.code == 0, ran.err.decode()
    assert json.loads(ran.out) == [3, 0, ["EROFS"], [False, 1], 1, True, 1, True, []]
