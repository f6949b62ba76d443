"""Measures one case at a time, and prints a row of the table for each."""

import asyncio
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.environment import GatewayStack
from tests.bench.report import Report
from tests.bench.sink import Sink, idle_connections
from tests.bench.subject import Subject


@dataclass(frozen=True, slots=True)
class Case:
    """*kind* is one of peers.KINDS; *range* is the bytes of each range request, or 0 for the whole film."""

    name: str
    kind: str
    connections: int
    range: int = 0

    @property
    def unit(self) -> str:
        return "1/s" if self.kind.startswith("redirect") else "GB/s"


class Bench:
    """*subjects* by the kind of case; the gateway is the first of each."""

    def __init__(
        self,
        stack: GatewayStack,
        sink: Sink,
        report: Report,
        subjects: Mapping[str, Sequence[Subject]],
        rounds: int,
        seconds: float,
    ) -> None:
        self._stack = stack
        self._sink = sink
        self._report = report
        self._subjects = subjects
        self._rounds = rounds
        self._seconds = seconds
        self._requests = stack.requests()
        self._faults: list[float] = []
        """Page faults of nginx for each MiB, of the rounds of a case."""

    async def throughput(self, case: Case) -> None:
        """Prints the median of every subject, and the median of the gateway's ratios to it within a round."""
        subjects = self._subjects[case.kind]
        rounds: list[dict[str, float]] = []
        self._faults.clear()
        for _ in range(self._rounds):
            rounds.append({subject.name: await self._work(subject, case) for subject in subjects})
        cells = []
        for subject in subjects:
            median = statistics.median(one[subject.name] for one in rounds)
            ratio = statistics.median(one["valt-gateway"] / one[subject.name] for one in rounds)
            figure = f"{median:,.0f}" if case.unit == "1/s" else f"{median / 1e9:.2f}"
            cells.append(figure if subject.name == "valt-gateway" else f"{subject.name} {figure} (x {ratio:.2f})")
            if subject.name == "nginx" and self._faults:
                cells[-1] += f", {statistics.median(self._faults):.1f} page faults a MiB"
        self._report.row(case.name, case.unit, *cells)

    async def first_byte(self, case: Case) -> None:
        """Prints the median time to the first byte of a range in microseconds, of the origin itself as well."""
        port = self._stack.port if case.kind == "http" else self._stack.tls_port
        direct = Subject("origin", port, os.getpid())
        subjects = [*self._subjects[case.kind], *([direct] if case.kind == "http" else [])]
        medians: dict[str, list[float]] = {}
        for _ in range(self._rounds):
            for subject in subjects:
                self._report.progress(f"{case.name}: {subject.name}")
                load = await self._sink.load(subject.port, self._requests, 1, self._seconds, case.range)
                medians.setdefault(subject.name, []).append(load.median)
        self._report.row(
            case.name, "µs", *(f"{name} {statistics.median(values):.0f}" for name, values in medians.items())
        )

    async def under_load(self, case: Case) -> None:
        """Prints median and 99th percentile of the time to the first byte, in µs, beside 64 streams at full speed."""
        cells = []
        for subject in self._subjects[case.kind]:
            self._report.progress(f"{case.name}: {subject.name}")
            seconds = 2 * self._seconds
            others = asyncio.ensure_future(self._sink.load(subject.port, self._requests, 64, seconds + 1))
            await asyncio.sleep(0.5)
            load = await self._sink.load(subject.port, self._requests, 1, seconds, case.range)
            await others
            figures = f"{load.median:,.0f}; {load.percentile_99:,.0f}" if load.responses else f"none in {seconds:.0f} s"
            cells.append(f"{subject.name} {figures}")
        self._report.row(case.name, "µs", *cells)

    async def idle(self, count: int) -> None:
        """Prints the memory of each of *count* idle connections that have had one response."""
        cells = []
        for subject in self._subjects["redirect"]:
            self._report.progress(f"{count:,} idle connections: {subject.name}")
            before = subject.memory()
            request = self._requests.split(b"\r\n\r\n")[0] + b"\r\n\r\n"
            async with idle_connections(subject.port, request, count) as opened:
                cells.append(f"{subject.name} {(subject.memory() - before) / max(1, opened) / 1024:.1f}")
                if opened < count:
                    cells[-1] += f" (of {opened:,})"
        self._report.row(f"{count:,} idle connections", "KiB each", *cells)

    async def memory(self, kind: str, viewers: int) -> None:
        """Prints the memory that each slow viewer of the film adds to the process."""
        cells, wait = [], 2 + viewers / 500
        # A peer is one process for both kinds and does not return the memory of the first kind to the system.
        for subject in self._subjects[kind] if kind == "http" else self._subjects[kind][:1]:
            self._report.progress(f"{viewers:,} slow viewers, {kind}: {subject.name}")
            await self._sink.load(subject.port, self._requests, 8, 0.5)
            before = subject.memory()
            running = asyncio.ensure_future(
                self._sink.load(subject.port, self._requests, viewers, wait + 1, rate=64 * 1024)
            )
            await asyncio.sleep(wait)
            cells.append(f"{subject.name} {(subject.memory() - before) / viewers / 1024:.0f}")
            if (await running).errors:
                cells[-1] += " (with errors)"
        self._report.row(f"{viewers:,} slow viewers, {kind}", "KiB each", *cells)

    async def _work(self, subject: Subject, case: Case) -> float:
        """Returns bytes or responses for each second of the subject's processor time."""
        self._report.progress(f"{case.name}: {subject.name}")
        before, faults = subject.cpu(), subject.page_faults()
        load = await self._sink.load(subject.port, self._requests, case.connections, self._seconds, case.range)
        if load.errors:
            raise RuntimeError(f"{case.name}: {load.errors} errors of {subject.name}")
        if subject.name == "nginx" and case.unit == "GB/s":
            self._faults.append((subject.page_faults() - faults) / max(1.0, load.bytes / 2**20))
        work = load.responses if case.unit == "1/s" else load.bytes
        return work / max(subject.cpu() - before, 0.01)
