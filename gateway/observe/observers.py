"""Several observers as one, and the measurement of the event loop's lag."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from gateway.events import Event, LoopLagMeasured
from gateway.ports import E, Observer
from gateway.request_record import RequestRecord


class Observers(Observer):
    """Implements ports.Observer: passes every call on to each of *observers*, in order.

    *event_types* lists the types of events that an observer uses; one that is not in it gets every event. Most events
    concern the metrics alone, and every request has several.
    """

    def __init__(
        self, *observers: Observer, event_types: Mapping[Observer, tuple[type[Event], ...]] = MappingProxyType({})
    ) -> None:
        self._observers = observers
        self._event_types = dict(event_types)
        self._on_event: dict[type[Event], tuple[Callable[[Event], None], ...]] = {}
        """For each type of event that has occurred, the methods to call."""
        self._on_request_end = tuple(observer.on_request_end for observer in observers)

    def on_event(self, event: Event) -> None:
        kind = type(event)
        if kind not in self._on_event:
            self._on_event[kind] = self._methods_for(kind)
        for on_event in self._on_event[kind]:
            on_event(event)

    def reporter(self, kind: type[E]) -> Callable[[E], None]:
        reporters = [observer.reporter(kind) for observer in self._observers if self._uses(observer, kind)]
        return reporters[0] if len(reporters) == 1 else self.on_event

    def on_request_end(self, request_record: RequestRecord) -> None:
        for on_request_end in self._on_request_end:
            on_request_end(request_record)

    def _methods_for(self, kind: type[Event]) -> tuple[Callable[[Event], None], ...]:
        return tuple(observer.on_event for observer in self._observers if self._uses(observer, kind))

    def _uses(self, observer: Observer, kind: type[Any]) -> bool:
        return observer not in self._event_types or kind in self._event_types[observer]


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
