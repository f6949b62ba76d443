"""For every test: a blocking call inside the event loop is a failure."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from tests.support import cases, promises
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import GatewayStack, running_stack


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--promises", action="store_true", help="with --collect-only: list each promise and its tests")
    parser.addoption("--cases", action="store_true", help="run the tests of cases.toml alone, and list each case")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Fails the run if a test carries the marker of a promise that promises.toml does not have.

    Only tests with real browsers and programs depend on the machine's load: ``--reruns`` means no other test."""
    for item in items:
        if "e2e" not in item.path.parts:
            item.add_marker(pytest.mark.flaky(reruns=0))
    unknown = promises.tests_by_promise(items).keys() - promises.catalogue().keys()
    if unknown:
        raise pytest.UsageError(f"promises.toml has no promise {', '.join(sorted(unknown))}")
    if config.getoption("--cases"):
        cases.select(config, items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--cases"):
        runs = [
            (report.nodeid, kind)
            for kind in ("passed", "failed", "error")
            for report in terminalreporter.getreports(kind)
        ]
        terminalreporter.write_line(
            cases.report((nodeid, "failed" if kind == "error" else kind) for nodeid, kind in runs)
        )


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.getoption("--promises"):
        print(promises.report(session.items))


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[BlockBuster]:
    """Files are small and local; what may hang is the network, and a sleep."""
    with blockbuster_ctx("gateway") as blockbuster:
        for name, function in blockbuster.functions.items():
            if name.startswith(("os.", "io.")):
                function.deactivate()
        yield blockbuster


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """A gateway takes the process's logging over; the next test is given it back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    """A gateway with the usual rules, on the machine's own clock."""
    async with running_stack(tmp_path) as built:
        yield built
        await asyncio.sleep(0)
