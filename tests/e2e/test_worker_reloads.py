"""Two generations of workers at once: after a reload the old ones finish what they have begun."""

import os
from pathlib import Path

import pytest

from tests.support.served import serving
from tests.support.worker_requests import DRAINING, RUNNING, WORKERS, eventually, statuses

pytestmark = pytest.mark.timeout(300)


@pytest.mark.promise("restart-2")
async def test_after_a_reload_new_workers_accept_while_old_ones_finish_their_streams(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        film = os.urandom(64 * 1024 * 1024)
        gateway.valt.add_video("long", "film", film)
        streams = [await gateway.client.get(gateway.url + gateway.path("long", "film")) for _ in range(8)]
        read = [await stream.content.readexactly(1000) for stream in streams]
        old = {worker["pid"] for worker in (await gateway.workers()).values()}
        await gateway.reload()
        workers = {worker["pid"]: worker["phase"] for worker in (await gateway.workers()).values()}
        draining = {pid for pid, phase in workers.items() if phase == "draining"}
        assert draining
        assert draining <= old
        assert list(workers.values()).count("running") == 2
        assert await statuses(f"{gateway.url}/robots.txt", 10) == [200] * 10
        for start, stream in zip(read, streams, strict=True):
            is_same = start + await stream.read() == film  # outside of the assertion, which would show the difference
            assert is_same
        await eventually(gateway, lambda metrics: (metrics[RUNNING], metrics[DRAINING]) == (2, 0))
