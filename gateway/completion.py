"""Work that is finished although whoever waits for it is cancelled, as a request is whose client leaves."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_running: set[asyncio.Task[Any]] = set()
"""The event loop itself refers to its tasks weakly."""


async def complete(work: Coroutine[Any, Any, T]) -> T:
    """Returns what *work* returns, and raises what it raises. If the caller is cancelled meanwhile, *work* goes on to
    its end, and its error is lost: nobody is left to be given it."""
    task = asyncio.create_task(work)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return await asyncio.shield(task)


async def wait_completed(seconds: float) -> None:
    """Waits until all work that `complete` has begun has ended, at most so many *seconds*."""
    if _running:
        await asyncio.wait(_running, timeout=seconds)


async def complete_all(*works: Coroutine[Any, Any, None]) -> None:
    """Does each of *works*, also if another one fails or the caller is cancelled. Raises the first error of them when
    all have ended."""
    results = await complete(_gather(works))
    for error in results:
        if error is not None:
            raise error


async def _gather(works: tuple[Coroutine[Any, Any, None], ...]) -> list[BaseException | None]:
    return await asyncio.gather(*works, return_exceptions=True)
