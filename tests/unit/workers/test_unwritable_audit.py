"""A worker whose audit cannot be opened."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.context import WorkerContext
from gateway.model import Secret
from gateway.server import Gateway
from tests.support.prepared_worker import SEAL, demo_settings, prepared_worker


@pytest.mark.promise("restart-3")
async def test_a_worker_of_a_running_gateway_opens_its_audit_as_soon_as_it_can(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.mkdir()
    worker, _, supervisor = await prepared_worker(tmp_path, running=True)
    assert worker.gateway.faults.local() == ["the audit cannot be written"]
    file.rmdir()
    worker.gateway.audit.tick()
    assert worker.gateway.faults.local() == []
    running = asyncio.create_task(worker.run(lambda _message: None))
    supervisor.send({"do": "stop"})
    assert await running == 0
    supervisor.close()
    actions = [json.loads(line).get("action") for line in file.read_text().splitlines()]
    assert actions == [None, "start", "stop"]


@pytest.mark.promise("operation-O7")
async def test_a_worker_of_a_gateway_that_starts_needs_its_audit(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    gateway = Gateway(demo_settings(tmp_path), worker=WorkerContext(Secret(SEAL), 0.0))
    with pytest.raises(IsADirectoryError, match=r"audit\.jsonl"):
        await gateway.prepare()
    await gateway.stop()
