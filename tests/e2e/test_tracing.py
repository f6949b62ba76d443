"""Traces: which spans a collector gets, what VALT gets of them, and what a collector that fails does to others."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from gateway.events import LoopLagMeasured, SpanDropped
from gateway.model import Stage
from gateway.observe.tracing import QUEUE, Tracing
from gateway.request_trace import RequestTrace, TracedRecord
from gateway.sim.catalogue import SESSION
from tests.support.clock import ManualClock
from tests.support.collector import TRACING, attributes, collecting
from tests.support.free_ports import free_port
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack
from tests.support.recorder import Recorder

pytestmark = [pytest.mark.timeout(300), pytest.mark.promise("operation-tracing")]

TRUSTED = 'trusted_proxies = ["127.0.0.1/32"]'
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
UNSAMPLED = {"traceparent": f"00-{TRACE}-{CALLER}-00"}
VIDEO = "GET /recordings/{recording}/videos/{video}"
HOME = "GET /robots.txt"
STAGES = [stage.value for stage in (Stage.IDENTITY, Stage.GRANT, Stage.LINK, Stage.FIRST_BYTE)]


async def get(stack: GatewayStack, path: str, **headers: str) -> int:
    async with stack.client.get(stack.url + path, headers=headers, allow_redirects=False) as answer:
        await answer.read()
        return answer.status


async def test_a_stream_has_spans_of_its_stages_and_of_each_call_of_valt(tmp_path: Path) -> None:
    async with collecting() as collector:
        async with running_stack(tmp_path, server=TRUSTED, more=collector.settings(0.0)) as stack:
            assert await get(stack, VIDEO_PATH, **stack.bearer("anna"), **SAMPLED) == 200
            await stack.ended()
        (root,) = collector.named(VIDEO)
        assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, CALLER)
        assert root.kind == Span.SPAN_KIND_SERVER
        facts = attributes(root)
        assert (facts["http.route"], facts["http.response.status_code"]) == (VIDEO.removeprefix("GET "), 200)
        assert (facts["valt_gateway.delivery"], facts["valt_gateway.outcome"]) == ("proxy", "whole")
        assert int(facts["http.response.body.size"]) > 0

        children = sorted((one for one in collector.spans if one is not root), key=lambda one: one.start_time_unix_nano)
        assert {one.parent_span_id for one in children} == {root.span_id}
        assert {one.trace_id for one in children} == {root.trace_id}
        stages = [one for one in children if one.name in STAGES]
        assert [one.name for one in stages] == STAGES
        assert all(one.end_time_unix_nano <= after.start_time_unix_nano + 1000 for one, after in pairwise(stages))
        assert root.start_time_unix_nano <= stages[0].start_time_unix_nano + 1000
        assert stages[-1].end_time_unix_nano <= root.end_time_unix_nano + 1000
        calls = {one.name: one for one in children if one.kind == Span.SPAN_KIND_CLIENT}
        assert sorted(calls) == ["VALT download", "VALT login"]
        assert all(attributes(one)["valt_gateway.outcome"] == "ok" for one in calls.values())
        link = stages[STAGES.index("link")]
        assert link.start_time_unix_nano <= calls["VALT download"].start_time_unix_nano + 1000
        sent = {f"VALT {name}": header for name, header in stack.valt.traceparents}
        assert sent == {name: f"00-{TRACE}-{one.span_id.hex()}-01" for name, one in calls.items()}
        assert collector.resources[0]["service.name"] == "valt-gateway"


async def test_the_header_of_a_peer_that_is_no_trusted_proxy_is_ignored(tmp_path: Path) -> None:
    async with collecting() as collector:
        async with running_stack(tmp_path, more=collector.settings(1.0)) as stack:
            assert await get(stack, VIDEO_PATH, **stack.bearer("anna"), **SAMPLED) == 200
            await stack.ended()
        (root,) = collector.named(VIDEO)
        assert root.trace_id.hex() != TRACE
        assert root.parent_span_id == b""
        assert TRACE not in str(stack.valt.traceparents)


async def test_the_ratio_decides_only_about_requests_that_nobody_has_sampled(tmp_path: Path) -> None:
    async with collecting() as collector:
        async with running_stack(tmp_path, server=TRUSTED, more=collector.settings(0.0)) as stack:
            for headers in ({}, UNSAMPLED, {"traceparent": "rubbish"}, SAMPLED):
                assert await get(stack, "/robots.txt", **headers) == 200
            assert await get(stack, VIDEO_PATH, **stack.bearer("anna"), **UNSAMPLED) == 200
            await stack.ended()
        assert [one.name for one in collector.spans] == [HOME]
        assert all(header and header.startswith(f"00-{TRACE}-") for _, header in stack.valt.traceparents)
        assert all(header and header.endswith("-00") for _, header in stack.valt.traceparents)


async def test_two_headers_are_none(tmp_path: Path) -> None:
    async with collecting() as collector:
        async with running_stack(tmp_path, server=TRUSTED, more=collector.settings(1.0)) as stack:
            headers = [("traceparent", SAMPLED["traceparent"])] * 2
            async with stack.client.get(f"{stack.url}/robots.txt", headers=headers) as answer:
                assert answer.status == 200
        (root,) = collector.named(HOME)
        assert root.trace_id.hex() != TRACE


async def test_a_failed_call_is_marked_and_a_retry_has_the_same_parent(tmp_path: Path) -> None:
    async with collecting() as collector:
        async with running_stack(tmp_path, more=collector.settings()) as stack:
            stack.valt.knobs.fail["download"] = [500]
            assert await get(stack, VIDEO_PATH, **stack.bearer("anna")) == 200
            assert await get(stack, f"/recordings/{SESSION}/videos/nothing", **stack.bearer("anna")) == 404
            stack.valt.knobs.rubbish = {"download"}
            assert await get(stack, f"/recordings/{SESSION}/videos/other", **stack.bearer("anna")) == 502
            await stack.ended()
        first, missing, rubbish = collector.named("VALT download")
        headers = [header for name, header in stack.valt.traceparents if name == "download"]
        assert headers[0] == headers[1] != headers[2]
        assert first.span_id.hex() in str(headers[0])
        assert [attributes(one)["valt_gateway.outcome"] for one in (first, missing, rubbish)] == [
            "ok",
            "not_found",
            "error",
        ]
        codes = [one.status.code for one in (first, missing, rubbish)]
        assert codes == [Status.STATUS_CODE_UNSET, Status.STATUS_CODE_UNSET, Status.STATUS_CODE_ERROR]
        assert [attributes(one).get("error.type") for one in collector.named(VIDEO)] == [
            None,
            "video_not_found",
            "valt_response",
        ]


async def test_no_person_recording_or_address_is_in_a_trace(tmp_path: Path) -> None:
    async with collecting() as collector:
        async with running_stack(tmp_path, server=TRUSTED, more=collector.settings()) as stack:
            headers = stack.bearer("anna-canary", "supervisors", "canary-group") | {
                "X-Forwarded-For": "192.0.2.77",
                "X-Request-ID": "canary-request",
                "User-Agent": "canary-agent",
                "tracestate": "canary=state",
            }
            assert await get(stack, f"{VIDEO_PATH}?canary=query", **headers) == 200
            assert await get(stack, "/canary-path", **headers) == 404
            ticket = stack.ticket("ben-canary")
            assert await get(stack, f"{VIDEO_PATH}?ticket={ticket}") == 200
            await stack.ended()
        assert len(collector.named(VIDEO)) == 2
        planted = [b"canary", b"192.0.2.77", b"127.0.0.1", SESSION.encode(), VIDEO_PATH.encode(), ticket.encode()]
        planted += [secret.encode() for secret in stack.valt.secrets]
        assert [one for one in planted if one in collector.received] == []


async def test_a_collector_that_is_down_stops_nobody_and_what_is_dropped_is_counted(tmp_path: Path) -> None:
    with free_port() as port:
        more = TRACING.format(f"http://127.0.0.1:{port}", 1.0)
        async with running_stack(tmp_path, more=more) as stack:
            assert await get(stack, VIDEO_PATH, **stack.bearer("anna")) == 200
            await stack.ended()
            async with asyncio.timeout(60):
                while (await stack.metrics())["valt_gateway_trace_spans_dropped_total"] < 5:
                    assert await get(stack, "/robots.txt") == 200
                    await asyncio.sleep(0.1)
    assert "trace spans were dropped" in stack.log.getvalue()


async def test_a_collector_that_never_answers_stops_neither_requests_nor_the_end(tmp_path: Path) -> None:
    async with collecting() as collector:
        collector.gate.clear()
        async with running_stack(tmp_path, more=collector.settings()) as stack:
            assert await get(stack, "/robots.txt") == 200
            await collector.wait_for(lambda: collector.requests > 0)
            assert await get(stack, VIDEO_PATH, **stack.bearer("anna")) == 200
            await stack.ended()
            async with asyncio.timeout(60):
                await stack.gateway.stop()


async def test_at_most_the_queue_waits_and_every_span_is_sent_or_counted() -> None:
    recorder, clock = Recorder(), ManualClock()
    async with collecting() as collector:
        collector.gate.clear()
        tracing = Tracing(collector.url, "0", clock, recorder)
        for _ in range(QUEUE + 100):
            tracing.on_request_end(record_of(clock))
        tracing.on_event(LoopLagMeasured(0.0))
        assert dropped(recorder) >= 100
        await collector.wait_for(lambda: collector.requests > 0)
        await tracing.close()
        assert dropped(recorder) == QUEUE + 100


async def test_the_end_sends_what_waits() -> None:
    recorder, clock = Recorder(), ManualClock()
    async with collecting() as collector:
        tracing = Tracing(collector.url, "0", clock, recorder)
        for _ in range(3):
            tracing.on_request_end(record_of(clock))
        await tracing.close()
        assert len(collector.spans) + dropped(recorder) == 3
        assert dropped(recorder) == 0


def record_of(clock: ManualClock) -> TracedRecord:
    trace = RequestTrace.begin(None, sampled=True)
    record = TracedRecord("id-1", "GET", "/", None, clock.monotonic, clock.monotonic(), trace=trace)
    record.end()
    return record


def dropped(recorder: Recorder) -> int:
    return len([event for event in recorder.events if isinstance(event, SpanDropped)])
