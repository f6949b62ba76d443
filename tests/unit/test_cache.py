"""LoadingCache and SingleFlight, on a manual clock."""

import asyncio
from contextlib import ExitStack

import pytest

from gateway.cache import MAX_TTL, CacheEntry, LoadingCache
from gateway.errors import BusyError, ValtUnavailableError, VideoNotFoundError
from gateway.events import CacheLookup
from gateway.single_flight import SingleFlight
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder


class Loader:
    """Counts its loads; each waits until *gate* is set."""

    def __init__(self, ttl: float = 60.0) -> None:
        self.ttl = ttl
        self.loads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None

    async def __call__(self) -> CacheEntry[str]:
        self.loads += 1
        number = self.loads
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return CacheEntry(f"value {number}", self.ttl)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def cache(clock: ManualClock, recorder: Recorder) -> LoadingCache[str, str]:
    return LoadingCache("link", clock, recorder, max_entries=100, negative=(VideoNotFoundError,), negative_ttl=5.0)


def results(recorder: Recorder) -> list[str]:
    return [event.result for event in recorder.events if isinstance(event, CacheLookup)]


@pytest.mark.promise("findings-H")
async def test_three_hundred_callers_share_one_load(cache: LoadingCache[str, str], recorder: Recorder) -> None:
    load = Loader()
    load.gate.clear()
    waiting = [asyncio.create_task(cache.get("a", load)) for _ in range(300)]
    await asyncio.sleep(0)
    load.gate.set()

    assert set(await asyncio.gather(*waiting)) == {"value 1"}
    assert load.loads == 1
    assert results(recorder).count("loaded") == 1
    assert results(recorder).count("joined") == 299


@pytest.mark.promise("findings-H")
async def test_a_cancelled_caller_cancels_the_load_for_nobody_else(cache: LoadingCache[str, str]) -> None:
    load = Loader()
    load.gate.clear()
    first, second = asyncio.create_task(cache.get("a", load)), asyncio.create_task(cache.get("a", load))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    load.gate.set()

    assert await second == "value 1"
    assert first.cancelled()
    assert await cache.get("a", load) == "value 1"
    assert load.loads == 1


async def test_a_value_is_cached_for_its_time_to_live(cache: LoadingCache[str, str], clock: ManualClock) -> None:
    load = Loader(ttl=60.0)
    await cache.get("a", load)
    clock.pass_(59.9)
    assert await cache.get("a", load) == "value 1"
    clock.pass_(0.2)
    assert await cache.get("a", load) == "value 2"


@pytest.mark.promise("findings-14")
async def test_setting_the_wall_clock_neither_extends_nor_ends_an_entry(
    cache: LoadingCache[str, str], clock: ManualClock
) -> None:
    load = Loader(ttl=60.0)
    await cache.get("a", load)
    clock.step(3600.0)
    assert await cache.get("a", load) == "value 1"
    clock.pass_(61.0)
    clock.step(-7200.0)
    assert await cache.get("a", load) == "value 2"


@pytest.mark.promise("findings-14")
@pytest.mark.parametrize("ttl", [1e308, float("inf"), 1e12])
async def test_an_entry_lives_for_a_week_at_most(cache: LoadingCache[str, str], clock: ManualClock, ttl: float) -> None:
    load = Loader(ttl=ttl)
    await cache.get("a", load)
    clock.pass_(MAX_TTL + 1)
    assert await cache.get("a", load) == "value 2"


async def test_a_value_with_ttl_zero_is_returned_and_not_cached(cache: LoadingCache[str, str]) -> None:
    load = Loader(ttl=0.0)
    assert await cache.get("a", load) == "value 1"
    assert await cache.get("a", load) == "value 2"


async def test_an_entry_with_too_little_life_left_is_reported_short_and_reloaded(
    cache: LoadingCache[str, str], clock: ManualClock, recorder: Recorder
) -> None:
    load = Loader(ttl=60.0)
    await cache.get("a", load)
    clock.pass_(50.0)
    assert await cache.get("a", load, min_life=30.0) == "value 2"
    assert results(recorder) == ["loaded", "short"]


async def test_negative_errors_are_cached_and_other_errors_are_not(
    cache: LoadingCache[str, str], clock: ManualClock, recorder: Recorder
) -> None:
    load = Loader()
    load.failure = VideoNotFoundError()
    for _ in range(3):
        with pytest.raises(VideoNotFoundError):
            await cache.get("a", load)
    assert load.loads == 1
    assert results(recorder) == ["loaded", "negative", "negative"]
    clock.pass_(5.1)
    load.failure = ValtUnavailableError()
    for _ in range(2):
        with pytest.raises(ValtUnavailableError):
            await cache.get("a", load)
    assert load.loads == 3


async def test_a_cached_error_raised_repeatedly_grows_no_traceback(cache: LoadingCache[str, str]) -> None:
    load = Loader()
    load.failure = VideoNotFoundError()
    depths = []
    for _ in range(5):
        with pytest.raises(VideoNotFoundError) as raised:
            await cache.get("a", load)
        depths.append(len(raised.traceback))
    assert len(set(depths[1:])) == 1


