"""Several observers as one, and the measurement of the event loop's lag."""

import asyncio
import time

from gateway.events import Event, LogEvent, LoopLagMeasured
from gateway.observe.observers import LoopLagMonitor, Observers
from gateway.request_record import RequestRecord
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder


class Lags(Recorder):
    """A Recorder whose measurements can be awaited."""

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


async def test_a_blocked_event_loop_shows_in_the_next_measurement_of_its_lag() -> None:
    lags = Lags()
    monitor = LoopLagMonitor(lags, period=0.01)
    monitor.start()
    await lags.next()
    time.sleep(0.06)  # blocks the loop past the time of the next measurement
    assert await lags.next() >= 0.05
    assert monitor.lag >= 0.05
    monitor.stop()


async def test_a_stopped_monitor_measures_no_more() -> None:
    lags = Lags()
    monitor = LoopLagMonitor(lags, period=0.0)
    monitor.start()
    await lags.next()
    monitor.stop()
    before = len(lags.events)
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(lags.events) == before


def test_observers_passes_events_and_request_records_to_each_observer() -> None:
    first, second = Recorder(), Recorder()
    both = Observers(first, second)
    clock = ManualClock()
    event, record = LogEvent("info", "hello"), RequestRecord("id-1", "GET", "/", None, clock.monotonic, clock.steady)
    both.on_event(event)
    both.on_request_end(record)
    assert [(one.events, one.records) for one in (first, second)] == [([event], [record])] * 2


def test_an_observer_with_event_types_gets_no_other_event() -> None:
    all_events, log_events, no_events = Recorder(), Recorder(), Recorder()
    both = Observers(all_events, log_events, no_events, event_types={log_events: (LogEvent,), no_events: ()})
    events: list[Event] = [LogEvent("info", "hello"), LoopLagMeasured(0.1), LoopLagMeasured(0.2)]
    for event in events:
        both.on_event(event)
    assert (all_events.events, log_events.events, no_events.events) == (events, events[:1], [])
