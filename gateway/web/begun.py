"""A coroutine that is begun where its cause is, without waiting for a task's turn.

What Python 3.12 calls an eager task: most requests need not wait for anything, and making, scheduling and awaiting a
task for each costs more than they do. Until it first waits such a coroutine has no task of its own, so what needs one
(``asyncio.timeout``, aiohttp's client) has to start one for itself.
"""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Begun(Generic[T]):
    """Runs *coroutine* until it ends or has to wait for the first time; *rest* is to be awaited for its end."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._context = copy_context()
        self._error: BaseException | None = None
        self.done = False
        self.result: T | None = None
        """What it came to without waiting, if it is done and nothing was raised."""
        self._awaited = self._step(coroutine.send, None)

    def go_on(self) -> None:
        """Run on, as in the beginning, if what it waits for is there by now."""
        if asyncio.isfuture(self._awaited) and self._awaited.done():
            self._awaited = self._step(self._coroutine.send, None)

    @types.coroutine
    def rest(self) -> Generator[Any, Any, T]:
        """What it comes to; raises what it raises. Cancelling whoever awaits this cancels it."""
        while not self.done:
            try:
                sent = yield self._awaited
            except BaseException as error:
                self._awaited = self._step(self._coroutine.throw, error)
            else:
                self._awaited = self._step(self._coroutine.send, sent)
        if self._error is not None:
            raise self._error
        return cast("T", self.result)

    async def end(self) -> None:
        """Wait until it has come to its end; *rest* then tells to which."""
        try:
            await self.rest()
        except Exception:
            return

    def _step(self, resume: Callable[[Any], Any], value: Any) -> Any:
        try:
            return self._context.run(resume, value)
        except StopIteration as end:
            self.done, self.result = True, end.value
        except BaseException as error:
            self.done, self._error = True, error
        return None
