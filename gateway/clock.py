"""The system's clock. Tests pass a ManualClock instead."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress


class SystemClock:
    """Implements ports.Clock with the system's time."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        """Returns after *seconds*."""
        await asyncio.sleep(seconds)


async def repeat(seconds: float, action: Callable[[], None]) -> None:
    """Calls *action* every so many *seconds*, until it is cancelled."""
    while True:
        await asyncio.sleep(seconds)
        action()


async def wait_at_most(seconds: float, event: asyncio.Event) -> None:
    """Waits until *event* is set, or for so many *seconds*."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
