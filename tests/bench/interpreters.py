"""The gateway with several interpreters: a virtual environment for each, with the versions of constraints.txt."""

import asyncio
import statistics
import sys
from contextlib import AsyncExitStack

from tests.bench.environment import GatewayStack
from tests.bench.peers import CACHE
from tests.bench.report import Report
from tests.bench.sink import Sink
from tests.bench.subject import Subject
from tests.bench.table import Case
from tests.support.programs import run

_CASES = (
    Case("interpreters, redirects, 32", "redirect", 32),
    Case("interpreters, http, 1 MiB ranges, 8", "http", 8, 1024 * 1024),
    Case("interpreters, https, 1 MiB ranges, 8", "https", 8, 1024 * 1024),
)
_DESCRIPTION = "import platform, sys; print(platform.python_version(), sys.prefix != sys.base_prefix)"


async def interpreters(
    stack: GatewayStack, sink: Sink, report: Report, pythons: list[str], only: str, rounds: int, seconds: float
) -> None:
    """Prints for each case the work with each of *pythons*, the first of which is compared with the others."""
    described = [(python, *(await described_interpreter(python))) for python in pythons]
    ready = {name: python if has_packages else await _install(python, name) for python, name, has_packages in described}
    for kind in ("redirect", "http", "https"):
        cases = [case for case in _CASES if case.kind == kind and only in case.name]
        async with AsyncExitStack() as exits:
            subjects = {}
            for number, (name, python) in enumerate(ready.items() if cases else ()):
                delivery = "redirect" if kind == "redirect" else "proxy"
                gateway = stack.gateway(f"{kind}-python-{number}", delivery, encrypted=kind == "https", python=python)
                subjects[name] = await exits.enter_async_context(gateway)
            for case in cases:
                await _measure(stack, sink, report, subjects, case, rounds, seconds)


async def described_interpreter(python: str) -> tuple[str, bool]:
    """Returns the version of *python*, and whether it belongs to a virtual environment, which has the packages."""
    ran = await run(python, "-c", _DESCRIPTION)
    if ran.code:
        raise RuntimeError(ran.err.decode())
    version, is_environment = ran.out.decode().split()
    return version, is_environment == "True"


async def _install(python: str, name: str) -> str:
    """Returns the interpreter of a virtual environment with the gateway's libraries, made at the first call."""
    folder = CACHE.with_name(f"{CACHE.name}-python-{name}")
    if not (folder / "complete").exists():
        print(f"installing the gateway's libraries for Python {name} into {folder}", file=sys.stderr)
        created = await run(python, "-m", "venv", str(folder))
        pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt")
        installed = await run(*pip, ".[redis]", seconds=600)
        if created.code or installed.code:
            raise RuntimeError((created.err or installed.err).decode())
        await asyncio.to_thread((folder / "complete").touch)
    return str(folder / "bin" / "python")


async def _measure(
    stack: GatewayStack,
    sink: Sink,
    report: Report,
    subjects: dict[str, Subject],
    case: Case,
    rounds: int,
    seconds: float,
) -> None:
    figures: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            report.progress(f"{case.name}: Python {name}")
            before = subject.cpu()
            load = await sink.load(subject.port, stack.requests(), case.connections, seconds, case.range)
            if load.errors:
                raise RuntimeError(f"{case.name}: {load.errors} errors with Python {name}")
            work = load.responses if case.unit == "1/s" else load.bytes
            figures[name].append(work / max(subject.cpu() - before, 0.01))
    first = next(iter(figures.values()))
    cells = []
    for name, values in figures.items():
        median = statistics.median(values)
        share = statistics.median(one / other for one, other in zip(values, first, strict=True))
        figure = f"{median:,.0f}" if case.unit == "1/s" else f"{median / 1e9:.2f}"
        cells.append(f"Python {name} {figure}" + ("" if values is first else f" ({share:.2f} of the first)"))
    report.row(case.name, case.unit, *cells)
