"""A collector of traces: takes spans by OTLP over HTTP, as protobuf."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

TRACING = '\n[tracing]\notlp_endpoint = "{}"\nsample_ratio = {}\n'


@dataclass(eq=False)
class Collector:
    """A running collector. Without *gate* set it takes requests and answers none."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    """The attributes of the sender, for each batch."""
    received: bytearray = field(default_factory=bytearray)
    """All bytes that were sent."""
    requests: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def settings(self, sample_ratio: float = 1.0) -> str:
        """Returns the table ``[tracing]`` of a gateway that sends its spans here."""
        return TRACING.format(self.url, sample_ratio)

    def named(self, name: str) -> list[Span]:
        """Returns the spans of that name."""
        return [span for span in self.spans if span.name == name]

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Returns as soon as *condition* is true."""
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.02)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Takes a batch. Raises AssertionError if it is not what OTLP demands."""
        self.requests += 1
        body = await request.read()
        await self.gate.wait()
        assert (request.method, request.path) == ("POST", "/v1/traces")
        assert request.headers["Content-Type"] == "application/x-protobuf"
        self.received += body
        for batch in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append({one.key: one.value.string_value for one in batch.resource.attributes})
            for scope in batch.scope_spans:
                self.spans.extend(scope.spans)
        return web.Response(content_type="application/x-protobuf")


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Runs a collector until the block ends."""
    collector = Collector()
    collector.gate.set()
    runner = web.ServerRunner(web.Server(collector.handle), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield collector
    finally:
        collector.gate.set()
        await runner.cleanup()


def attributes(span: Span) -> dict[str, str | int]:
    """Returns the attributes of *span*, which are texts and numbers."""
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
