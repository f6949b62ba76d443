"""SIGHUP and SIGTERM while ``valt-gateway serve`` starts, alone and with workers.

Before the interpreter runs the first line of the entry module, the system ends a process by these signals, which no
program can change. `started` returns once that line has run, which the system shows in /proc.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration
from tests.support.programs import run

pytestmark = pytest.mark.timeout(300)

MODULE = ("-m", "gateway")
SCRIPT = ("-c", "from gateway.cli.main import main; main()")
DELAYS = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Seconds after the first line of the entry module."""
Case = Callable[[Path, tuple[str, ...], float], Awaitable[tuple[int, bool]]]
HANDLED = 1 << (signal.SIGHUP - 1) | 1 << (signal.SIGTERM - 1)


def config(folder: Path, workers: int) -> Path:
    folder.mkdir()
    make_portal_key(folder)
    path = write_demo_configuration(
        folder,
        port=0,
        public_url="http://localhost:8080",
        valt_url="http://127.0.0.1:9",
        portal_url="http://127.0.0.1:8090",
    )
    path.write_text(path.read_text().replace("[server]", f"[server]\nworkers = {workers}", 1))
    return path


def handles_signals(pid: int) -> bool:
    """Whether the process has handlers of its own for SIGHUP and SIGTERM."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) & HANDLED == HANDLED


@asynccontextmanager
async def started(path: Path, entry: tuple[str, ...]) -> AsyncIterator[tuple[asyncio.subprocess.Process, Path]]:
    """Yields the process, and the file with what it prints on standard error."""
    log = path.with_name("log")
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *entry, "serve", "--config", str(path)), stderr=stderr
        )
    try:
        while not handles_signals(process.pid):
            await asyncio.sleep(0.001)
        yield process, log
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def printed(log: Path, text: str) -> None:
    while text not in log.read_text():
        await asyncio.sleep(0.02)


async def ended_by_term(path: Path, entry: tuple[str, ...], delay: float) -> tuple[int, bool]:
    """Returns the exit status after a SIGTERM, and whether the gateway became ready before it ended."""
    async with started(path, entry) as (process, log):
        await asyncio.sleep(delay)
        process.send_signal(signal.SIGTERM)
        return await process.wait(), "is ready on" in log.read_text()


async def reloaded_by_hangup(path: Path, entry: tuple[str, ...], delay: float) -> tuple[int, bool]:
    """Returns the exit status of a gateway that SIGHUP and later SIGTERM were sent to, and whether it became ready
    before it reloaded the configuration."""
    async with started(path, entry) as (process, log):
        await asyncio.sleep(delay)
        process.send_signal(signal.SIGHUP)
        await printed(log, "configuration reloaded")
        text = log.read_text()
        process.send_signal(signal.SIGTERM)
        return await process.wait(), 0 <= text.find("is ready on") < text.find("configuration reloaded")


@pytest.mark.promise("operation-O8")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("case", [ended_by_term, reloaded_by_hangup])
async def test_a_signal_at_any_moment_of_the_start_is_acted_on_when_ready(
    tmp_path: Path, case: Case, workers: int
) -> None:
    delays = DELAYS if workers == 1 else DELAYS[::3]
    at_once = asyncio.Semaphore(3)

    async def outcome(number: int, delay: float) -> tuple[int, bool]:
        async with at_once:
            return await case(config(tmp_path / str(number), workers), (MODULE, SCRIPT)[number % 2], delay)

    outcomes = await asyncio.gather(*(outcome(number, delay) for number, delay in enumerate(delays)))
    assert dict(zip(delays, outcomes, strict=True)) == dict.fromkeys(delays, (0, True))


@pytest.mark.promise("operation-O8")
async def test_a_second_sigterm_before_it_is_ready_ends_it_at_once(tmp_path: Path) -> None:
    async with started(config(tmp_path / "alone", 1), MODULE) as (process, log):
        process.send_signal(signal.SIGTERM)
        while process.returncode is None and "is ready on" not in log.read_text():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)  # send_signal() may take the exit status from the event loop
            await asyncio.sleep(0.02)
        assert await process.wait() == 0


@pytest.mark.promise("operation-O8")
@pytest.mark.parametrize("entry", [MODULE, SCRIPT])
async def test_handlers_are_installed_before_any_library_is_loaded(entry: tuple[str, ...]) -> None:
    loaded = await run(sys.executable, "-X", "importtime", *entry, "serve", "--config", "/nowhere/gateway.toml")
    modules = [
        line.rpartition("|")[2].strip() for line in loaded.err.decode().splitlines() if line.startswith("import")
    ]
    before = modules[: modules.index("gateway.early_signals")]
    assert loaded.code == 78
    assert "click" in modules
    assert not {"click", "asyncio", "socket", "pydantic", "aiohttp"}.intersection(before)


@pytest.mark.promise("operation-O8")
async def test_other_commands_end_by_a_signal_as_programs_do() -> None:
    code = "import gateway.early_signals, os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    ended = await run(sys.executable, "-c", code, "check-config")
    assert ended.code == -signal.SIGTERM
