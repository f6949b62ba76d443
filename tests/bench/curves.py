"""How cost grows: with viewers, with a slow disk under the audit, and with rules, cached links and verified tokens."""

import asyncio
import json

from tests.bench.environment import GatewayStack
from tests.bench.report import Report
from tests.bench.sink import Sink
from tests.support.programs import run

VIEWERS = (1, 10, 100, 1_000, 2_000, 4_000)
DISK_MILLISECONDS = (0, 1, 5, 20, 100)
_RANGE, _PERIOD = 64 * 1024, 4
"""Bytes of a viewer's range, and seconds that it takes to read them."""
_SLOW_DISK = (
    "import os, time; written = os.fsync;"
    "os.fsync = lambda descriptor: (time.sleep({seconds}), written(descriptor))[1];"
    "from gateway.cli.main import main; main()"
)
"""A gateway whose disk takes so much longer for each fsync(2)."""

Curves = dict[str, list[list[float]]]
"""Points by the curve's name; the first number of each is what the curve grows with."""


async def curves(stack: GatewayStack, sink: Sink, report: Report, seconds: float, most: int) -> Curves:
    """Prints a row for each curve, and returns all points. *most* bounds viewers, rules, links and tokens."""
    points: Curves = await _in_process(stack, report, most)
    for kind in ("http", "https"):
        points[f"viewers, {kind}"] = await _viewers(stack, sink, report, kind, most)
    points["slow disk"] = await _slow_disk(stack, sink, report, seconds)
    report.save("curves", points)
    return points


async def _in_process(stack: GatewayStack, report: Report, most: int) -> Curves:
    report.progress("rules, links and tokens")
    ran = await run(stack.python, "-m", "tests.bench.in_process", str(most), seconds=300)
    if ran.code:
        raise RuntimeError(ran.err.decode())
    points: Curves = json.loads(ran.out)
    for name, what in (
        ("rules", "a decision, by number of rules"),
        ("links", "look-up of a link, by number of cached links"),
        ("tokens", "look-up of a token, by number of verified tokens"),
    ):
        cells = [f"{number:,.0f}: {micros:.2f}" for number, micros, _ in points[name]]
        if size := points[name][-1][2]:
            cells[-1] += f"; {size / 1024:.2f} KiB an entry"
        report.row(what, "µs", *cells)
    return points


async def _viewers(stack: GatewayStack, sink: Sink, report: Report, kind: str, most: int) -> list[list[float]]:
    """Returns number, share of a core in per cent, KiB of a viewer, and the median and late first byte of a range in
    milliseconds."""
    points: list[list[float]] = []
    seconds = 1.5 * _PERIOD
    async with stack.gateway(f"viewers-{kind}", "proxy", encrypted=kind == "https") as subject:
        await sink.load(subject.port, stack.requests(), 64, 0.5, _RANGE)
        empty = subject.memory()
        for number in (one for one in VIEWERS if one <= most):
            report.progress(f"{number:,} viewers, {kind}")
            before, started = subject.cpu(), asyncio.get_running_loop().time()
            viewers = sink.load(subject.port, stack.requests(), number, seconds, _RANGE, _RANGE // _PERIOD)
            load = asyncio.ensure_future(viewers)
            await asyncio.sleep(seconds - 0.5)
            memory = max(0, subject.memory() - empty) / number / 1024
            figures = await load
            share = (subject.cpu() - before) / (asyncio.get_running_loop().time() - started) * 100
            points.append([number, share, memory, figures.median / 1000, figures.percentile_99 / 1000])
            if figures.errors:
                report.row(f"{number:,} viewers, {kind}", "errors", str(figures.errors))
    cells = [
        f"{number:,.0f}: {share:.1f}; {memory:,.0f}; {median:.1f}; {late:.1f}"
        for number, share, memory, median, late in points
    ]
    name = f"viewers with a range of 64 KiB every {_PERIOD} s, {kind}: share of a core; memory; first byte; late"
    report.row(name, "%; KiB; ms", *cells)
    return points


async def _slow_disk(stack: GatewayStack, sink: Sink, report: Report, seconds: float) -> list[list[float]]:
    """Returns milliseconds of fsync(2), and of 32 connections the redirects a second, their median and late wait in
    milliseconds, with ``fsync = "always"``."""
    points: list[list[float]] = []
    for milliseconds in DISK_MILLISECONDS:
        report.progress(f"disk of {milliseconds} ms")
        command = ("-c", _SLOW_DISK.format(seconds=milliseconds / 1000))
        audit = 'fsync = "always"'
        async with stack.gateway(f"disk-{milliseconds}", "redirect", audit=audit, command=command) as subject:
            load = await sink.load(subject.port, stack.requests(), 32, 2 * seconds)
        if load.errors:
            raise RuntimeError(f"a disk of {milliseconds} ms: {load.errors} errors")
        points.append([milliseconds, load.responses / (2 * seconds), load.median / 1000, load.percentile_99 / 1000])
    cells = [f"{disk:.0f} ms: {rate:,.0f}; {median:.1f}; {late:.1f}" for disk, rate, median, late in points]
    report.row("32 connections, audit on a slow disk: redirects; median; late", "1/s; ms", *cells)
    return points
