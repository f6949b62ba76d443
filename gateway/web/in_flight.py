"""The requests that one configuration is answering: what they need is closed after the last of them."""

import asyncio


class InFlight:
    """Entered by each request for as long as it is answered."""

    def __init__(self) -> None:
        self._count = 0
        self._none: asyncio.Event | None = None

    def __enter__(self) -> None:
        self._count += 1

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if not self._count and self._none is not None:
            self._none.set()

    async def over(self) -> None:
        """Wait for the end of the last one. Whoever waits sees to it that no new ones come."""
        if self._count:
            self._none = self._none or asyncio.Event()
            await self._none.wait()
