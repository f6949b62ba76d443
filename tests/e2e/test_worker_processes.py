"""The worker processes of a gateway: they are started, replaced, drained, and counted together."""

import asyncio
import os
import re
import shutil
import signal
import sys
import termios
from pathlib import Path

import aiohttp
import pytest

from tests.support.file_limits import longest_file
from tests.support.served import serving
from tests.support.worker_requests import DRAINING, RUNNING, WORKERS, eventually, status, statuses
from tests.unit.settings.configurations import GOOD

pytestmark = pytest.mark.timeout(300)


@pytest.mark.promise("restart-3")
async def test_a_worker_that_is_killed_is_replaced_and_no_request_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        before = await statuses(f"{gateway.url}/robots.txt", 10)
        counted = 'valt_gateway_requests_total{method="GET",route="/robots.txt",status="200"}'
        await eventually(gateway, lambda metrics: metrics[counted] == 10)
        pids = {worker["pid"] for worker in (await gateway.workers()).values()}
        assert len(pids) == 2
        os.kill(min(pids), signal.SIGKILL)
        after = await statuses(f"{gateway.url}/robots.txt", 10)
        assert before + after == [200] * 20
        await eventually(gateway, lambda metrics: metrics[RUNNING] == 2 and metrics[counted] == 20)
        assert await statuses(f"{gateway.url}/robots.txt", 10) == [200] * 10
        await eventually(gateway, lambda metrics: metrics[counted] == 30)
        assert len({worker["pid"] for worker in (await gateway.workers()).values()} - pids) == 1


@pytest.mark.promise("restart-3")
async def test_a_worker_that_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    replaced = 'valt_gateway_worker_replacements_total{reason="unresponsive"}'
    async with serving(tmp_path, server=WORKERS) as gateway:
        workers = {worker["pid"]: worker["responds"] for worker in (await gateway.workers()).values()}
        assert list(workers.values()) == [True, True]
        hanging = min(workers)
        os.kill(hanging, signal.SIGSTOP)
        assert await statuses(f"{gateway.url}/robots.txt", 10) == [200] * 10  # the other accepts them
        async with asyncio.timeout(90):
            while [one["responds"] for one in (await gateway.workers()).values() if one["pid"] == hanging] == [True]:
                await asyncio.sleep(0.2)
            while (await gateway.metrics())[replaced] == 0:
                await asyncio.sleep(0.2)
        await eventually(gateway, lambda metrics: metrics[RUNNING] == 2)
        assert hanging not in {worker["pid"] for worker in (await gateway.workers()).values()}
        assert "a worker does not respond and is killed" in gateway.log.read_text()


