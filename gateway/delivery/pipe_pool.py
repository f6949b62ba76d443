"""Pipes of the kernel, through which bodies are spliced, and what else all pumps share. Pipes are reused: creating one
takes longer than moving what it holds.

A large pipe moves more at once, which costs up to a third less processor time a byte. But a user's pipes are limited in
all (pipe(7), pipe-user-pages-soft: 64 MiB), and a slow client holds one: so only the first pipes are large.
"""

import contextlib
import fcntl
import os
from dataclasses import dataclass, field

LARGE, SMALL = 1024 * 1024, 256 * 1024
"""Bytes that a pipe holds."""
MAX_LARGE = 32
MAX_IDLE_SMALL = 64


@dataclass(slots=True, eq=False)
class Pipe:
    """*reading* and *writing* are descriptors; *size* is LARGE or SMALL, the capacity that was requested."""

    reading: int
    writing: int
    size: int

    def close(self) -> None:
        """Close both descriptors."""
        os.close(self.reading)
        os.close(self.writing)


class PipePool:
    """The pipes of one process."""

    def __init__(self) -> None:
        self._idle: dict[int, list[Pipe]] = {LARGE: [], SMALL: []}
        self._large = 0

    def __len__(self) -> int:
        """How many pipes are idle."""
        return sum(map(len, self._idle.values()))

    def __repr__(self) -> str:
        return f"<PipePool idle={len(self)} large={self._large}>"

    def take(self) -> Pipe:
        """Return an empty pipe: a large one, unless all of them are in use. Raises OSError without descriptors."""
        size = LARGE if self._idle[LARGE] or self._large < MAX_LARGE else SMALL
        if self._idle[size]:
            return self._idle[size].pop()
        pipe = _create(size)
        self._large += size == LARGE
        return pipe

    def release(self, pipe: Pipe) -> None:
        """Return an empty pipe to the pool."""
        if pipe.size == SMALL and len(self._idle[SMALL]) >= MAX_IDLE_SMALL:
            pipe.close()
        else:
            self._idle[pipe.size].append(pipe)

    def discard(self, pipe: Pipe) -> None:
        """Close a pipe that may still hold bytes of a body."""
        self._large -= pipe.size == LARGE
        pipe.close()

    def close(self) -> None:
        """Close all idle pipes."""
        for pipes in self._idle.values():
            while pipes:
                self.discard(pipes.pop())


def _create(size: int) -> Pipe:
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    # The kernel refuses a size beyond the user's limit or pipe-max-size. A smaller pipe works, with more system calls.
    for capacity in (size, SMALL):
        with contextlib.suppress(OSError):  # see above
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, capacity)
            break
    return Pipe(reading, writing, size)


@dataclass(slots=True, eq=False)
class PumpResources:
    """What all pumps of an event loop share. Sizes are bytes."""

    pipes: PipePool = field(default_factory=PipePool)
    scratch: memoryview = field(default_factory=lambda: memoryview(bytearray(1024 * 1024)), repr=False)
    turn: int = 1024 * 1024
    """How much a pump moves at most before the event loop serves others."""
    min_turn: int = 256 * 1024
    """What that is reduced to at most when many pumps run."""
    turn_of_all: int = 16 * 1024 * 1024
    """How much all pumps together move in one iteration of the event loop: a new request waits that long."""
    running: int = 0
    """How many pumps are running."""


SHARED = PumpResources()
