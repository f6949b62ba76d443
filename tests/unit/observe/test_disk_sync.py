"""The thread that writes a file's data to the disk."""

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from gateway.observe.disk_sync import DiskSync

LONG = 60.0
"""A delay in seconds that no test waits for."""


def _fail(_descriptor: int) -> int:
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes of the files that were written to the disk."""
    inodes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: inodes.append(os.fstat(descriptor).st_ino))
    return inodes


async def test_requests_during_the_delay_share_one_call(tmp_path: Path, synced: list[int]) -> None:
    disk = DiskSync(LONG)
    with (tmp_path / "file").open("wb") as file:
        futures = {id(disk.request(file.fileno())) for _ in range(100)}
        assert len(futures) == 1
        await asyncio.to_thread(disk.close)
    assert len(synced) == 1


async def test_a_file_with_the_number_of_a_closed_one_has_a_call_of_its_own(tmp_path: Path, synced: list[int]) -> None:
    disk, inodes, numbers = DiskSync(LONG), list[int](), set[int]()
    for name in ("first", "second"):
        descriptor = os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT)
        inodes.append(os.fstat(descriptor).st_ino)
        numbers.add(descriptor)
        disk.request(descriptor)
        disk.request_last(descriptor)
        os.close(descriptor)
    await asyncio.to_thread(disk.close)
    assert len(numbers) == 1
    assert synced == inodes


async def test_without_a_delay_a_request_is_answered_at_once(tmp_path: Path, synced: list[int]) -> None:
    disk = DiskSync()
    with (tmp_path / "file").open("wb") as file:
        async with asyncio.timeout(LONG / 2):
            await disk.wait(file.fileno())
        assert len(synced) == 1
        await asyncio.to_thread(disk.close)


async def test_a_request_without_a_free_descriptor_fails_and_the_next_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[int]
) -> None:
    disk = DiskSync()
    with (tmp_path / "file").open("wb") as file:
        with monkeypatch.context() as patched:
            patched.setattr(os, "dup", _fail)
            with pytest.raises(OSError, match="Too many"):
                await disk.wait(file.fileno())
        assert disk.error is not None
        await disk.wait(file.fileno())
    assert disk.error is None
    assert len(synced) == 1
    await asyncio.to_thread(disk.close)


async def test_a_request_without_a_thread_fails_and_the_next_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[int]
) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    disk = DiskSync()
    with (tmp_path / "file").open("wb") as file:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            with pytest.raises(OSError, match="thread"):
                await disk.wait(file.fileno())
        await disk.wait(file.fileno())
    assert len(synced) == 1
    await asyncio.to_thread(disk.close)


async def test_a_close_that_the_disk_does_not_answer_in_time_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _descriptor: answers.wait(LONG))
    disk = DiskSync()
    with (tmp_path / "file").open("wb") as file:
        disk.request(file.fileno())
        error = await asyncio.to_thread(disk.close, 0.01)
    assert isinstance(error, TimeoutError)
    answers.set()
    assert await asyncio.to_thread(disk.close) is None


async def test_a_close_returns_an_earlier_failure_that_nobody_has_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[int]
) -> None:
    disk = DiskSync()
    with (tmp_path / "file").open("wb") as file:
        with monkeypatch.context() as patched:
            patched.setattr(os, "dup", _fail)
            disk.request(file.fileno())
        await disk.wait(file.fileno())
    error = await asyncio.to_thread(disk.close)
    assert (error and error.errno, len(synced)) == (errno.EMFILE, 1)