async def test_metrics_are_the_sum_of_the_workers_also_after_a_reload(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        counted = 'valt_gateway_requests_total{method="GET",route="/robots.txt",status="200"}'
        reloads = 'valt_gateway_config_reloads_total{outcome="ok"}'
        assert await statuses(f"{gateway.url}/robots.txt", 10) == [200] * 10
        await eventually(gateway, lambda metrics: metrics[counted] == 10)
        for _ in range(2):
            await gateway.reload()
        assert await statuses(f"{gateway.url}/robots.txt", 10) == [200] * 10
        metrics = await eventually(
            gateway,
            lambda metrics: (
                (metrics[counted], metrics[reloads]) == (20, 2)
                and (metrics[RUNNING], metrics[DRAINING]) == (2, 0)
                and metrics["valt_gateway_connections_active"] == 0
            ),
        )
        assert metrics["valt_gateway_audit_writable"] == 1
        assert len([name for name in metrics if name.startswith("valt_gateway_worker_cpu_seconds_total")]) == 2
        assert metrics["process_open_fds"] > 0


@pytest.mark.promise("restart-2")
async def test_a_fault_leaves_workers_and_rules_as_they_were(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        before = {worker["pid"] for worker in (await gateway.workers()).values()}
        gateway.config.write_text(gateway.config.read_text().replace("[valt]", "[vallt]"))
        await gateway.reload("the old configuration stays in force")
        assert {worker["pid"] for worker in (await gateway.workers()).values()} == before
        assert gateway.log.read_text().count("fault: vallt") == 1
        failed = 'valt_gateway_config_reloads_total{outcome="failed"}'
        metrics = await eventually(gateway, lambda metrics: metrics[failed] == 1)
        assert metrics["valt_gateway_config_last_reload_successful"] == 0
        assert await statuses(f"{gateway.url}/robots.txt", 4) == [200] * 4


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_configuration_that_became_a_pipe_or_a_device_keeps_no_reload_waiting(
    tmp_path: Path, workers: int
) -> None:
    async with serving(tmp_path, server=f"workers = {workers}") as gateway:
        file, text = gateway.config, gateway.config.read_text()
        file.unlink()
        os.mkfifo(file)
        await gateway.reload("the old configuration stays in force")
        file.unlink()
        file.symlink_to("/dev/zero")
        await gateway.reload("the old configuration stays in force")
        file.unlink()
        file.write_text(text)
        await gateway.reload()
        assert await status(f"{gateway.url}/robots.txt") == 200
        assert "Traceback" not in gateway.log.read_text()


async def test_a_configuration_in_a_pipe_starts_as_many_workers_as_it_says(tmp_path: Path) -> None:
    text = GOOD.replace("[server]", '[admin]\nlisten = "127.0.0.1:0"\n[server]\nlisten = "127.0.0.1:0"\nworkers = 2')
    readable, writable = os.pipe()
    os.write(writable, text.encode())
    os.close(writable)
    with (tmp_path / "stderr").open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve", "--config", f"/dev/fd/{readable}"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=(readable,),
        )
    os.close(readable)
    try:
        async with asyncio.timeout(90), aiohttp.ClientSession() as client:
            while (ready := re.search(r"admin on (http\S+)\)", (tmp_path / "stderr").read_text())) is None:
                assert process.returncode is None, (tmp_path / "stderr").read_text()
                await asyncio.sleep(0.1)
            async with client.get(f"{ready[1]}/readyz?verbose") as response:
                assert len((await response.json())["workers"]) == 2
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.mark.promise("restart-2")
async def test_new_rules_end_streams_of_workers_that_are_replaced(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        gateway.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
        streams = [await gateway.client.get(gateway.url + gateway.path("long", "film")) for _ in range(4)]
        for stream in streams:
            await stream.content.readexactly(1000)
        gateway.config.write_text(gateway.config.read_text().replace('groups = ["supervisors"]', 'groups = ["staff"]'))
        await gateway.reload()
        await eventually(gateway, lambda metrics: metrics['valt_gateway_streams_active{delivery="proxy"}'] == 0)
        for stream in streams:
            with pytest.raises(aiohttp.ClientError):
                async with asyncio.timeout(30):
                    await stream.read()
        assert await status(gateway.url + gateway.path("long", "film")) == 403


async def test_a_draining_gateway_finishes_its_streams_and_a_second_signal_cuts_them(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        gateway.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
        stream = await gateway.client.get(gateway.url + gateway.path("long", "film"))
        await stream.content.readexactly(1000)
        gateway.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            while (await gateway.client.get(f"{gateway.admin}/readyz")).status != 503:
                await asyncio.sleep(0.05)
        gateway.process.send_signal(signal.SIGTERM)
        with pytest.raises(aiohttp.ClientError):
            await stream.read()
        async with asyncio.timeout(60):
            assert await gateway.process.wait() == 0


async def test_a_terminal_interrupts_the_supervisor_alone_and_stops_no_worker_that_prints(tmp_path: Path) -> None:
    controller, terminal = os.openpty()
    attributes = termios.tcgetattr(terminal)
    attributes[3] |= termios.TOSTOP  # the local modes: who prints in the background is stopped
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
    received = bytearray()
    asyncio.get_running_loop().add_reader(controller, lambda: received.extend(os.read(controller, 65_536)))
    try:
        async with serving(tmp_path, server=WORKERS, terminal=terminal, audit="-") as gateway:
            gateway.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
            stream = await gateway.client.get(gateway.url + gateway.path("long", "film"))
            assert await stream.content.readexactly(1000) == bytes(1000)
            assert await statuses(f"{gateway.url}/recordings/long/videos/film", 10) == [401] * 10
            workers = [worker["pid"] for worker in (await gateway.workers()).values()]
            assert {os.getsid(pid) for pid in workers} == {os.getsid(gateway.process.pid)}
            assert len({os.getpgid(pid) for pid in [*workers, gateway.process.pid]}) == 3
            os.write(controller, b"\x03")  # Ctrl-C
            async with asyncio.timeout(60):
                while (await gateway.client.get(f"{gateway.admin}/readyz")).status != 503:
                    await asyncio.sleep(0.05)
                assert len(await stream.read()) == 64 * 1024 * 1024 - 1000
                assert await gateway.process.wait() == 0
        assert received.count(b'"status":401') >= 1, received.decode()
    finally:
        asyncio.get_running_loop().remove_reader(controller)
        os.close(controller)
        os.close(terminal)


async def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        pids = [worker["pid"] for worker in (await gateway.workers()).values()]
        gateway.process.kill()
        async with asyncio.timeout(60):
            while any(Path(f"/proc/{pid}/cmdline").exists() and _is_running(pid) for pid in pids):
                await asyncio.sleep(0.1)


def _is_running(pid: int) -> bool:
    """Whether the process has not ended: one that nobody has waited for is a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_the_supervisor_is_not_loaded_for_one_process(tmp_path: Path) -> None:
    async with serving(tmp_path, python=("-X", "importtime")) as gateway:
        loaded = {line.rpartition("|")[2].strip() for line in gateway.log.read_text().splitlines()}
    assert "gateway.server" in loaded
    assert [name for name in loaded if name.startswith(("gateway.workers", "gateway.cli.supervise"))] == []


async def test_a_start_that_fails_is_explained_once_with_the_workers_status(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as failed:
        async with serving(tmp_path, server=WORKERS + '\ntls_cert_file = "no.pem"\ntls_key_file = "no.key"'):
            pass
    assert str(failed.value).count("tls_cert_file") == 1


async def test_a_start_without_room_for_the_metrics_names_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with longest_file(1 << 20), pytest.raises(AssertionError) as failed:
        async with serving(tmp_path, server=WORKERS):
            pass
    assert f"File too large (TMPDIR has 2 MiB of metrics): '{tmp_path}/valt-gateway-" in str(failed.value)
    assert "Traceback" not in str(failed.value)
    assert list(tmp_path.glob("valt-gateway-*")) == []


async def test_a_removed_temporary_directory_keeps_no_reload_from_replacing_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    async with serving(tmp_path, server=WORKERS) as gateway:
        shutil.rmtree(next(tmp_path.glob("valt-gateway-*")))
        await gateway.reload()
        assert await statuses(f"{gateway.url}/robots.txt", 4) == [200] * 4
        log = gateway.log.read_text()
        assert log.count("new metrics cannot be written and are counted in memory: [Errno 2]") == 2
        assert "Traceback" not in log
