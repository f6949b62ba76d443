"""The watch over the event loop, and the listener that is many."""

import asyncio
import time
from collections.abc import Callable

from gateway.events import Event, LogEvent, LoopLagMeasured
from gateway.observe.loop_lag import LoopWatch
from gateway.observe.observers import Observers
from gateway.request_record import RequestRecord
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder


class Lags(Recorder):
    """Tells when there is another measurement."""

    def __init__(self) -> None:
        super().__init__()
        self.measured = asyncio.Event()

    def on_event(self, event: Event) -> None:
        super().on_event(event)
        self.measured.set()

    async def next(self) -> float:
        self.measured.clear()
        async with asyncio.timeout(5):
            await self.measured.wait()
        event = self.events[-1]
        assert isinstance(event, LoopLagMeasured)
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
    both = Observers(first, second)
    clock = ManualClock()
    event, record = LogEvent("info", "hello"), RequestRecord("id-1", "GET", "/", None, clock.monotonic, clock.steady)
    both.on_event(event)
    both.on_request_end(record)
    assert [(one.events, one.records) for one in (first, second)] == [([event], [record])] * 2


def test_who_hears_nothing_of_a_kind_is_told_nothing_of_it() -> None:
    class Deaf(Recorder):
        def hears(self, kind: type[Event]) -> Callable[[Event], None] | None:
            return None if kind is LoopLagMeasured else self.on_event

    deaf, other = Deaf(), Recorder()
    both = Observers(deaf, other)
    for event in (LoopLagMeasured(0.5), LogEvent("info", "hello"), LoopLagMeasured(0.25)):
        both.on_event(event)
    assert (len(deaf.events), len(other.events)) == (1, 3)
