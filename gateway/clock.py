"""The system's clock, which tests replace by a ManualClock, and tasks that run for as long as a process."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any


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
    with suppress(TimeoutError):  # the end of the time is a result, not a failure
        async with asyncio.timeout(seconds):
            await event.wait()


async def ends_before(work: Coroutine[Any, Any, object], event: asyncio.Event, seconds: float | None = None) -> bool:
    """Returns whether *work* has ended before *event* is set, and within so many *seconds* if they are given. If not,
    it is cancelled."""
    tasks = [asyncio.create_task(work), asyncio.create_task(event.wait())]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    has_ended = tasks[0].done()
    for task in tasks:
        task.cancel()
    return has_ended


class BackgroundTasks:
    """Tasks that run until they end or `cancel` is called."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Starts *coroutine* as a task of that *name*."""
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def cancel(self) -> None:
        """Cancels the tasks, and returns when they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