async def test_a_scan_of_missing_keys_evicts_no_value(cache: LoadingCache[str, str]) -> None:
    present, missing = Loader(), Loader()
    missing.failure = VideoNotFoundError()
    await cache.get("a", present)
    for number in range(500):
        with pytest.raises(VideoNotFoundError):
            await cache.get(f"scan {number}", missing)
    assert await cache.get("a", present) == "value 1"


async def test_forgetting_a_replaced_value_removes_nothing(cache: LoadingCache[str, str]) -> None:
    load = Loader()
    old = await cache.get("a", load)
    cache.forget("a", old)
    await cache.get("a", load)
    cache.forget("a", old)
    assert cache.cached("a") == "value 2"


async def test_closing_cancels_running_loads_and_who_waits_is_not_cancelled_but_busy(
    cache: LoadingCache[str, str],
) -> None:
    load = Loader()
    load.gate.clear()
    left, waiting = (asyncio.create_task(cache.get("a", load)) for _ in range(2))
    await asyncio.sleep(0)
    left.cancel()
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await left
    with pytest.raises(BusyError):
        await waiting


async def test_the_least_recently_used_entry_is_evicted(clock: ManualClock, recorder: Recorder) -> None:
    cache, load = LoadingCache[str, str]("link", clock, recorder, max_entries=2), Loader()
    for key in ("a", "b", "a", "c"):
        await cache.get(key, load)
    assert [cache.cached(key) for key in ("a", "b", "c")] == ["value 1", None, "value 3"]


async def test_a_cached_value_is_read_without_a_coroutine_and_counts_as_a_hit(
    cache: LoadingCache[str, str], clock: ManualClock, recorder: Recorder
) -> None:
    assert cache.cached("a") is None
    await cache.get("a", Loader(ttl=60.0))
    assert cache.cached("a", min_life=60.0) == "value 1"
    clock.pass_(31.0)
    assert cache.cached("a", min_life=30.0) is None
    assert results(recorder) == ["loaded", "hit"]


async def test_a_reload_that_is_not_cacheable_removes_the_previous_value(
    cache: LoadingCache[str, str], clock: ManualClock
) -> None:
    load = Loader(ttl=60.0)
    await cache.get("a", load)
    clock.pass_(50.0)
    load.ttl = 0.0
    assert await cache.get("a", load, min_life=30.0) == "value 2"
    assert cache.cached("a") is None


async def test_a_started_call_is_joined_by_those_who_wait_for_its_key() -> None:
    flight = SingleFlight[str, str]("test")

    async def call() -> str:
        await asyncio.sleep(0)
        return "result"

    task = flight.start("a", call)
    assert "a" in flight
    assert flight.start("a", call) is task
    assert await flight.run("a", call) == "result"
    assert "a" not in flight


async def test_a_call_that_serves_nobody_later_ends_with_the_last_of_its_waiters() -> None:
    flight, ended, gate = SingleFlight[str, str]("test", cancel_unawaited=True), [], asyncio.Event()

    async def call() -> str:
        try:
            await gate.wait()
        finally:
            ended.append(gate.is_set())
        return "result"

    first, second = (asyncio.create_task(flight.run("a", call)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    assert "a" in flight
    second.cancel()
    await asyncio.wait([second])
    assert "a" not in flight
    gate.set()
    assert await flight.run("a", call) == "result"
    assert ended == [False, True]


class Gatekeeper:
    """Admits a load each time that *gate* is released."""

    def __init__(self) -> None:
        self.gate = asyncio.Semaphore(0)

    async def admit(self) -> ExitStack:
        await self.gate.acquire()
        return ExitStack()


async def test_what_was_loaded_while_a_caller_waited_to_begin_is_not_loaded_again(
    clock: ManualClock, recorder: Recorder
) -> None:
    keeper, load = Gatekeeper(), Loader()
    cache = LoadingCache[str, str]("link", clock, recorder, max_entries=2, admit=keeper.admit)
    first, second = asyncio.create_task(cache.get("a", load)), asyncio.create_task(cache.get("a", load))
    keeper.gate.release()
    assert await first == "value 1"
    keeper.gate.release()
    assert await second == "value 1"
    assert load.loads == 1


async def test_who_waits_to_begin_when_the_cache_is_closed_is_busy(clock: ManualClock, recorder: Recorder) -> None:
    keeper, load = Gatekeeper(), Loader()
    cache = LoadingCache[str, str]("link", clock, recorder, max_entries=2, admit=keeper.admit)
    waiting = asyncio.create_task(cache.get("a", load))
    await asyncio.sleep(0)
    await cache.close()
    keeper.gate.release()
    with pytest.raises(BusyError):
        await waiting
    assert load.loads == 0


async def test_the_repr_counts_entries_errors_and_running_loads(cache: LoadingCache[str, str]) -> None:
    await cache.get("a", Loader())
    assert repr(cache) == "<LoadingCache link entries=1 errors=0 loads=<SingleFlight link load running=0>>"
