"""A clock that a test moves by hand."""

import asyncio
from dataclasses import dataclass


@dataclass
class ManualClock:
    """Wall time and monotonic time, set apart: a step of one is not a step of the other."""

    wall: float = 1_800_000_000.0
    steady: float = 1_000.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    async def sleep(self, seconds: float) -> None:
        """Advances the clock by *seconds* at once, without waiting."""
        self.pass_(seconds)
        await asyncio.sleep(0)

    def pass_(self, seconds: float) -> None:
        """Advances both clocks by *seconds*."""
        self.wall += seconds
        self.steady += seconds

    def step(self, seconds: float) -> None:
        """Sets the wall clock forward or back, as an administrator or NTP would; no time passes."""
        self.wall += seconds


class TickingClock(ManualClock):
    """Passes a microsecond at each reading, as a real clock does: no two readings are alike."""

    def now(self) -> float:
        self.pass_(1e-6)
        return super().now()
