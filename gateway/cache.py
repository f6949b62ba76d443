"""Things that expire, each loaded once at a time however many wait for it.

The value says how long it is good, as a span turned into a monotonic deadline at once, so that neither a huge
``exp`` nor a step of the wall clock makes a thing live for ever. Callers who arrive during a load share its task
behind a shield: one who gives up takes it from nobody. Failures are passed on and not kept, save those of
*negative*, which are remembered apart so that a scan of unknown keys evicts nothing that is known.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.events import CacheLookup
from gateway.ports import Clock, Observer

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_LIFE = 7 * 24 * 3600.0
"""Seconds. Nothing is believed for longer, whatever it says of itself."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[V]):
    """A value and for how many seconds it is good; 0 or less: for this once."""

    value: V
    good_for: float


class Kept(Generic[K, V]):
    """At most *most* values, each until its end, in monotonic seconds. What was asked for longest ago makes room."""

    def __init__(self, most: int, clock: Clock) -> None:
        self._most = most
        self._monotonic = clock.monotonic
        self._entries: OrderedDict[K, tuple[V, float]] = OrderedDict()

    def get(self, key: K) -> tuple[V, float] | None:
        """The value and its end, if that has not come."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[1] <= self._monotonic():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry

    def put(self, key: K, value: V, until: float) -> None:
        self._entries[key] = (value, until)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        self._entries.pop(key, None)

    def clear(self) -> None:
        self._entries.clear()


class Shared(Generic[K, V]):
    """Work under way, once a key at a time however many wait for it. *name* is the tasks'."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._running: dict[K, asyncio.Task[V]] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._running

    async def get(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """What *work* comes to, or what the work under way for *key* does. Raises what it raised."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._run(key, work), name=self._name)
            task.add_done_callback(_consume)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Cancel what is still under way."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        try:
            return await work()
        finally:
            del self._running[key]


class Cache(Generic[K, V]):
    """*name* is the metric's label. *negative* are the errors worth remembering, for *negative_ttl* seconds."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        observer: Observer,
        *,
        max_entries: int,
        negative: tuple[type[Exception], ...] = (),
        negative_ttl: float = 0.0,
    ) -> None:
        self.name = name
        self._clock = clock
        self._observer = observer
        self._good = Kept[K, V](max_entries, clock)
        self._refusals = Kept[K, Exception](max_entries, clock)
        self._negative = negative
        self._negative_ttl = negative_ttl
        self._loads = Shared[K, V](f"{name} load")
        self._hit = CacheLookup(name, "hit")

    async def get(self, key: K, load: Callable[[], Awaitable[Loaded[V]]], *, min_life: float = 0.0) -> V:
        """The value for *key* with at least *min_life* seconds left, or a newly loaded one whatever it has left.

        Raises what *load* raised.
        """
        good = self._good.get(key)
        if good is not None:
            value, until = good
            if min_life <= 0 or until - self._clock.monotonic() >= min_life:
                self._observer.on_event(self._hit)
                return value
            self._told("short")
        refused = self._refusals.get(key)
        if refused is not None:
            self._told("negative")
            raise refused[0].with_traceback(None)
        if good is None:
            self._told("joined" if key in self._loads else "loaded")
        return await self._loads.get(key, lambda: self._load(key, load))

    def peek(self, key: K) -> V | None:
        """The value if it is there and good. Counts as no look-up."""
        good = self._good.get(key)
        return None if good is None else good[0]

    def put(self, key: K, loaded: Loaded[V]) -> None:
        if loaded.good_for > 0:
            self._good.put(key, loaded.value, self._clock.monotonic() + min(loaded.good_for, MAX_LIFE))
        else:
            self._good.drop(key)

    def forget(self, key: K, value: V) -> None:
        """Drop *key*, but only if it is still that *value*: another may have replaced it already."""
        if self.peek(key) == value:
            self._good.drop(key)

    def clear(self) -> None:
        self._good.clear()
        self._refusals.clear()

    async def close(self) -> None:
        """Cancel what is still being loaded."""
        await self._loads.close()

    async def _load(self, key: K, load: Callable[[], Awaitable[Loaded[V]]]) -> V:
        try:
            loaded = await load()
            self.put(key, loaded)
            return loaded.value
        except self._negative as error:
            if self._negative_ttl > 0:
                self._refusals.put(key, error, self._clock.monotonic() + self._negative_ttl)
            raise

    def _told(self, result: str) -> None:
        self._observer.on_event(CacheLookup(self.name, result))


def _consume(task: "asyncio.Task[object]") -> None:
    # Every waiter may have left: a failure nobody awaits is not a fault of the loop.
    if not task.cancelled():
        task.exception()
