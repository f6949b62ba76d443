"""Traces of whole processes: their end, workers, and what is loaded without tracing."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.support.collector import collecting
from tests.support.served import serving
from tests.support.worker_requests import WORKERS, statuses

pytestmark = [pytest.mark.timeout(300), pytest.mark.promise("operation-tracing")]

HOME = "GET /robots.txt"


async def test_a_terminated_process_sends_its_spans(tmp_path: Path) -> None:
    async with collecting() as collector, serving(tmp_path, more=collector.settings()) as gateway:
        async with gateway.client.get(f"{gateway.url}/robots.txt") as answer:
            assert answer.status == 200
        gateway.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await gateway.process.wait() == 0
        await collector.wait_for(lambda: len(collector.named(HOME)) == 1)


async def test_a_terminated_process_does_not_wait_for_a_collector_that_hangs(tmp_path: Path) -> None:
    async with collecting() as collector, serving(tmp_path, more=collector.settings()) as gateway:
        collector.gate.clear()
        async with gateway.client.get(f"{gateway.url}/robots.txt") as answer:
            assert answer.status == 200
        await collector.wait_for(lambda: collector.requests > 0)
        gateway.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await gateway.process.wait() == 0


async def test_each_worker_sends_its_spans(tmp_path: Path) -> None:
    async with collecting() as collector, serving(tmp_path, server=WORKERS, more=collector.settings()) as gateway:
        assert await statuses(f"{gateway.url}/robots.txt", 20) == [200] * 20
        await collector.wait_for(lambda: len(collector.named(HOME)) == 20)
        assert len({one.trace_id for one in collector.named(HOME)}) == 20


async def test_nothing_of_opentelemetry_is_imported_without_tracing(tmp_path: Path) -> None:
    async with serving(tmp_path, python=("-X", "importtime")) as gateway:
        async with gateway.client.get(f"{gateway.url}/robots.txt") as answer:
            assert answer.status == 200
        imported = gateway.log.read_text()
    assert "gateway.process_tracing" in imported
    assert "opentelemetry" not in imported
    assert "gateway.observe.tracing" not in imported
