"""Several processes: how much work per second of processor time they do, compared with one.

Each process gets as many connections as the one has: what a process finds waiting at a time determines how often it
does what is done once for all that wait. Two separate processes show what the machine itself takes when two processes
share its processors and caches with the client and the media server; workers and replicas, what they add to that.
"""

import random
import statistics
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from tests.bench.environment import GatewayStack
from tests.bench.report import Report
from tests.bench.sink import Sink
from tests.bench.subject import Subject
from tests.bench.table import Case
from tests.support.redis_server import RedisServer, redis_server

CASES = (
    Case("processes, redirects, 32 each", "redirect", 32),
    Case("processes, http, 1 MiB ranges, 8 each", "http", 8, 1024 * 1024),
    Case("processes, https, 1 MiB ranges, 8 each", "https", 8, 1024 * 1024),
    Case("processes, http, whole film, 4 each", "http", 4),
)
_STATE = '[state]\nurl = "{url}"\nsecret_file = "state-secret"\n'


async def processes(stack: GatewayStack, sink: Sink, report: Report, only: str, rounds: int, seconds: float) -> None:
    """Prints for each case the work of each arrangement, and its share of the work of one process."""
    for kind in ("redirect", "http", "https"):
        cases = [case for case in CASES if case.kind == kind and only in case.name]
        if cases:
            before = stack.valt.calls.copy()
            async with _subjects(stack, kind) as (subjects, redis):
                for case in cases:
                    await _measure(stack, sink, report, subjects, redis, case, rounds, seconds)
            calls = stack.valt.calls - before
            cells = ", ".join(f"{operation} {count}" for operation, count in sorted(calls.items()))
            report.row(f"processes, {kind}: calls of VALT by all seven, one film", "calls", cells)


@asynccontextmanager
async def _subjects(stack: GatewayStack, kind: str) -> AsyncIterator[tuple[list[Subject], Subject]]:
    secret = stack.folder / "state-secret"
    secret.touch(mode=0o600)
    secret.write_text("s" * 48)
    delivery = "redirect" if kind == "redirect" else "proxy"
    encrypted = kind == "https"

    async with AsyncExitStack() as exits:

        async def two(name: str, more: str = "") -> Subject:
            pair = [
                await exits.enter_async_context(
                    stack.gateway(f"{kind}-{name}-{number}", delivery, encrypted=encrypted, more=more)
                )
                for number in range(2)
            ]
            return replace(pair[0], name=f"2 {name}", others=(pair[1],))

        redis: RedisServer = await exits.enter_async_context(redis_server(stack.folder))
        assert redis.process is not None
        one = await exits.enter_async_context(stack.gateway(f"{kind}-one", delivery, encrypted=encrypted))
        separate = await two("processes")
        workers = await exits.enter_async_context(
            stack.gateway(f"{kind}-workers", delivery, encrypted=encrypted, workers=2)
        )
        replicas = await two("replicas", _STATE.format(url=redis.url))
        yield [one, separate, workers, replicas], Subject("redis", redis.port, redis.process.pid)


async def _measure(
    stack: GatewayStack,
    sink: Sink,
    report: Report,
    subjects: list[Subject],
    redis: Subject,
    case: Case,
    rounds: int,
    seconds: float,
) -> None:
    figures: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    of_redis: list[float] = []
    for _ in range(rounds):
        for subject in random.sample(subjects, k=len(subjects)):
            report.progress(f"{case.name}: {subject.name}")
            connections = case.connections * (1 if subject is subjects[0] else 2)
            before, redis_before = subject.cpu(), redis.cpu()
            load = await sink.drive(subject, stack.requests(), connections, seconds, case.range)
            if load.errors:
                raise RuntimeError(f"{case.name}: {load.errors} errors of {subject.name}")
            work = load.responses if case.unit == "1/s" else load.bytes
            figures[subject.name].append(work / max(subject.cpu() - before, 0.01))
            if subject.name == "2 replicas":
                of_redis.append((redis.cpu() - redis_before) / max(1, load.responses) * 1e6)
    cells = []
    for name, values in figures.items():
        median = statistics.median(values)
        share = statistics.median(a / b for a, b in zip(values, figures[subjects[0].name], strict=True))
        figure = f"{median:,.0f}" if case.unit == "1/s" else f"{median / 1e9:.2f}"
        cells.append(figure if name == subjects[0].name else f"{name} {figure} ({share:.2f} of one)")
    if case.range or case.unit == "1/s":
        cells.append(f"Redis {statistics.median(of_redis):.1f} µs a request")
    report.row(case.name, case.unit, *cells)
