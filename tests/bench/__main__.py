"""``python -m tests.bench``: measures the gateway and its peers as work per second of the server's own processor time.

Each round runs every server once, and the medians of the rounds are printed. ``QUICK=1`` ends within three minutes;
``--only WORD`` selects cases. Wall time depends on the load of the machine, processor time hardly: only the first byte
is measured in wall time.
"""

import argparse
import asyncio
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import audit_cost, peers
from tests.bench.curves import curves
from tests.bench.environment import GatewayStack, running_stack
from tests.bench.interpreters import described_interpreter, interpreters
from tests.bench.processes import processes
from tests.bench.report import Report
from tests.bench.sink import Sink
from tests.bench.subject import Subject
from tests.bench.table import Bench, Case
from tests.bench.tls_peers import tls_subjects

_MIB = 1024 * 1024

CASES = (
    *(
        Case(f"{kind}, {'1 MiB ranges' if size else 'whole film'}, {count}", kind, count, size)
        for kind in ("http", "https")
        for size in (0, _MIB)
        for count in (1, 8, 64)
    ),
    *(Case(f"redirects, {count}", "redirect", count) for count in (8, 32, 64)),
)
_TO_THE_VIEWER = tuple(
    Case(f"TLS to the viewer, {upstream}, {'1 MiB ranges' if size else 'whole film'}, {count}", kind, count, size)
    for kind, upstream in (("tls-http", "http"), ("tls-https", "https"))
    for size in (0, _MIB)
    for count in (8, 64)
)
_FIRST_BYTE = tuple(Case(f"first byte, {kind}", kind, 1, 64 * 1024) for kind in ("http", "https"))
_QUICK = (8, 32)
"""The connections of a quick run's cases."""
_UNDER_LOAD = Case("first byte beside 64 streams, http", "http", 1, 64 * 1024)


@dataclass(frozen=True, slots=True)
class Options:
    """*only* is part of the names of the cases to run; *quick* leaves some out. *crowd* is the number of slow viewers,
    *most* bounds the curves. *plots* has them drawn into *folder*, where the table is written too. *pythons* are
    interpreters: the first runs every gateway, all of them the cases of `interpreters`."""

    only: str
    rounds: int
    seconds: float
    crowd: int
    most: int
    pythons: list[str]
    plots: bool
    quick: bool
    folder: Path | None


async def bench(options: Options) -> None:
    """Prints a row for each case."""
    only, rounds, seconds = options.only, options.rounds, options.seconds
    report = Report(options.folder)
    async with AsyncExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="valt-gateway-bench-")))
        stack = await exits.enter_async_context(running_stack(folder, options.pythons[0]))
        sink = Sink(folder)
        await sink.build()
        version, _ = await described_interpreter(stack.python)
        report.head(rounds, seconds, version)
        if any(only in case.name for case in CASES + _FIRST_BYTE + (_UNDER_LOAD,)) or any(
            only in name for name in ("memory, idle", "memory, http", "memory, https")
        ):
            async with _subjects(stack, options) as subjects:
                table = Bench(stack, sink, report, subjects, rounds, seconds)
                await _table(table, only, options.crowd, quick=options.quick)
        if any(only in case.name for case in _TO_THE_VIEWER):
            async with tls_subjects(stack) as subjects:
                # Twice as long: the handshakes at the beginning are Python's.
                table = Bench(stack, sink, report, subjects, rounds, 2 * seconds)
                for case in (
                    one
                    for one in _TO_THE_VIEWER
                    if only in one.name and (not options.quick or one.connections in _QUICK)
                ):
                    await table.throughput(case)
        await processes(stack, sink, report, only, rounds, seconds)
        if len(options.pythons) > 1:
            await interpreters(stack, sink, report, options.pythons, only, rounds, seconds)
        if only.startswith("audit"):  # not in a run of everything: operations.md has its figures
            await audit_cost.audit_cost(stack, sink, report, only, rounds, seconds)
        if only in "curves":
            points = await curves(stack, sink, report, seconds, options.most)
            if options.plots and options.folder is not None:
                from tests.bench.plots import plot  # matplotlib takes a second to import

                print(*plot(points, options.folder))
        if only in "start":
            starts = [await stack.start_seconds() for _ in range(rounds)]
            report.row("start, to the first answer", "s", f"{statistics.median(starts):.2f}")


async def _table(table: Bench, only: str, crowd: int, *, quick: bool) -> None:
    """Measures the gateway beside its peers, without TLS to the viewer."""
    for case in (one for one in CASES if only in one.name and (not quick or one.connections in _QUICK)):
        await table.throughput(case)
    for case in (one for one in _FIRST_BYTE if only in one.name):
        await table.first_byte(case)
    if only in _UNDER_LOAD.name:
        await table.under_load(_UNDER_LOAD)
    for kind in ("http", "https"):
        if only in f"memory, {kind}":
            await table.memory(kind, crowd)
    if only in "memory, idle":
        await table.idle(10 * crowd)


@asynccontextmanager
async def _subjects(stack: GatewayStack, options: Options) -> AsyncIterator[dict[str, list[Subject]]]:
    """Runs all servers. Yields them by kind of case, the gateway first."""
    async with AsyncExitStack() as exits:
        subjects: dict[str, list[Subject]] = {kind: [] for kind in peers.KINDS}
        for kind, delivery in (("http", "proxy"), ("https", "proxy"), ("redirect", "redirect")):
            gateway = stack.gateway(kind, delivery, encrypted=kind == "https")
            subjects[kind].append(await exits.enter_async_context(gateway))
        programs = await peers.install()
        for peer in (
            peers.nginx_peer(stack),
            peers.haproxy(stack),
            peers.bare_aiohttp(stack),
            peers.caddy(stack, programs),
            peers.traefik(stack, programs),
            peers.envoy(stack, programs),
        ):
            for kind, subject in (await exits.enter_async_context(peer)).items():
                subjects[kind].append(subject)
        for cached in subjects.pop("redirect-cached"):
            subjects["redirect"].append(Subject(f"{cached.name} cached", cached.port, cached.pid))
        yield subjects


def main() -> int:
    quick = _is_set("QUICK")
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default="", help="run the cases whose name contains this")
    parser.add_argument("--rounds", type=int, default=1 if quick else 5, help="runs of each case")
    parser.add_argument("--seconds", type=float, default=0.4 if quick else 2.0, help="seconds of a run")
    parser.add_argument("--crowd", type=int, default=200 if quick else 1000, help="slow viewers at the same time")
    parser.add_argument("--most", type=int, default=1000 if quick else 100_000, help="the largest number of a curve")
    parser.add_argument("--python", action="append", help="interpreter of the gateways; the second and later compared")
    parser.add_argument("--folder", type=Path, help="where table.md, curves.json and plots are written (bench/)")
    options = parser.parse_args()
    plots = _is_set("PLOTS")
    folder = options.folder or (Path("bench") if plots else None)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    pythons = options.python or [sys.executable]
    asyncio.run(
        bench(
            Options(
                options.only,
                options.rounds,
                options.seconds,
                options.crowd,
                options.most,
                pythons,
                plots,
                quick,
                folder,
            )
        )
    )
    return 0


def _is_set(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


if __name__ == "__main__":
    sys.exit(main())
