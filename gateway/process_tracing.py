"""Wires tracing into a process, if ``[tracing]`` asks for it; without it nothing is imported and nothing is added."""

import random
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.observe.observers import Observers
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord
from gateway.request_trace import RequestTrace, TracedRecord, current_trace
from gateway.settings.outputs import TracingSettings
from gateway.web.dispatcher import Dispatcher
from gateway.web.request import Request

if TYPE_CHECKING:
    from gateway.observe.tracing import Tracing

Handle = Callable[[Request], Awaitable[web.StreamResponse]]


class ProcessTracing:
    """Tracing of one process with the *settings* that it was started with. *observer* receives everything, too."""

    def __init__(self, settings: TracingSettings, clock: Clock, observer: Observer) -> None:
        self._ratio = settings.sample_ratio
        self._tracing: Tracing | None = None
        self.observer = observer
        """What the parts of the gateway report to."""
        self.record_type: type[RequestRecord] = RequestRecord
        if settings.otlp_endpoint:
            from gateway.observe import tracing  # an optional extra

            self._tracing = tracing.Tracing(settings.otlp_endpoint, version("valt-gateway"), clock, observer)
            self.observer = Observers(observer, self._tracing, event_types={self._tracing: tracing.EVENTS})
            self.record_type = TracedRecord

    def handler_of(self, dispatcher: Dispatcher) -> Handle:
        """Returns the handler of the public listener: the *dispatcher*'s own, or one that gives each request a trace.

        The header traceparent is used only if the socket's peer is a trusted proxy, and has sent one of it.
        """
        if self._tracing is None:
            return dispatcher.handle

        async def handle(request: Request) -> web.StreamResponse:
            headers = request.headers.getall("traceparent", [])
            proxies = dispatcher.proxies
            is_trusted = len(headers) == 1 and proxies is not None and proxies.trusts(request.remote or None)
            sampled = random.random() < self._ratio  # noqa: S311 (no secret)
            trace = RequestTrace.begin(headers[0] if is_trusted else None, sampled)
            token = current_trace.set(trace)
            try:
                return await dispatcher.handle(request)
            finally:
                current_trace.reset(token)

        return handle

    async def close(self) -> None:
        """Sends the spans that wait, for a bounded time."""
        if self._tracing is not None:
            await self._tracing.close()
