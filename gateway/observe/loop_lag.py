"""How late the event loop runs: the first sign that something in it takes too long."""

import asyncio

from gateway.events import LoopLagMeasured
from gateway.ports import Observer


class LoopWatch:
    """Measures every *period* seconds while it is started."""

    def __init__(self, observer: Observer, *, period: float = 0.25) -> None:
        self._observer = observer
        self._period = period
        self._timer: asyncio.TimerHandle | None = None
        self.lag = 0.0
        """The last measurement, seconds."""

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
