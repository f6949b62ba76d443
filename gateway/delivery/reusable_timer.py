"""A time limit for one thing after another, on one timer: nearly all of them are done long before, and a timer that is
armed and cancelled for each costs more than one that goes off in vain."""

import asyncio
from collections.abc import Callable


class ReusableTimer:
    """Times are the event loop's."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._late: Callable[[], None] | None = None

    def set(self, due: float, late: Callable[[], None]) -> None:
        """Call *late* at *due*, unless something else is set before, or nothing."""
        self._due, self._late = due, late
        if self._timer is not None and self._timer.when() > due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._look)

    def clear(self) -> None:
        """Nothing is waited for."""
        self._late = None

    def close(self) -> None:
        self._late = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer, late = None, self._late
        if late is None:
            return
        if self._due > self._loop.time():
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self._late = None
            late()
