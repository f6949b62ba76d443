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
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench import audit_cost, peers
from tests.bench.environment import GatewayStack, Subject, running_stack
from tests.bench.sink import Sink
from tests.bench.table import Bench, Case, head, row

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
_FIRST_BYTE = tuple(Case(f"first byte, {kind}", kind, 1, 64 * 1024) for kind in ("http", "https"))
_UNDER_LOAD = Case("first byte beside 64 streams, http", "http", 1, 64 * 1024)


async def bench(only: str, rounds: int, seconds: float, crowd: int) -> None:
    """Prints a row for each case with *only* in its name. *crowd* is the number of slow viewers."""
    async with AsyncExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="valt-gateway-bench-")))
        stack = await exits.enter_async_context(running_stack(folder))
        sink = Sink(folder)
        await sink.build()
        if any(only in case.name for case in audit_cost.CASES):
            head(rounds, seconds)
            await audit_cost.audit_cost(stack, sink, only, rounds, seconds)
            if only.startswith("audit"):
                return
        starts = [await stack.start_seconds() for _ in range(rounds)]
        table = Bench(stack, sink, await _subjects(exits, stack), rounds, seconds)
        head(rounds, seconds)
        for case in (one for one in CASES if only in one.name):
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
        if only in "start":
            row("start, to the first answer", "s", f"{statistics.median(starts):.2f}")


async def _subjects(exits: AsyncExitStack, stack: GatewayStack) -> dict[str, list[Subject]]:
    """Starts all servers. Returns them by kind of case, the gateway first."""
    subjects: dict[str, list[Subject]] = {kind: [] for kind in peers.KINDS}
    for kind, delivery in (("http", "proxy"), ("https", "proxy"), ("redirect", "redirect")):
        gateway = stack.gateway(kind, delivery, encrypted=kind == "https")
        subjects[kind].append(await exits.enter_async_context(gateway))
        workers = stack.gateway(f"{kind}-workers", delivery, encrypted=kind == "https", workers=2)
        subjects[kind].append(await exits.enter_async_context(workers))
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
    return subjects


def main() -> int:
    quick = os.environ.get("QUICK", "") not in ("", "0")
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default="", help="run the cases whose name contains this")
    parser.add_argument("--rounds", type=int, default=1 if quick else 5, help="runs of each case")
    parser.add_argument("--seconds", type=float, default=1.0 if quick else 2.0, help="seconds of a run")
    parser.add_argument("--crowd", type=int, default=200 if quick else 1000, help="slow viewers at the same time")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(bench(options.only, options.rounds, options.seconds, options.crowd))
    return 0


if __name__ == "__main__":
    sys.exit(main())
