"""The client: sink.c, compiled when it is needed, and connections that only stand open."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.environment import FILM
from tests.support.programs import run


@dataclass(frozen=True, slots=True)
class Load:
    """What the client saw in one run. Times to the first byte are in microseconds."""

    bytes: int
    answers: int
    errors: int
    median: float
    late: float


class Sink:
    """The client, compiled when it is needed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "sink"

    async def build(self) -> None:
        built = await run("cc", "-O2", "-o", str(self._path), str(Path(__file__).with_name("sink.c")))
        if built.code:
            raise RuntimeError(built.err.decode())

    async def load(
        self, port: int, requests: bytes, connections: int, seconds: float, range_: int = 0, rate: int = 0
    ) -> Load:
        numbers = (port, connections, seconds, range_, FILM, rate)
        ran = await run(str(self._path), *map(str, numbers), stdin=requests)
        if ran.code:
            raise RuntimeError(f"{port}: {ran.err.decode()}")
        told = ran.out.split()
        return Load(int(told[0]), int(told[1]), int(told[2]), float(told[3]), float(told[4]))


@asynccontextmanager
async def standing_open(port: int, request: bytes, count: int) -> AsyncIterator[int]:
    """*count* connections, each of which has asked once and says no more. Yields how many were answered."""
    writers: list[asyncio.StreamWriter] = []
    try:
        with contextlib.suppress(TimeoutError):
            for _ in range(count):
                async with asyncio.timeout(10):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writers.append(writer)
                    writer.write(request)
                    await reader.readuntil(b"\r\n\r\n")
        yield len(writers) - (len(writers) < count)
    finally:
        for writer in writers:
            writer.transport.abort()
