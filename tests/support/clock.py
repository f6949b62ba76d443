"""A clock that a test moves by hand."""

import asyncio
from dataclasses import dataclass


@dataclass
class ManualClock:
    """Wall and monotonic time, apart, so that a step of the one is not a step of the other."""

    wall: float = 1_800_000_000.0
    steady: float = 1_000.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    async def sleep(self, seconds: float) -> None:
        """Nobody waits: so much has passed at once."""
        self.pass_(seconds)
        await asyncio.sleep(0)

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def step(self, seconds: float) -> None:
        """The wall clock is set anew; no time has passed."""
        self.wall += seconds
