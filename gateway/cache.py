"""A cache with a time to live per entry whose loads are shared.

How it works: `LoadingCache` keeps values in a `cachetools.TLRUCache`. A loaded value states its time to live in
seconds, which becomes a deadline on the monotonic clock at once, at most `MAX_TTL` away: neither a huge ``exp`` nor a
step of the wall clock makes an entry immortal. Errors listed in *negative* are cached for a fixed time in a
`cachetools.TTLCache` of their own, so that a scan of unknown keys evicts no value; every other error reaches the
callers and is not cached. Callers that miss the same key wait for one load (`SingleFlight`).

Entries are read with ``cache[key]`` because ``cache.get(key)`` costs three times as much in cachetools.
"""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cachetools import TLRUCache, TTLCache

from gateway.events import CacheLookup
from gateway.ports import Clock, Observer
from gateway.single_flight import Admission, SingleFlight

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_TTL = 7 * 24 * 3600.0
"""Seconds. The longest time that an entry stays in a cache, whatever time to live it states."""


@dataclass(frozen=True, slots=True)
class CacheEntry(Generic[V]):
    """A loaded value, not None, and its time to live in seconds: 0 or less is not cached."""

    value: V
    ttl: float
    is_shared: bool = False
    """Whether another process had loaded it, so that it is what the caller needs who began the load, but perhaps not
    what those need who joined it."""


class LoadingCache(Generic[K, V]):
    """At most *max_entries* values, the least recently used evicted first, and as many errors of the types *negative*.

    *name* is the label of the metric `cache_lookups_total`. *negative_ttl* is the time in seconds for which an error is
    cached; 0 caches none. *admit* is the admission of the loads.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        observer: Observer,
        *,
        max_entries: int,
        negative: tuple[type[Exception], ...] = (),
        negative_ttl: float = 0.0,
        admit: Admission | None = None,
    ) -> None:
        self.name = name
        self._monotonic = clock.monotonic
        self._values: TLRUCache[K, tuple[V, float]] = TLRUCache(max_entries, _deadline, timer=clock.monotonic)
        """Each value with its deadline in monotonic seconds."""
        self._errors: TTLCache[K, Exception] = TTLCache(max_entries, negative_ttl, timer=clock.monotonic)
        self._negative = negative
        self._loads = SingleFlight[K, CacheEntry[V]](f"{name} load", admit=admit)
        self._report = observer.reporter(CacheLookup)
        self._hit = CacheLookup(name, "hit")

    def __repr__(self) -> str:
        entries, errors = len(self._values), len(self._errors)
        return f"<LoadingCache {self.name} entries={entries} errors={errors} loads={self._loads!r}>"

    def cached(self, key: K, min_life: float = 0.0) -> V | None:
        """Returns the cached value that stays valid for at least *min_life* seconds, or None.

        Reports a hit to the observer; None is not reported, because `get` follows and reports how it was resolved.
        """
        try:
            value, deadline = self._values[key]
        except KeyError:
            return None
        if min_life > 0 and deadline - self._monotonic() < min_life:
            return None
        self._report(self._hit)
        return value

    async def get(
        self,
        key: K,
        load: Callable[[], Awaitable[CacheEntry[V]]],
        *,
        min_life: float = 0.0,
        other_than: V | None = None,
    ) -> V:
        """Returns the cached value that stays valid for at least *min_life* seconds, or a newly loaded one, whatever
        its time to live. Raises the cached error of *key*, or what *load* raised.

        *other_than* is a value that the caller cannot use, has removed by `forget`, and does not get from another
        process either.
        """
        value = self.cached(key, min_life)
        if value is not None:
            return value
        if too_short := key in self._values:
            self._report(CacheLookup(self.name, "short"))
        error = self._cached_error(key)
        if error is not None:
            self._report(CacheLookup(self.name, "negative"))
            raise error.with_traceback(None)
        if not too_short:
            self._report(CacheLookup(self.name, "joined" if key in self._loads else "loaded"))
        is_own = False

        async def load_own() -> CacheEntry[V]:
            nonlocal is_own
            is_own = True
            # Another caller may have loaded it while this one waited for its admission.
            value, life = self._entry(key)
            if value is not None and value != other_than and life >= min_life:
                return CacheEntry(value, life, is_shared=True)
            return await self._load(key, load)

        while True:
            entry = await self._loads.run(key, load_own)
            if is_own or not entry.is_shared or (entry.ttl >= min_life and entry.value != other_than):
                return entry.value

    def forget(self, key: K, value: V) -> None:
        """Removes the entry of *key* if it still has that *value*: a concurrent caller may have replaced it already."""
        try:
            current, _ = self._values[key]
        except KeyError:
            return
        if current == value:
            self._values.pop(key, None)

    def clear(self) -> None:
        """Removes every value and every cached error."""
        self._values.clear()
        self._errors.clear()

    async def close(self) -> None:
        """Cancels the running loads and waits until they have ended."""
        await self._loads.close()

    def _entry(self, key: K) -> tuple[V | None, float]:
        """Returns the cached value, or None, and the seconds for which it stays valid."""
        try:
            value, deadline = self._values[key]
        except KeyError:
            return None, 0.0
        return value, deadline - self._monotonic()

    def _cached_error(self, key: K) -> Exception | None:
        try:
            return self._errors[key]
        except KeyError:
            return None

    async def _load(self, key: K, load: Callable[[], Awaitable[CacheEntry[V]]]) -> CacheEntry[V]:
        try:
            entry = await load()
        except self._negative as error:
            self._errors[key] = error
            raise
        # A deadline that has passed removes the previous entry.
        self._values[key] = (entry.value, self._monotonic() + min(entry.ttl, MAX_TTL))
        return entry


def _deadline(_key: object, entry: tuple[object, float], _now: float) -> float:
    return entry[1]
