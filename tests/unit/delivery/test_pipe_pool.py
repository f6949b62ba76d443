"""PipePool: pipes are reused, and the large ones are few."""

import fcntl
import os
from collections.abc import Iterator

import pytest

from gateway.delivery.pipe_pool import LARGE, MAX_IDLE_SMALL, MAX_LARGE, SMALL, Pipe, PipePool


@pytest.fixture
def pipes() -> Iterator[PipePool]:
    pipes = PipePool()
    yield pipes
    pipes.close()


def test_the_first_pipes_are_large_and_the_others_small(pipes: PipePool) -> None:
    taken = [pipes.take() for _ in range(MAX_LARGE + 2)]
    assert [pipe.size for pipe in taken] == [LARGE] * MAX_LARGE + [SMALL] * 2
    assert [fcntl.fcntl(pipe.writing, fcntl.F_GETPIPE_SZ) for pipe in (taken[0], taken[-1])] == [LARGE, SMALL]
    release(pipes, taken)


def test_a_released_pipe_is_taken_again_and_a_large_one_first(pipes: PipePool) -> None:
    taken = [pipes.take() for _ in range(MAX_LARGE + 1)]
    release(pipes, [taken[0], taken[-1]])
    assert [pipes.take(), pipes.take()] == [taken[0], taken[-1]]
    release(pipes, taken)


def test_a_discarded_pipe_is_closed_and_may_be_replaced(pipes: PipePool) -> None:
    taken = [pipes.take() for _ in range(MAX_LARGE)]
    os.write(taken[0].writing, b"another stream's bytes")
    pipes.discard(taken[0])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(taken[0].writing)
    taken[0] = pipes.take()
    assert taken[0].size == LARGE
    with pytest.raises(BlockingIOError):
        os.read(taken[0].reading, 1)
    release(pipes, taken)


def test_no_more_idle_pipes_than_the_maximum_stay_open(pipes: PipePool) -> None:
    release(pipes, [pipes.take() for _ in range(200)])
    assert len(pipes) == MAX_LARGE + MAX_IDLE_SMALL
    assert repr(pipes) == f"<PipePool idle={len(pipes)} large={MAX_LARGE}>"


def test_where_the_kernel_refuses_a_large_pipe_a_small_one_is_requested(
    pipes: PipePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.fcntl

    def refuse_large(descriptor: int, command: int, size: int) -> int:
        if size == LARGE:
            raise PermissionError
        return real(descriptor, command, size)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "fcntl", refuse_large)
        pipe = pipes.take()
    assert real(pipe.writing, fcntl.F_GETPIPE_SZ) == SMALL
    release(pipes, [pipe])


def release(pipes: PipePool, taken: list[Pipe]) -> None:
    for pipe in taken:
        pipes.release(pipe)
