"""The watch over the event loop, and the listener that is many."""

import asyncio
import time
from collections.abc import Callable

from gateway.events import Event, LoopLagged, Noticed
from gateway.observe.listeners import Listeners
from gateway.observe.loop import LoopWatch
from gateway.visit import Visit
from tests.support.clock import ManualClock
from tests.support.listener import Recorder


class Lags(Recorder):
    """Tells when there is another measurement."""

    def __init__(self) -> None:
        super().__init__()
        self.measured = asyncio.Event()

    def happened(self, event: Event) -> None:
        super().happened(event)
        self.measured.set()

    async def next(self) -> float:
        self.measured.clear()
        async with asyncio.timeout(5):
            await self.measured.wait()
        event = self.events[-1]
        assert isinstance(event, LoopLagged)
        return event.seconds


async def test_a_step_that_takes_long_is_seen_in_the_next_measurement() -> None:
    lags = Lags()
    watch = LoopWatch(lags, period=0.01)
    watch.start()
    await lags.next()
    time.sleep(0.06)  # holds the loop up past the next measurement's time
    assert await lags.next() >= 0.05
    assert watch.lag >= 0.05
    watch.stop()


async def test_what_is_stopped_measures_no_more() -> None:
    lags = Lags()
    watch = LoopWatch(lags, period=0.0)
    watch.start()
    await lags.next()
    watch.stop()
    before = len(lags.events)
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(lags.events) == before


def test_everything_is_told_to_each_listener_in_order() -> None:
    first, second = Recorder(), Recorder()
    both = Listeners(first, second)
    clock = ManualClock()
    event, visit = Noticed("info", "hello"), Visit("id-1", "GET", "/", None, clock.monotonic, clock.steady)
    both.happened(event)
    both.ended(visit)
    assert [(one.events, one.visits) for one in (first, second)] == [([event], [visit])] * 2


def test_who_hears_nothing_of_a_kind_is_told_nothing_of_it() -> None:
    class Deaf(Recorder):
        def hears(self, kind: type[Event]) -> Callable[[Event], None] | None:
            return None if kind is LoopLagged else self.happened

    deaf, other = Deaf(), Recorder()
    both = Listeners(deaf, other)
    for event in (LoopLagged(0.5), Noticed("info", "hello"), LoopLagged(0.25)):
        both.happened(event)
    assert (len(deaf.events), len(other.events)) == (1, 3)
