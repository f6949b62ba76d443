"""Spans of requests, their stages and their calls of VALT, sent to a collector by OTLP over HTTP (``[tracing]``).

How it works: spans are made when what they stand for has ended, with the ids that `request_trace` has given them. A
thread of OpenTelemetry's sends them. At most `QUEUE` wait for it; what exceeds that, or cannot be sent, is dropped and
counted, so that a collector that is down or hangs stops nobody. No attribute holds a person, a recording, a URL or what
was sent by anyone. This module is imported only if tracing is on: OpenTelemetry costs 40 MB and 80 ms.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from gateway.events import Event, LogEvent, LoopLagMeasured, SpanDropped, ValtCall
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord
from gateway.request_trace import RequestTrace, TracedRecord, current_trace, new_span_id

QUEUE = 2048
"""Spans that wait to be sent: about 400 requests."""
_SEND_TIMEOUT = 5.0
"""Seconds for a batch, with its repetitions."""
_CLOSE_TIMEOUT = 3.0
"""Seconds that the end of the process waits for the collector."""
_CLOCK_STEP = 0.1
"""Seconds. Two readings of the clocks differ by as much as the process waits for the processor between them."""
_LIBRARIES = ("opentelemetry", "urllib3")
EVENTS = (ValtCall, LoopLagMeasured)
"""The types of events that `Tracing` uses."""


class Tracing(Observer):
    """Implements ports.Observer for requests whose records are `TracedRecord`s.

    *endpoint* is the collector's URL without ``/v1/traces``. *observer* learns of spans that were dropped.
    """

    def __init__(self, endpoint: str, version: str, clock: Clock, observer: Observer) -> None:
        for name in _LIBRARIES:  # they log from the thread; `_report_dropped` does it from the event loop
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._clock = clock
        self._since_epoch = clock.now() - clock.monotonic()
        """What turns the monotonic clock's times into Unix time: the same for all spans, until the clock is set."""
        self._observer = observer
        self._ids = _GivenIds()
        self._exporter = _BoundedExporter(endpoint)
        resource = Resource({"service.name": "valt-gateway", "service.version": version})
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        self._processor = BatchSpanProcessor(self._exporter, max_queue_size=QUEUE, schedule_delay_millis=1000)
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("gateway")

    def on_event(self, event: Event) -> None:
        if isinstance(event, ValtCall):
            self._add_call(event)
        elif isinstance(event, LoopLagMeasured):
            self._follow_clock()
            self._report_dropped()

    def on_request_end(self, request_record: RequestRecord) -> None:
        if not isinstance(request_record, TracedRecord):
            return
        trace = request_record.trace
        if trace is None or not trace.is_sampled:
            return
        record = request_record
        for (stage, seconds), start in zip(record.stages, record.stage_starts, strict=True):
            self._add(trace, new_span_id(), trace.span, stage.value, start, start + seconds)
        attributes: dict[str, AttributeValue | None] = {
            "http.request.method": record.method,
            "http.route": record.route,
            "http.response.status_code": record.status,
            "http.response.body.size": record.bytes or None,
            "error.type": record.code,
            "valt_gateway.request_id": record.request_id,
            "valt_gateway.delivery": record.delivery,
            "valt_gateway.outcome": record.outcome,
            "valt_gateway.resumes": record.resumes or None,
        }
        name, end = f"{record.method} {record.route}", record.started + record.seconds
        failed = record.status is not None and record.status >= 500
        self._add(
            trace, trace.span, trace.parent, name, record.started, end, SpanKind.SERVER, attributes, failed=failed
        )

    async def close(self) -> None:
        """Sends what waits, for at most three seconds."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def shut_down() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
            if not loop.is_closed():
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=shut_down, name="end of tracing", daemon=True).start()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await ended.wait()
        except TimeoutError:
            self._report_dropped(waiting=True)
        else:
            self._report_dropped()

    def _add_call(self, call: ValtCall) -> None:
        """Adds the span of a call of VALT's API, which has just ended in the running task."""
        trace = current_trace.get()
        if trace is None:
            return
        span = trace.end_call()
        if trace.is_sampled:
            end = self._clock.monotonic()
            attributes = {"valt_gateway.operation": call.operation, "valt_gateway.outcome": call.outcome}
            failed = call.outcome in ("error", "timeout")
            name = f"VALT {call.operation}"
            start = end - call.seconds
            self._add(trace, span, trace.span, name, start, end, SpanKind.CLIENT, attributes, failed=failed)

    def _add(
        self,
        trace: RequestTrace,
        span: int,
        parent: int | None,
        name: str,
        start: float,
        end: float,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: "dict[str, AttributeValue | None] | dict[str, str] | None" = None,
        *,
        failed: bool = False,
    ) -> None:
        """Adds a span; *start* and *end* are of the monotonic clock."""
        if not self._exporter.accept():
            return
        context = None
        if parent is not None:
            is_remote = span == trace.span
            caller = SpanContext(trace.trace, parent, is_remote, TraceFlags(TraceFlags.SAMPLED))
            context = set_span_in_context(NonRecordingSpan(caller))
        self._ids.trace, self._ids.span = trace.trace, span
        given = {key: value for key, value in (attributes or {}).items() if value is not None}
        added = self._tracer.start_span(
            name, context, kind, given, start_time=int((self._since_epoch + start) * 1e9), record_exception=False
        )
        if failed:
            added.set_status(Status(StatusCode.ERROR))
        added.end(int((self._since_epoch + end) * 1e9))

    def _follow_clock(self) -> None:
        since_epoch = self._clock.now() - self._clock.monotonic()
        if abs(since_epoch - self._since_epoch) > _CLOCK_STEP:
            self._since_epoch = since_epoch

    def _report_dropped(self, *, waiting: bool = False) -> None:
        dropped = self._exporter.take_dropped(waiting=waiting)
        for _ in range(dropped):
            self._observer.on_event(SpanDropped())
        if dropped:
            fields = (("count", str(dropped)),)
            self._observer.on_event(LogEvent("warning", "trace spans were dropped: the collector takes none", fields))


class _GivenIds(IdGenerator):
    """Gives the next span the ids that were set."""

    trace = 1
    span = 1

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


class _BoundedExporter(SpanExporter):
    """Sends spans to *endpoint*, and counts those that wait, and those that were dropped.

    Each counter only grows, and is written by the event loop or by the thread, never by both: no lock is needed.
    """

    def __init__(self, endpoint: str) -> None:
        session = requests.Session()
        session.trust_env = False  # no proxy, no .netrc
        url = f"{endpoint.rstrip('/')}/v1/traces"
        self._exporter = OTLPSpanExporter(url, timeout=_SEND_TIMEOUT, session=session)
        self._accepted = 0
        self._refused = 0
        self._reported = 0
        self._finished = 0
        """Sent or failed; the thread's, like *failed*."""
        self._failed = 0

    def accept(self) -> bool:
        """Returns whether one more span may wait; if not, it is counted as dropped."""
        if self._accepted - self._finished >= QUEUE:
            self._refused += 1
            return False
        self._accepted += 1
        return True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends *spans*; called by the thread."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is not SpanExportResult.SUCCESS:
                self._failed += len(spans)
            self._finished += len(spans)
        return result

    def take_dropped(self, *, waiting: bool = False) -> int:
        """Returns how many were dropped since the last call. *waiting*: those that wait count, too."""
        total = self._refused + self._failed + (self._accepted - self._finished if waiting else 0)
        dropped, self._reported = total - self._reported, total
        return dropped

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
