"""The kernel's pipes that bytes are spliced through. They are used again and again: to make one takes longer than to
move what it holds.

Large ones move more at one go, and a byte costs up to a third less. But a user's pipes are limited in all (pipe(7),
pipe-user-pages-soft: 64 MiB), and whoever reads slowly keeps one for himself: so the large ones are few.
"""

import contextlib
import fcntl
import os
from dataclasses import dataclass

LARGE, SMALL = 1024 * 1024, 256 * 1024
_MOST_LARGE = 32
_MOST_IDLE_SMALL = 64


@dataclass(slots=True, eq=False)
class Pipe:
    """*reading* and *writing* are descriptors; *size* is what it was made to hold, in bytes."""

    reading: int
    writing: int
    size: int

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


class Pipes:
    """Those of one process."""

    def __init__(self) -> None:
        self._idle: dict[int, list[Pipe]] = {LARGE: [], SMALL: []}
        self._large = 0

    def __len__(self) -> int:
        """How many lie idle."""
        return sum(map(len, self._idle.values()))

    def take(self) -> Pipe:
        """An empty one: large, unless all the large ones are in use. OSError where there are no more descriptors."""
        size = LARGE if self._idle[LARGE] or self._large < _MOST_LARGE else SMALL
        if self._idle[size]:
            return self._idle[size].pop()
        pipe = _made(size)
        self._large += size == LARGE
        return pipe

    def release(self, pipe: Pipe) -> None:
        """An empty one."""
        if pipe.size == SMALL and len(self._idle[SMALL]) >= _MOST_IDLE_SMALL:
            pipe.close()
        else:
            self._idle[pipe.size].append(pipe)

    def discard(self, pipe: Pipe) -> None:
        """One with bytes in it, which is no use to anybody else."""
        self._large -= pipe.size == LARGE
        pipe.close()


def _made(size: int) -> Pipe:
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    # Past the user's limit, or pipe-max-size, the kernel refuses; whatever it has given does, but costs more turns.
    for wanted in (size, SMALL):
        with contextlib.suppress(OSError):
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, wanted)
            break
    return Pipe(reading, writing, size)
