"""``audit verify``: every change of the audit's files is found, and nothing else is."""

import gzip
import os
import random
import shutil
from pathlib import Path

import pytest

from gateway.events import LogEvent
from gateway.observe.audit import AuditLog
from gateway.observe.audit_verify import Verification, verify
from tests.support.audit_world import audit_of, stream, stream_record, write_world
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder

KEY = b"k" * 32
SEQUENCES = int(os.environ.get("SEQUENCES", "500"))


@pytest.mark.parametrize("key", [None, KEY])
async def test_files_of_two_workers_with_restarts_and_rotations_are_whole(tmp_path: Path, key: bytes | None) -> None:
    files = await write_world(tmp_path, 1, key)
    result = verify(files[::-1], key)
    assert result.faults == []
    assert len(result.heads) == 4
    assert len(result.notes) == 2  # the first run of each worker follows nothing


async def test_compressed_files_are_verified(tmp_path: Path) -> None:
    files = await write_world(tmp_path, 2)
    compressed = files[0].with_name(f"{files[0].name}.gz")
    compressed.write_bytes(gzip.compress(files[0].read_bytes()))
    assert verify([compressed, *files[1:]], None).faults == []
    compressed.write_bytes(compressed.read_bytes()[:-20])
    faults = verify([compressed, *files[1:]], None).faults
    assert [fault.file for fault in faults][:1] == [str(compressed)]


async def test_without_the_key_nothing_is_accepted(tmp_path: Path) -> None:
    files = await write_world(tmp_path, 3, KEY)
    for other in (None, b"another key, of the same length..."):
        assert len(verify(files, other).faults) == verify(files, KEY).lines


@pytest.mark.promise("evidence-2")
async def test_a_file_missing_between_two_is_a_fault_and_a_missing_first_file_a_note(tmp_path: Path) -> None:
    files = await write_world(tmp_path, 4)
    for index, missing in enumerate(files):
        left = [path for path in files if path != missing]
        faults = verify(left, None).faults
        # Of each worker the oldest file may have expired; what was after the newest, nobody can know.
        if index % 4 in (0, 3):
            assert faults == [], missing
        else:
            assert [fault.file for fault in faults] == [str(files[index + 1])], missing


