"""The system's clock. Tests pass a ManualClock instead."""

import asyncio
import time


class SystemClock:
    """Implements ports.Clock with the system's time."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        """Returns after *seconds*."""
        await asyncio.sleep(seconds)
