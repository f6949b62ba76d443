"""``python -m tests.bench``: every case, the gateway beside its peers, as work per second of the proxy's own processor
time. Rounds are interleaved and their medians told. ``QUICK=1`` ends within three minutes; ``--only WORD`` picks cases.

Wall time depends on who else uses the machine, processor time hardly: so nothing but the first byte is told in it.
"""

import argparse
import asyncio
import os
import platform
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import peers
from tests.bench.house import FILM, House, Subject, house
from tests.support.programs import run

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Case:
    """*kind* is what the subject does (peers.KINDS); *range* is bytes asked for at once, or 0 for the whole film."""

    name: str
    kind: str
    connections: int
    range: int = 0

    @property
    def unit(self) -> str:
        return "1/s" if self.kind.startswith("redirect") else "GB/s"


CASES = (
    *(
        Case(f"{kind}, {'1 MiB ranges' if size else 'whole film'}, {count}", kind, count, size)
        for kind in ("http", "https")
        for size in (0, _MIB)
        for count in (1, 8, 64)
    ),
    Case("redirects, 32", "redirect", 32),
)
_FIRST_BYTE = tuple(Case(f"first byte, {kind}", kind, 1, 64 * 1024) for kind in ("http", "https"))


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


class Bench:
    def __init__(self, home: House, sink: Sink, subjects: dict[str, list[Subject]], rounds: int, seconds: float):
        self._home = home
        self._sink = sink
        self._subjects = subjects
        self._rounds = rounds
        self._seconds = seconds
        self._requests = home.requests()

    async def throughput(self, case: Case) -> None:
        """One row a case: the medians of every subject, and the gateway's ratio to each within a round."""
        subjects = self._subjects[case.kind]
        rounds: list[dict[str, float]] = []
        for _ in range(self._rounds):
            rounds.append({subject.name: await self._work(subject, case) for subject in subjects})
        cells = []
        for subject in subjects:
            median = statistics.median(one[subject.name] for one in rounds)
            ratio = statistics.median(one["valt-gateway"] / one[subject.name] for one in rounds)
            told = f"{median:,.0f}" if case.unit == "1/s" else f"{median / 1e9:.2f}"
            cells.append(told if subject.name == "valt-gateway" else f"{subject.name} {told} (x {ratio:.2f})")
        _row(case.name, case.unit, *cells)

    async def first_byte(self, case: Case) -> None:
        """Microseconds to a range's first byte; what each adds to asking the origin itself."""
        port = self._home.port if case.kind == "http" else self._home.tls_port
        direct = Subject("origin", port, os.getpid())
        subjects = [*self._subjects[case.kind], *([direct] if case.kind == "http" else [])]
        seen: dict[str, list[float]] = {}
        for _ in range(self._rounds):
            for subject in subjects:
                load = await self._sink.load(subject.port, self._requests, 1, self._seconds, case.range)
                seen.setdefault(subject.name, []).append(load.median)
        _row(case.name, "µs", *(f"{name} {statistics.median(values):.0f}" for name, values in seen.items()))

    async def memory(self, kind: str, viewers: int) -> None:
        """What each slow viewer of the film adds to the memory of the process."""
        cells = []
        # A peer is one process for both kinds, and what it took for the first it does not give back.
        for subject in self._subjects[kind] if kind == "http" else self._subjects[kind][:1]:
            await self._sink.load(subject.port, self._requests, 8, 0.5)
            before = subject.memory()
            running = asyncio.ensure_future(self._sink.load(subject.port, self._requests, viewers, 5, rate=64 * 1024))
            await asyncio.sleep(4)
            cells.append(f"{subject.name} {(subject.memory() - before) / viewers / 1024:.0f}")
            if (await running).errors:
                cells[-1] += " (with errors)"
        _row(f"{viewers} slow viewers, {kind}", "KiB each", *cells)

    async def _work(self, subject: Subject, case: Case) -> float:
        """Bytes or answers for a second of the subject's processor."""
        before = subject.cpu()
        load = await self._sink.load(subject.port, self._requests, case.connections, self._seconds, case.range)
        if load.errors:
            raise RuntimeError(f"{case.name}: {load.errors} errors of {subject.name}")
        work = load.answers if case.unit == "1/s" else load.bytes
        return work / max(subject.cpu() - before, 0.01)


async def bench(only: str, rounds: int, seconds: float) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="valt-gateway-bench-")))
        home = await stack.enter_async_context(house(folder))
        sink = Sink(folder)
        await sink.build()
        starts = [await home.start_seconds() for _ in range(rounds)]
        subjects: dict[str, list[Subject]] = {kind: [] for kind in peers.KINDS}
        for kind, delivery in (("http", "proxy"), ("https", "proxy"), ("redirect", "redirect")):
            gateway = home.gateway(kind, delivery, encrypted=kind == "https")
            subjects[kind].append(await stack.enter_async_context(gateway))
        programs = await peers.install()
        for peer in (
            peers.nginx_peer(home),
            peers.caddy(home, programs),
            peers.traefik(home, programs),
            peers.envoy(home, programs),
        ):
            for kind, subject in (await stack.enter_async_context(peer)).items():
                subjects[kind].append(subject)
        for cached in subjects.pop("redirect-cached"):
            subjects["redirect"].append(Subject(f"{cached.name} cached", cached.port, cached.pid))
        table = Bench(home, sink, subjects, rounds, seconds)
        _head(rounds, seconds)
        for case in (one for one in CASES if only in one.name):
            await table.throughput(case)
        for case in (one for one in _FIRST_BYTE if only in one.name):
            await table.first_byte(case)
        for kind in ("http", "https"):
            if only in f"memory, {kind}":
                await table.memory(kind, 200)
        if only in "start":
            _row("start, to the first answer", "s", f"{statistics.median(starts):.2f}")


def _head(rounds: int, seconds: float) -> None:
    about = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}"
    print(f"{about}, Python {platform.python_version()}; {rounds} rounds of {seconds} s\n")
    print("Work per second of the proxy's own processor time; x: the gateway's to the peer's.\n")
    _row("case, connections", "unit", "valt-gateway", "peers")
    _row("---", "---", "---", "---")


def _row(name: str, unit: str, first: str, *others: str) -> None:
    print(f"| {name} | {unit} | {first.removeprefix('valt-gateway ')} | {', '.join(others)} |", flush=True)


def main() -> int:
    quick = os.environ.get("QUICK", "") not in ("", "0")
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--rounds", type=int, default=1 if quick else 5, help="how often each case is run")
    parser.add_argument("--seconds", type=float, default=1.0 if quick else 2.0, help="how long each run is")
    told = parser.parse_args()
    asyncio.run(bench(told.only, told.rounds, told.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
