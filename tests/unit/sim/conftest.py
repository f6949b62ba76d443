"""A simulated VALT with a manual clock."""

from collections.abc import AsyncIterator

import pytest

from tests.support.clock import ManualClock
from tests.support.valt import Caller, caller


@pytest.fixture
async def valt(clock: ManualClock) -> AsyncIterator[Caller]:
    async with caller(clock) as built:
        yield built
