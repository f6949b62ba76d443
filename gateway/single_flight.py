"""Calls that are shared by everyone who wants the same thing at the same time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from typing import Generic, TypeVar

from gateway.errors import BusyError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Admission = Callable[[], AbstractContextManager[None]]
"""Returns what is entered before a call begins, in the context of the caller that begins it, and left when the call has
ended. What it raises reaches that caller alone: nobody else has joined the call yet."""


class SingleFlight(Generic[K, V]):
    """Runs one call per key at a time and gives its result to everyone who waits for that key.

    *name* is the name of the tasks. A waiter that is cancelled cancels no other waiter, and the call only with
    *cancel_unawaited*, if nobody else waits for it: for calls whose result serves nobody later.
    """

    def __init__(self, name: str, *, admit: Admission = nullcontext, cancel_unawaited: bool = False) -> None:
        self._name = name
        self._admit = admit
        self._cancel_unawaited = cancel_unawaited
        self._tasks: dict[K, asyncio.Task[V]] = {}
        self._waiters: Counter[asyncio.Task[V]] = Counter()

    def __contains__(self, key: K) -> bool:
        """Whether a call for *key* is running."""
        return key in self._tasks

    def __repr__(self) -> str:
        return f"<SingleFlight {self._name} running={len(self._tasks)}>"

    def start(self, key: K, call: Callable[[], Awaitable[V]]) -> "asyncio.Task[V]":
        """Returns the running task for *key*, or starts *call* in a new one. Await it behind asyncio.shield only.

        Raises what the admission raises.
        """
        task = self._tasks.get(key)
        if task is None:
            with ExitStack() as admission:
                admission.enter_context(self._admit())
                task = self._tasks[key] = asyncio.create_task(self._run(key, call), name=self._name)
                task.add_done_callback(partial(self._end, key, admission.pop_all()))
        return task

    async def run(self, key: K, call: Callable[[], Awaitable[V]]) -> V:
        """Returns the result of the call that is running for *key*, or of *call*. Raises what that call raised, and
        BusyError if `close` has cancelled it."""
        task = self.start(key, call)
        self._waiters[task] += 1
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if waiter is None or waiter.cancelling():
                raise
            # Not to be taken for a client that has left.
            raise BusyError("what was to be loaded belongs to a configuration that is no longer in force") from None
        finally:
            self._waiters[task] -= 1
            if not self._waiters[task]:
                del self._waiters[task]
                if self._cancel_unawaited and not task.done():
                    self._remove(key, task)  # so that nobody joins it any more
                    task.cancel()

    async def close(self) -> None:
        """Cancels the running calls and waits until they have ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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
