"""An audit that cannot be reopened, and outputs that nobody reads: what viewers and operators see."""

import asyncio
import errno
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack
from tests.support.pipes import fill
from tests.support.reloads import reloads_of


async def readiness(stack: GatewayStack) -> tuple[int, str]:
    async with stack.client.get(f"{stack.admin}/readyz") as answer:
        return answer.status, await answer.text()


async def video(stack: GatewayStack) -> int:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as answer:
        await answer.read()
        return answer.status


@pytest.mark.promise("operation-O1")
async def test_after_a_failed_reopen_streams_are_refused_until_it_succeeds(stack: GatewayStack) -> None:
    path = stack.folder / "audit.jsonl"
    path.rename(path.with_suffix(".1"))
    path.mkdir()
    await reloads_of(stack).apply()
    assert await video(stack) == 503
    assert await readiness(stack) == (503, "not ready\nthe audit cannot be written\n")
    metrics = await stack.metrics()
    assert metrics["valt_gateway_audit_writable"] == 0
    assert metrics["valt_gateway_audit_failures_total"] > 0
    async with stack.client.get(f"{stack.admin}/readyz?verbose") as answer:
        verbose = await answer.json()
    assert verbose["audit"] == {"writable": False, "waiting": 2}  # deny and reload
    path.rmdir()
    async with asyncio.timeout(10):
        while (await readiness(stack))[0] != 200:
            await asyncio.sleep(0.05)
    assert await video(stack) == 200
    await stack.ended()
    assert [line["event"] for line in stack.audit()] == ["deny", "open", "close"]
    assert (await stack.metrics())["valt_gateway_audit_writable"] == 1


async def until_ready(stack: GatewayStack, status: int) -> None:
    async with asyncio.timeout(10):
        while (await readiness(stack))[0] != status:
            await asyncio.sleep(0.05)


