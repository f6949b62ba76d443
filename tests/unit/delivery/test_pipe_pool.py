"""The pipes that bytes are spliced through: used again and again, and the large ones few."""

import fcntl
import os
from collections.abc import Iterator

import pytest

from gateway.delivery.pipe_pool import LARGE, SMALL, Pipe, Pipes

MOST_LARGE = 32


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    pipes = Pipes()
    yield pipes
    for idle in pipes._idle.values():
        for pipe in idle:
            pipe.close()


def test_pipes_are_large_and_past_so_many_small(pipes: Pipes) -> None:
    taken = [pipes.take() for _ in range(MOST_LARGE + 2)]
    assert [pipe.size for pipe in taken] == [LARGE] * MOST_LARGE + [SMALL] * 2
    assert [fcntl.fcntl(pipe.writing, fcntl.F_GETPIPE_SZ) for pipe in (taken[0], taken[-1])] == [LARGE, SMALL]
    release(pipes, taken)


def test_a_pipe_that_is_given_back_is_taken_again_and_a_large_one_before_a_small_one(pipes: Pipes) -> None:
    taken = [pipes.take() for _ in range(MOST_LARGE + 1)]
    release(pipes, [taken[0], taken[-1]])
    assert [pipes.take(), pipes.take()] == [taken[0], taken[-1]]
    release(pipes, taken)


def test_one_that_is_thrown_away_is_closed_and_makes_room_for_another(pipes: Pipes) -> None:
    taken = [pipes.take() for _ in range(MOST_LARGE)]
    os.write(taken[0].writing, b"somebody else's")
    pipes.discard(taken[0])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(taken[0].writing)
    taken[0] = pipes.take()
    assert taken[0].size == LARGE
    with pytest.raises(BlockingIOError):
        os.read(taken[0].reading, 1)
    release(pipes, taken)


def test_no_more_than_so_many_are_kept(pipes: Pipes) -> None:
    release(pipes, [pipes.take() for _ in range(200)])
    assert len(pipes) == MOST_LARGE + 64


def test_where_the_kernel_gives_no_large_one_it_is_asked_for_a_small_one(
    pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = fcntl.fcntl

    def refuse_large(descriptor: int, command: int, size: int) -> int:
        if size == LARGE:
            raise PermissionError
        return ask(descriptor, command, size)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "fcntl", refuse_large)
        pipe = pipes.take()
    assert ask(pipe.writing, fcntl.F_GETPIPE_SZ) == SMALL
    release(pipes, [pipe])


def release(pipes: Pipes, taken: list[Pipe]) -> None:
    for pipe in taken:
        pipes.release(pipe)
