"""What a target of the fuzzer is: a reader of foreign bytes, with seeds, and a function that holds its promises."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """*check* reads one input; it raises AssertionError if a promise is broken, and any other exception is a finding
    too. *seeds* are valid inputs and past findings. *limit* is seconds of processor time that one input may take."""

    name: str
    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    limit: float = 1.0

    def run(self, data: bytes) -> None:
        """Checks one input, and its time."""
        begin = time.thread_time()
        self.check(data)
        taken = time.thread_time() - begin
        assert taken < self.limit, f"{self.name}: {taken:.2f} s for {len(data)} bytes"


def text_of(data: bytes) -> str:
    """Returns *data* as aiohttp decodes fields: UTF-8, with surrogates for other bytes."""
    return data.decode("utf-8", "surrogateescape")


def field_of(data: bytes) -> str:
    """Returns *data* as the value of a field, which holds no control characters."""
    return text_of(bytes(byte for byte in data if byte >= 32 and byte != 127))


def lines_of(data: bytes) -> list[str]:
    """Returns the lines of *data* as values of fields."""
    return [field_of(line) for line in data.split(b"\n")]