@pytest.mark.promise("evidence-10")
async def test_a_removed_audit_is_opened_anew_and_a_missing_directory_is_not_ready(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    folder.mkdir()
    (tmp_path / "audit.jsonl").symlink_to(folder / "audit.jsonl")
    async with running_stack(tmp_path) as stack:
        assert await video(stack) == 200
        await stack.ended()
        (folder / "audit.jsonl").unlink()
        assert await video(stack) == 200
        await stack.ended()
        assert [line["event"] for line in stack.audit()] == ["open", "close"]
        (folder / "audit.jsonl").unlink()
        folder.rmdir()
        await until_ready(stack, 503)  # though there is no request
        assert await video(stack) == 503
        folder.mkdir()
        await until_ready(stack, 200)
        assert await video(stack) == 200
        await stack.ended()
        assert [line["event"] for line in stack.audit()] == ["deny", "open", "close"]


@pytest.mark.promise("evidence-10")
async def test_a_stop_logs_the_lines_that_are_in_no_file(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").symlink_to("/dev/full")
    async with running_stack(tmp_path) as stack:
        assert await video(stack) == 503
        assert not await stack.gateway.stop()
        logged = [json.loads(line) for line in stack.log.getvalue().splitlines()]
        first, *records = [record for record in logged if record["event"].startswith("audit line")]
        lines = [json.loads(record["line"]) for record in records]
        assert (first["event"], first["count"]) == ("audit lines not written: they follow", len(lines))
        assert [line.get("action") or line["event"] for line in lines] == ["start", "deny", "stop"]


@pytest.mark.promise("evidence-10")
async def test_a_stop_says_that_its_last_lines_may_not_be_on_the_disk(
    stack: GatewayStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    assert not await stack.gateway.stop()
    assert '"event":"the last lines of the audit may not be on the disk","cause":"EIO"' in stack.log.getvalue()


async def test_a_reload_that_ends_while_the_audit_is_closed_does_not_fail_the_stop(
    stack: GatewayStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing, reloaded = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def fsync(_descriptor: int) -> None:
        loop.call_soon_threadsafe(closing.set)
        reloaded.wait(60)

    monkeypatch.setattr(os, "fsync", fsync)
    stopping = asyncio.create_task(stack.gateway.stop())
    async with asyncio.timeout(60):
        await closing.wait()
        stack.gateway.audit.reopen()
        stack.gateway.report_reload(done=True)
        reloaded.set()
        assert await stopping
    stack.gateway.report_reload(done=True)
    stack.gateway.audit.summarise_denials("192.0.2.7", 3, 0.0)
    lines = [json.loads(line) for line in (stack.folder / "audit.jsonl").read_text().splitlines()]
    assert lines[-1]["action"] == "stop"
    assert "the audit cannot be written" not in stack.log.getvalue()
    assert stack.log.getvalue().count('"event":"audit line not written"') == 3


@asynccontextmanager
async def served(
    folder: Path,
    stderr: int | None,
    stdout: int | None,
    *,
    closed: str = "",
    audit: str = "audit.jsonl",
    server: str = "",
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running `serve`; *closed* are redirections of a shell, *server* further lines of that table."""
    make_portal_key(folder)
    config = write_demo_configuration(
        folder,
        port=0,
        public_url="http://localhost:8080",
        valt_url="http://127.0.0.1:9",
        portal_url="http://127.0.0.1:8090",
    )
    config.write_text(config.read_text().replace('file = "audit.jsonl"', f'file = "{audit}"'))
    config.write_text(config.read_text().replace("[server]", f"[server]\n{server}", 1))
    command = (sys.executable, "-m", "gateway", "serve", "--config", str(config))
    shell = ("bash", "-c", f'exec "$@" {closed}', "bash")
    process = await asyncio.create_subprocess_exec(*shell, *command, stderr=stderr, stdout=stdout)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.promise("operation-O2")
async def test_a_log_that_nobody_reads_stops_neither_requests_nor_signals(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    async with served(tmp_path, writer, writer) as process, aiohttp.ClientSession() as client:
        words = (await asyncio.to_thread(_read_until, reader, b"(admin on")).decode().split("is ready ")[1].split()
        public, admin = words[words.index("on") + 1], words[-1].rstrip(")")
        fill(writer)
        for _ in range(3):
            for _ in range(100):
                async with client.get(f"{public}/recordings/1/videos/1") as answer:
                    assert answer.status == 401
            async with client.get(f"{admin}/healthz") as answer:
                assert answer.status == 200
            process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        drained = asyncio.create_task(asyncio.to_thread(_drain, reader))
        async with asyncio.timeout(20):
            assert await process.wait() == 0
        os.close(writer)
        await drained
    os.close(reader)


@pytest.mark.promise("operation-O2")
@pytest.mark.parametrize("workers", [1, 2])
async def test_with_a_log_that_was_never_read_the_process_serves_reloads_and_ends(tmp_path: Path, workers: int) -> None:
    """Also if the configuration has warnings, which are printed before anything else."""
    reader, writer = os.pipe()
    fill(writer)
    server = f'workers = {workers}\ndrain_timeout = "90s"'
    async with served(tmp_path, writer, asyncio.subprocess.DEVNULL, server=server) as process:
        await _until_serving(tmp_path, process)
        process.send_signal(signal.SIGHUP)
        await _until_reloaded(tmp_path)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
    os.close(writer)
    os.close(reader)


@pytest.mark.promise("operation-O1")
@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "2>&-", "<&- 2>&-"])
async def test_closed_standard_streams_get_no_socket_and_the_process_serves(tmp_path: Path, closed: str) -> None:
    async with served(tmp_path, None, None, closed=closed) as process:
        await _until_serving(tmp_path, process)
        for number in range(3):
            assert not str(Path(f"/proc/{process.pid}/fd/{number}").readlink()).startswith(("socket:", "anon_inode:"))
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await process.wait() == 0


@pytest.mark.promise("operation-O7")
async def test_an_audit_on_closed_standard_output_is_named_and_the_exit_code_is_78(tmp_path: Path) -> None:
    async with served(tmp_path, asyncio.subprocess.PIPE, None, closed=">&-", audit="-") as process:
        assert process.stderr is not None
        async with asyncio.timeout(60):
            assert b"standard output, which is closed" in await process.stderr.read()
            assert await process.wait() == 78


async def _until_serving(folder: Path, process: asyncio.subprocess.Process) -> None:
    """Waits until the handlers of signals are installed, which they are before the process has its second line."""
    async with asyncio.timeout(60):
        while not _audited(folder, "start"):
            assert process.returncode is None
            await asyncio.sleep(0.05)
        while not _handles_hangup(process.pid):
            await asyncio.sleep(0.05)


async def _until_reloaded(folder: Path) -> None:
    async with asyncio.timeout(60):
        while not _audited(folder, "reload"):
            await asyncio.sleep(0.05)


def _audited(folder: Path, action: str) -> bool:
    return any(f'"action":"{action}"' in path.read_text() for path in folder.glob("audit*.jsonl"))


def _handles_hangup(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGHUP - 1))


def _read_until(reader: int, text: bytes) -> bytes:
    """Reads to the end of the line that has *text*."""
    received = b""
    while text not in received or not received.endswith(b"\n"):
        received += os.read(reader, 4096)
    return received


def _drain(reader: int) -> None:
    while os.read(reader, 65_536):
        pass
