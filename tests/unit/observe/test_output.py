"""Output that nobody reads: bytes wait in a bounded queue, and nobody waits for the reader."""

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from gateway.observe.output import OutputThread
from tests.support.pipes import fill

pytestmark = pytest.mark.promise("operation-O2")
LINE = b"x" * 999 + b"\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        os.close(descriptor)


def read_all(reader: int, count: int) -> bytes:
    received = b""
    while len(received) < count:
        received += os.read(reader, 65_536)
    return received


def test_everything_is_written_in_order(pipe: tuple[int, int]) -> None:
    output = OutputThread(pipe[1])
    for number in range(100):
        output.write(b"%d\n" % number)
    assert output.close(timeout=10)
    expected = b"".join(b"%d\n" % number for number in range(100))
    assert read_all(pipe[0], len(expected)) == expected


def test_a_stalled_reader_blocks_nobody_and_bounds_what_waits(pipe: tuple[int, int]) -> None:
    filling = fill(pipe[1])
    output = OutputThread(pipe[1], max_waiting=10 * len(LINE))
    for _ in range(10):
        output.write(LINE)
    with pytest.raises(BlockingIOError):
        output.write(LINE)
    assert output.waiting == 10 * len(LINE)
    assert not output.close(timeout=0.01)
    assert read_all(pipe[0], filling + 10 * len(LINE)).endswith(LINE * 10)


def test_an_error_is_raised_until_a_later_attempt_succeeds_and_nothing_is_lost(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    filling = fill(writer)
    os.set_blocking(writer, False)  # so that a write fails instead of waiting
    output = OutputThread(writer, retry_seconds=0.001)
    output.write(LINE)
    wait_until(lambda: output.error is not None)
    for _ in range(2):
        with pytest.raises(BlockingIOError):
            output.write(LINE)
    assert output.waiting == len(LINE)
    assert len(read_all(reader, filling)) == filling
    wait_until(lambda: output.error is None and not output.waiting)
    assert output.write(b"end\n") == 4
    assert output.close(timeout=10)
    assert read_all(reader, len(LINE) + 4) == LINE + b"end\n"


def test_a_flush_waits_as_long_as_something_is_read(pipe: tuple[int, int]) -> None:
    filling = fill(pipe[1])
    output = OutputThread(pipe[1])
    for _ in range(300):
        output.write(LINE)
    assert not output.flush(patience=0.01)
    reading = threading.Thread(target=read_all, args=(pipe[0], filling + 300 * len(LINE)))
    reading.start()
    assert output.flush(patience=10)
    assert output.waiting == 0
    reading.join()


@pytest.mark.parametrize("stalled", [True, False])
def test_what_was_accepted_and_is_not_written_is_returned(pipe: tuple[int, int], stalled: bool) -> None:
    fill(pipe[1])
    os.set_blocking(pipe[1], stalled)
    output = OutputThread(pipe[1])
    for _ in range(3):
        output.write(LINE)
        wait_until(lambda: stalled or output.error is not None)
        if output.error is not None:
            break
    assert not output.close(timeout=0.01)
    assert output.take_unwritten() == (LINE * 3 if stalled else LINE)
    read_all(pipe[0], 1)


def wait_until(condition: Callable[[], object]) -> None:
    for _ in range(10_000):
        if condition():
            return
        threading.Event().wait(0.001)
    raise AssertionError("in vain")


def test_without_a_thread_nothing_is_accepted_until_one_can_be_started(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = OutputThread(pipe[1])

    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        for _ in range(2):
            with pytest.raises(OSError, match="thread"):
                output.write(LINE)
    output.write(LINE)
    assert output.close(timeout=10)
    assert read_all(pipe[0], len(LINE)) == LINE
