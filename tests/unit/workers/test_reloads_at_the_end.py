"""A reload that meets the end of a worker: the worker that applies it records what became of it, once."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.settings.model import Settings
from gateway.workers.channel import Channel, Message
from tests.support.prepared_worker import prepared_worker


@dataclass
class Applying:
    """A worker that applies a configuration, whose check ends with *checked*."""

    folder: Path
    supervisor: Channel
    running: asyncio.Task[int]
    checked: threading.Event

    async def response(self) -> Message:
        """Returns the response to the supervisor."""
        while (message := await self.supervisor.receive()) is not None:
            if message["is"] == "response":
                return message
        raise AssertionError("the worker has ended without a response")

    def outcomes(self) -> list[str]:
        """Returns the outcome of each reload in the audit."""
        lines = map(json.loads, (self.folder / "audit.jsonl").read_text().splitlines())
        return [line["outcome"] for line in lines if line.get("action") == "reload"]


@asynccontextmanager
async def applying(folder: Path) -> AsyncIterator[Applying]:
    worker, settings, supervisor = await prepared_worker(folder)
    loop, reading, checked = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def read_settings(_message: Message) -> Settings:
        loop.call_soon_threadsafe(reading.set)
        checked.wait(60)
        return settings

    running = asyncio.create_task(worker.run(read_settings))
    supervisor.send({"do": "apply", "id": 1, "config": "", "quiet": False})
    try:
        await reading.wait()
        yield Applying(folder, supervisor, running, checked)
    finally:
        checked.set()
        supervisor.close()
        await running


@pytest.mark.promise("operation-O1")
async def test_a_reload_that_the_end_of_a_worker_cancels_is_recorded_as_failed(tmp_path: Path) -> None:
    async with applying(tmp_path) as worker:
        worker.supervisor.send({"do": "stop"})
        assert not (await worker.response())["done"]
        assert await worker.running == 0
        assert worker.outcomes() == ["failed"]


@pytest.mark.promise("operation-O1")
async def test_a_worker_without_streams_ends_after_the_reloads_that_wait(tmp_path: Path) -> None:
    async with applying(tmp_path) as worker:
        worker.supervisor.send({"do": "reopen", "reloads": 1})
        worker.supervisor.send({"do": "drain"})
        worker.checked.set()
        assert (await worker.response())["done"]
        _, pending = await asyncio.wait({worker.running}, timeout=0.5)
        assert pending
        worker.supervisor.send({"do": "report_failed_reload"})
        worker.supervisor.send({"do": "reopen", "reloads": 0})
        assert await worker.running == 0
        assert worker.outcomes() == ["ok", "failed"]


@pytest.mark.promise("operation-O1")
async def test_a_worker_without_streams_ends_after_the_reload_that_it_applies(tmp_path: Path) -> None:
    async with applying(tmp_path) as worker:
        worker.supervisor.send({"do": "drain"})
        worker.supervisor.send({"do": "list_streams", "id": 2})
        assert (await worker.response())["id"] == 2  # so the drain has begun
        worker.checked.set()
        assert (await worker.response())["done"]
        assert await worker.running == 0
        assert worker.outcomes() == ["ok"]
