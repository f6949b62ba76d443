"""Several observers as one, and the measurement of the event loop's lag."""

import asyncio

from gateway.events import Event, LoopLagMeasured
from gateway.ports import Observer
from gateway.request_record import RequestRecord


class Observers:
    """Implements ports.Observer: passes every call on to each of *observers*, in order."""

    def __init__(self, *observers: Observer) -> None:
        self._on_event = tuple(observer.on_event for observer in observers)
        self._on_request_end = tuple(observer.on_request_end for observer in observers)

    def on_event(self, event: Event) -> None:
        for on_event in self._on_event:
            on_event(event)

    def on_request_end(self, request_record: RequestRecord) -> None:
        for on_request_end in self._on_request_end:
            on_request_end(request_record)


class LoopLagMonitor:
    """Measures every *period* seconds, between `start` and `stop`, how late the event loop runs a timer.

    A growing lag is the first sign that something in the loop takes too long.
    """

    def __init__(self, observer: Observer, *, period: float = 0.25) -> None:
        self._observer = observer
        self._period = period
        self._timer: asyncio.TimerHandle | None = None
        self.lag = 0.0
        """The last measurement, in seconds."""

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._period, self._measure, loop, loop.time() + self._period)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _measure(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self.lag = max(0.0, loop.time() - due)
        self._observer.on_event(LoopLagMeasured(self.lag))
        self._timer = loop.call_later(self._period, self._measure, loop, loop.time() + self._period)