async def test_a_torn_last_line_is_named_and_the_lines_before_it_are_accepted(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "audit.jsonl"
    audit = audit_of(path, clock)
    await stream(audit, stream_record(clock, "anna", "r"), clock, 0, 10)
    data = path.read_bytes()
    ends = [index + 1 for index, byte in enumerate(data) if byte == ord("\n")]
    for length in range(len(data) + 1):
        path.write_bytes(data[:length])
        whole = sum(end <= length for end in ends)
        faults = verify([path], None).faults
        if length in (0, *ends):
            assert faults == []
        else:
            assert [(fault.line, fault.reason) for fault in faults] == [(whole + 1, "is torn: it has no end")]


async def test_a_run_after_a_torn_line_begins_a_line_of_its_own(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "audit.jsonl"
    await stream(audit_of(path, clock), stream_record(clock, "anna", "r"), clock, 0, 10)
    path.write_bytes(path.read_bytes()[:-30])
    await stream(audit_of(path, clock), stream_record(clock, "ben", "r"), clock, 0, 10)
    faults = verify([path], None).faults
    assert [fault.line for fault in faults] == [3]
    assert len(path.read_bytes().splitlines()) == 6


def tampered(files: dict[Path, list[bytes]], choice: random.Random) -> tuple[str, dict[Path, list[bytes]]]:
    """Returns what was done, and *files* with one edit: of a byte, or of one or more lines.

    Lines are not removed at the end of the newest file, because nothing in the files says that they existed.
    """
    edited = {path: list(lines) for path, lines in files.items()}
    path = choice.choice([path for path in files if files[path]])
    lines = edited[path]
    at = choice.randrange(len(lines))
    kind = choice.choice(("byte", "insert", "delete", "line removed", "line doubled", "line moved", "forged", "torn"))
    line = lines[at]
    offset = choice.randrange(len(line))
    if kind == "byte":
        lines[at] = line[:offset] + bytes([line[offset] ^ choice.randrange(1, 256)]) + line[offset + 1 :]
    elif kind == "insert":
        lines[at] = line[:offset] + bytes([choice.randrange(256)]) + line[offset:]
    elif kind == "delete":
        lines[at] = line[:offset] + line[offset + 1 :]
    elif kind == "line removed":
        if path.name.endswith(".jsonl") and at == len(lines) - 1:
            at -= 1
        del lines[at]
    elif kind == "line doubled":
        lines.insert(choice.randrange(len(lines) + 1), line)
    elif kind == "line moved":
        to = choice.choice([index for index in range(len(lines)) if index != at])
        lines.insert(to, lines.pop(at))
    elif kind == "forged":
        lines.insert(at, line.replace(b"anna", b"otto").replace(b'"v":2', b'"v":1'))
    else:
        lines[at] = line[:offset].rstrip(b"\n") + (b"\n" if choice.random() < 0.5 else b"")
    return f"{kind} {path.name}:{at + 1} at {offset}", edited


@pytest.mark.promise("evidence-1")
async def test_every_generated_edit_is_detected(tmp_path: Path) -> None:
    """``SEQUENCES`` edits, one at a time: 500 in the suite, 10,000 or more in the long form."""
    files = await write_world(tmp_path, 5, streams=2)
    original = {path: path.read_bytes().splitlines(keepends=True) for path in files}
    choice = random.Random(6)
    for _ in range(SEQUENCES):
        edit, edited = tampered(original, choice)
        if edited == original:
            continue
        for path in files:
            if edited[path] != original[path]:
                path.write_bytes(b"".join(edited[path]))
        result = verify(files, None)
        assert result.faults, edit
        named = {Path(fault.file).name for fault in result.faults}
        assert named & near(files, edit), (edit, result.faults)
        for path in files:
            path.write_bytes(b"".join(original[path]))


def near(files: list[Path], edit: str) -> set[str]:
    """The names of the edited file, and of the one after it: what follows a removed line is named."""
    names = [path.name for path in files]
    index = next(index for index, name in enumerate(names) if f" {name}:" in edit)
    return set(names[index : index + 2])


@pytest.mark.promise("evidence-11")
async def test_the_head_of_the_chain_is_logged_once_an_hour_and_at_the_end(tmp_path: Path) -> None:
    clock, observer, path = ManualClock(), Recorder(), tmp_path / "audit.jsonl"
    audit = AuditLog(str(path), clock, observer, head_interval=3600.0)
    audit.open()

    def heads() -> list[dict[str, str]]:
        return [
            dict(event.fields)
            for event in observer.events
            if isinstance(event, LogEvent) and event.message == "audit_chain_head"
        ]

    for hour in range(3):
        for second in (0, 1, 3597):
            clock.pass_(second)
            audit.tick()
        assert len(heads()) == hour
        await stream(audit, stream_record(clock, "anna", "r"), clock, 0, 10)  # takes ten seconds
        audit.tick()
        audit.tick()
        assert heads()[hour:] == [{"chain": audit.head.chain, "seq": str(audit.head.seq), "hash": audit.head.digest}]
        assert f'"hash":"{audit.head.digest}"' in path.read_text().splitlines()[-1]
    audit.close()
    assert len(heads()) == 4


async def test_without_an_interval_no_head_is_logged(tmp_path: Path) -> None:
    clock, observer = ManualClock(), Recorder()
    audit = AuditLog(str(tmp_path / "audit.jsonl"), clock, observer, head_interval=0.0)
    audit.open()
    await stream(audit, stream_record(clock, "anna", "r"), clock, 0, 10)
    clock.pass_(100_000)
    audit.tick()
    audit.close()
    assert not any(isinstance(event, LogEvent) for event in observer.events)


async def test_without_the_key_a_rewritten_chain_is_detected(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "audit.jsonl"
    await stream(audit_of(path, clock, KEY), stream_record(clock, "anna", "r"), clock, 0, 10)
    path.unlink()
    await stream(audit_of(path, clock, None), stream_record(clock, "otto", "r"), clock, 0, 10)
    assert verify([path], None).faults == []
    assert verify([path], KEY).faults != []


async def test_what_copytruncate_loses_is_named(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "audit.jsonl"
    audit = audit_of(path, clock)
    await stream(audit, stream_record(clock, "anna", "r"), clock, 0, 10)
    copy = path.with_name("audit.jsonl.1")
    shutil.copy(path, copy)
    await stream(audit, stream_record(clock, "ben", "r"), clock, 0, 10)  # between the copy and the truncation
    os.truncate(path, 0)
    await stream(audit, stream_record(clock, "carla", "r"), clock, 0, 10)
    faults = verify([copy, path], None).faults
    assert [(fault.file, fault.line) for fault in faults] == [(str(path), 1)]
    assert "lines 4 to 5 of chain" in faults[0].reason
    assert "are missing before it" in faults[0].reason


def test_an_empty_file_has_no_fault(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").touch()
    assert verify([tmp_path / "audit.jsonl"], None) == Verification()
