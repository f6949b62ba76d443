"""The cache's promises, on a clock that is moved by hand."""

import asyncio

import pytest

from gateway.cache import MAX_TTL, CacheEntry, LoadingCache
from gateway.errors import ValtUnavailableError, VideoNotFoundError
from gateway.events import CacheLookup
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder


class Loader:
    """Counts its loads; each waits for *gate* if it is shut."""

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
async def test_three_hundred_who_wait_share_one_load(cache: LoadingCache[str, str], recorder: Recorder) -> None:
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
async def test_one_who_gives_up_takes_the_load_from_nobody(cache: LoadingCache[str, str]) -> None:
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
async def test_a_step_of_the_wall_clock_neither_revives_nor_ends_a_value(
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
@pytest.mark.parametrize("claimed", [1e308, float("inf"), 1e12])
async def test_nothing_lives_for_ever_whatever_it_claims(
    cache: LoadingCache[str, str], clock: ManualClock, claimed: float
) -> None:
    load = Loader(ttl=claimed)
    await cache.get("a", load)
    clock.pass_(MAX_TTL + 1)
    assert await cache.get("a", load) == "value 2"


async def test_a_value_with_ttl_zero_is_returned_and_not_cached(cache: LoadingCache[str, str]) -> None:
    load = Loader(ttl=0.0)
    assert await cache.get("a", load) == "value 1"
    assert await cache.get("a", load) == "value 2"


async def test_too_short_a_rest_of_life_loads_anew_and_is_told_as_short(
    cache: LoadingCache[str, str], clock: ManualClock, recorder: Recorder
) -> None:
    load = Loader(ttl=60.0)
    await cache.get("a", load)
    clock.pass_(50.0)
    assert await cache.get("a", load, min_life=30.0) == "value 2"
    assert results(recorder) == ["loaded", "short"]


async def test_a_refusal_is_remembered_for_its_moment_and_a_failure_is_not(
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


async def test_a_refusal_that_is_told_again_and_again_grows_no_traceback(cache: LoadingCache[str, str]) -> None:
    load = Loader()
    load.failure = VideoNotFoundError()
    depths = []
    for _ in range(5):
        with pytest.raises(VideoNotFoundError) as told:
            await cache.get("a", load)
        depths.append(len(told.traceback))
    assert len(set(depths[1:])) == 1


async def test_a_scan_of_unknown_keys_evicts_nothing_that_is_known(cache: LoadingCache[str, str]) -> None:
    known, unknown = Loader(), Loader()
    unknown.failure = VideoNotFoundError()
    await cache.get("a", known)
    for number in range(500):
        with pytest.raises(VideoNotFoundError):
            await cache.get(f"scan {number}", unknown)
    assert await cache.get("a", known) == "value 1"


async def test_forgetting_a_value_that_was_replaced_drops_nothing(cache: LoadingCache[str, str]) -> None:
    load = Loader()
    old = await cache.get("a", load)
    cache.forget("a", old)
    await cache.get("a", load)
    cache.forget("a", old)
    assert cache.cached("a") == "value 2"


async def test_closing_cancels_what_is_still_loading(cache: LoadingCache[str, str]) -> None:
    load = Loader()
    load.gate.clear()
    waiting = asyncio.create_task(cache.get("a", load))
    await asyncio.sleep(0)
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_was_asked_for_longest_ago_makes_room(clock: ManualClock, recorder: Recorder) -> None:
    cache, load = LoadingCache[str, str]("link", clock, recorder, max_entries=2), Loader()
    for key in ("a", "b", "a", "c"):
        await cache.get(key, load)
    assert [cache.cached(key) for key in ("a", "b", "c")] == ["value 1", None, "value 3"]
