"""Calls that are shared by everyone who wants the same thing at the same time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from contextlib import ExitStack
from functools import partial
from typing import Generic, TypeVar

from gateway.errors import BusyError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Admission = Callable[[], Awaitable[ExitStack]]
"""Waits, on behalf of one caller, until its call may begin, and returns what is closed when the call has ended. What it
raises reaches that caller alone, and while it waits another caller's call for the same key may begin."""


class SingleFlight(Generic[K, V]):
    """Runs one call per key at a time and gives its result to everyone who waits for that key.

    *name* is the name of the tasks. A waiter that is cancelled cancels no other waiter, and the call only with
    *cancel_unawaited*, if nobody else waits for it: for calls whose result serves nobody later.
    """

    def __init__(self, name: str, *, admit: Admission | None = None, cancel_unawaited: bool = False) -> None:
        self._name = name
        self._admit = admit
        self._cancel_unawaited = cancel_unawaited
        self._is_closed = False
        self._tasks: dict[K, asyncio.Task[V]] = {}
        self._waiters: Counter[asyncio.Task[V]] = Counter()

    def __contains__(self, key: K) -> bool:
        """Whether a call for *key* is running."""
        return key in self._tasks

    def __repr__(self) -> str:
        return f"<SingleFlight {self._name} running={len(self._tasks)}>"

    def start(self, key: K, call: Callable[[], Awaitable[V]]) -> "asyncio.Task[V]":
        """Returns the running task for *key*, or starts *call* in a new one. Await it behind asyncio.shield only."""
        return self._tasks.get(key) or self._start(key, call, ExitStack())

    def start_admitted(self, key: K, call: Callable[[], Awaitable[V]], admission: ExitStack) -> None:
        """Starts *call*, unless one is running for *key*. *admission* is what is closed when it has ended.

        Raises BusyError if `close` has been called, perhaps while the caller waited for the admission.
        """
        if self._is_closed:
            raise _replaced()
        if key not in self._tasks:
            _ = self._start(key, call, admission.pop_all())

    async def run(self, key: K, call: Callable[[], Awaitable[V]]) -> V:
        """Returns the result of the call that is running for *key*, or of *call*. Raises what that call raised, and
        what the admission raised, and BusyError if `close` has cancelled it."""
        if self._admit is not None and key not in self._tasks:
            with await self._admit() as admission:
                self.start_admitted(key, call, admission)
        task = self.start(key, call)
        self._waiters[task] += 1
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if waiter is None or waiter.cancelling():
                raise
            raise _replaced() from None  # not to be taken for a client that has left
        finally:
            self._waiters[task] -= 1
            if not self._waiters[task]:
                del self._waiters[task]
                if self._cancel_unawaited and not task.done():
                    self._remove(key, task)  # so that nobody joins it any more
                    task.cancel()

    async def close(self) -> None:
        """Cancels the running calls and waits until they have ended. None is admitted from here on."""
        self._is_closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, key: K, call: Callable[[], Awaitable[V]], admission: ExitStack) -> "asyncio.Task[V]":
        task = self._tasks[key] = asyncio.create_task(self._run(key, call), name=self._name)
        task.add_done_callback(partial(self._end, key, admission))
        return task

    async def _run(self, key: K, call: Callable[[], Awaitable[V]]) -> V:
        try:
            return await call()
        finally:
            self._remove(key, asyncio.current_task())

    def _end(self, key: K, admission: ExitStack, task: "asyncio.Task[V]") -> None:
        self._remove(key, task)  # one that was cancelled before its first step has not done so
        admission.close()
        if not task.cancelled():
            task.exception()  # asyncio logs the exception of a task that nobody awaits, as when every waiter has left

    def _remove(self, key: K, task: "asyncio.Task[V] | None") -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]


def _replaced() -> BusyError:
    return BusyError("what was to be loaded belongs to a configuration that is no longer in force")
