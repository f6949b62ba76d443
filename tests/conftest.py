"""For every test: a blocking call inside the event loop is a failure."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from tests.support.clock import ManualClock
from tests.support.gateway_fixture import GatewayStack, running_stack


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
