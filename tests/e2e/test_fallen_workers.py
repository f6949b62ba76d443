"""Workers that end again and again: they are started anew, with pauses, until what ends them is mended."""

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from tests.support.code_copy import install
from tests.support.served import ServedGateway, serving
from tests.support.worker_requests import DRAINING, RUNNING, WORKERS, eventually, status, statuses

pytestmark = pytest.mark.timeout(300)

ENDED = "a worker has ended by itself and is replaced"
NOT_PREPARED = "a worker has ended before it was prepared"
STARTS = "the broken worker has been started"
"""What it prints in this test."""


def pauses(gateway: ServedGateway, message: str) -> list[float]:
    """Returns the pauses, in seconds, that the log states with *message*."""
    lines = gateway.log.read_text().splitlines()
    return [float(re.findall(r"pause_seconds=([\d.]+)", line)[0]) for line in lines if message in line]


def write_whole(path: Path, text: str) -> None:
    """Writes *text* to *path* so that nobody reads a part of it."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


@pytest.mark.promise("restart-3")
async def test_a_worker_that_falls_at_once_is_started_again_with_pauses(tmp_path: Path) -> None:
    code = tmp_path / "code"
    install(code, "9.9.0")
    async with serving(tmp_path, server=WORKERS, code=code) as gateway:
        falls, goes_on = [worker["pid"] for worker in (await gateway.workers()).values()]
        worker = code / "gateway/cli/worker.py"
        text = worker.read_text()
        write_whole(worker, f'import os\nos.write(2, b"{STARTS}\\n")\nos._exit(1)\n')
        os.kill(falls, signal.SIGKILL)
        await eventually(gateway, lambda _: len(pauses(gateway, NOT_PREPARED)) >= 4)
        assert await statuses(f"{gateway.url}/robots.txt", 10) == [200] * 10  # of the other worker
        write_whole(worker, text)
        await eventually(gateway, lambda metrics: metrics[RUNNING] == 2)
        # Before each start there was a pause, also before the last one, of the worker that runs.
        await eventually(gateway, lambda _: gateway.log.read_text().count(STARTS) == len(pauses(gateway, NOT_PREPARED)))
        stated = pauses(gateway, ENDED) + pauses(gateway, NOT_PREPARED)
        assert stated == pytest.approx([0.1 * 2**failures for failures in range(len(stated))])
        assert goes_on in {one["pid"] for one in (await gateway.workers()).values()}
        await gateway.reload()  # which may have mended it, so that the pause is short again
        os.kill(next(one["pid"] for one in (await gateway.workers()).values() if one["phase"] == "running"), 9)
        await eventually(gateway, lambda _: len(pauses(gateway, ENDED)) == 2)
        assert pauses(gateway, ENDED)[1] == pytest.approx(0.1)


@pytest.mark.promise("restart-3")
async def test_an_audit_that_cannot_be_opened_keeps_no_worker_from_being_replaced(tmp_path: Path) -> None:
    """Neither at a reload, which takes a right away, nor when a worker falls."""
    async with serving(tmp_path, server=WORKERS) as gateway:
        gateway.valt.add_video("one", "film", bytes(1000))
        files = [tmp_path / f"audit.{number}.jsonl" for number in range(1, 5)]
        for file in files[:2]:
            file.rename(file.with_suffix(".old"))
        for file in files:
            file.mkdir()
        gateway.config.write_text(gateway.config.read_text().replace('groups = ["supervisors"]', 'groups = ["nobody"]'))
        await gateway.reload()
        await eventually(gateway, lambda metrics: (metrics[RUNNING], metrics[DRAINING]) == (2, 0))
        os.kill(next(iter((await gateway.workers()).values()))["pid"], signal.SIGKILL)
        await eventually(gateway, lambda metrics: metrics[RUNNING] == 2 and bool(pauses(gateway, ENDED)))
        assert await status(gateway.url + gateway.path("one", "film")) == 403
        assert await status(f"{gateway.admin}/readyz") == 503
        for file in files:
            file.rmdir()
        async with asyncio.timeout(60):
            while await status(f"{gateway.admin}/readyz") != 200:
                await asyncio.sleep(0.1)
        assert pauses(gateway, NOT_PREPARED) == []


async def test_the_gauges_of_a_killed_worker_go_and_files_of_ended_ones_do_not_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    running = 'valt_gateway_streams_active{delivery="proxy"}'
    async with serving(tmp_path, server=WORKERS) as gateway:
        gateway.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
        streams = [await gateway.client.get(gateway.url + gateway.path("long", "film")) for _ in range(8)]
        for stream in streams:
            await stream.content.readexactly(1000)
        await eventually(gateway, lambda metrics: metrics[running] == 8)
        pids = [worker["pid"] for worker in (await gateway.workers()).values()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await eventually(gateway, lambda metrics: metrics[RUNNING] == 2 and metrics[running] == 0)
        for stream in streams:
            stream.close()
        for _ in range(3):
            await gateway.reload()
            await eventually(gateway, lambda metrics: metrics[DRAINING] == 0)
        files = [path.stem.split("_") for path in temporary.glob("valt-gateway-*/metrics/*.db")]
        assert {name[-1] for name in files} <= {"1", "2", "3", "4"}  # two generations at once have four numbers
        live = {name[-1] for name in files if name[1].startswith("live")}
        assert live == set(await gateway.workers())
        gateway.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await gateway.process.wait() == 0
    assert list(temporary.iterdir()) == []


@pytest.mark.promise("restart-3")
async def test_a_worker_that_does_not_start_keeps_no_gateway_from_ending(tmp_path: Path) -> None:
    code = tmp_path / "code"
    install(code, "9.9.0")
    async with serving(tmp_path, server=WORKERS, code=code) as gateway:
        write_whole(code / "gateway/cli/worker.py", "import time\ntime.sleep(3600)\n")
        gateway.process.send_signal(signal.SIGHUP)
        while "starting" not in {worker["phase"] for worker in (await gateway.workers()).values()}:
            await asyncio.sleep(0.02)
        gateway.process.terminate()
        async with asyncio.timeout(60):
            assert await gateway.process.wait() == 0
