"""The load generator sink.c, and idle connections."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.environment import FILM
from tests.bench.subject import Subject
from tests.support.programs import run


@dataclass(frozen=True, slots=True)
class Load:
    """The result of one run. Times to the first byte are in microseconds."""

    bytes: int
    responses: int
    errors: int
    median: float
    percentile_99: float


class Sink:
    """The load generator; ``build`` compiles it into *folder*."""

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
        figures = ran.out.split()
        return Load(int(figures[0]), int(figures[1]), int(figures[2]), float(figures[3]), float(figures[4]))

    async def drive(
        self, subject: Subject, requests: bytes, connections: int, seconds: float, range_: int = 0, rate: int = 0
    ) -> Load:
        """Puts load on each of the subject's servers, with its part of *connections*. The times are of the slowest."""
        part = connections // len(subject.servers)
        loads = await asyncio.gather(
            *(self.load(server.port, requests, part, seconds, range_, rate) for server in subject.servers)
        )
        return Load(
            sum(load.bytes for load in loads),
            sum(load.responses for load in loads),
            sum(load.errors for load in loads),
            max(load.median for load in loads),
            max(load.percentile_99 for load in loads),
        )


@asynccontextmanager
async def idle_connections(port: int, request: bytes, count: int) -> AsyncIterator[int]:
    """Opens *count* connections and sends *request* on each. Yields how many had a response within ten seconds."""
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
