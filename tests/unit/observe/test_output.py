"""Output that nobody reads: bytes wait in a bounded queue, and nobody waits for the reader."""

import os
import threading
from collections.abc import Iterator

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


def test_the_error_of_a_write_is_raised_once_and_the_next_one_is_tried(pipe: tuple[int, int]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    output = OutputThread(full)
    output.write(LINE)
    while output.waiting:
        threading.Event().wait(0.001)
    with pytest.raises(OSError, match="No space"):
        output.write(LINE)
    assert output.write(LINE) == len(LINE)
    output.close()
    os.close(full)
