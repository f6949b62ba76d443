"""What the audit costs of a request: each policy of ``[audit] fsync``, the hash chain and its key."""

import statistics
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.bench.environment import GatewayStack
from tests.bench.report import Report
from tests.bench.sink import Sink
from tests.bench.subject import Subject
from tests.bench.table import Case

CASES = (
    *(Case(f"audit, redirects, {count}", "redirect", count) for count in (1, 32)),
    *(Case(f"audit, 64 KiB ranges, {count}", "http", count, 64 * 1024) for count in (1, 8)),
)
_UNHASHED = (
    "import gateway.observe.audit_chain as chain; chain.digest_of = lambda *_: '0' * 64;"
    "from gateway.cli.main import main; main()"
)
"""A gateway whose chain has no hashes: the difference to ``never`` is what they cost."""
_VARIANTS = {
    "no hash": ('fsync = "never"', ("-c", _UNHASHED)),
    "never": ('fsync = "never"', ("-m", "gateway")),
    "never, with a key": ('fsync = "never"\nchain_key_file = "chain-key"', ("-m", "gateway")),
    "close": ('fsync = "close"', ("-m", "gateway")),
    "always": ('fsync = "always"', ("-m", "gateway")),
}


async def audit_cost(stack: GatewayStack, sink: Sink, report: Report, only: str, rounds: int, seconds: float) -> None:
    """Prints for each case the processor time and the median time to the first byte of a request, in microseconds."""
    (stack.folder / "chain-key").write_bytes(b"k" * 32)
    for kind, delivery in (("redirect", "redirect"), ("http", "proxy")):
        cases = [case for case in CASES if case.kind == kind and only in case.name]
        if cases:
            async with _gateways(stack, kind, delivery) as subjects:
                for case in cases:
                    await _measure(stack, sink, report, subjects, case, rounds, seconds)


@asynccontextmanager
async def _gateways(stack: GatewayStack, kind: str, delivery: str) -> AsyncIterator[dict[str, Subject]]:
    async with AsyncExitStack() as exits:
        subjects = {}
        for number, (name, (audit, command)) in enumerate(_VARIANTS.items()):
            gateway = stack.gateway(f"audit-{kind}-{number}", delivery, audit=audit, command=command)
            subjects[name] = await exits.enter_async_context(gateway)
        yield subjects


async def _measure(
    stack: GatewayStack,
    sink: Sink,
    report: Report,
    subjects: dict[str, Subject],
    case: Case,
    rounds: int,
    seconds: float,
) -> None:
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            report.progress(f"{case.name}: {name}")
            before = subject.cpu()
            load = await sink.load(subject.port, stack.requests(), case.connections, seconds, case.range)
            if load.errors or not load.responses:
                raise RuntimeError(f"{case.name}: {load.errors} errors of {name}")
            figures[name].append(((subject.cpu() - before) / load.responses * 1e6, load.median))
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in figures.items()
    }
    report.row(case.name, "µs", *(f"{name} {cpu:.0f}; {wait:,.0f}" for name, (cpu, wait) in medians.items()))
