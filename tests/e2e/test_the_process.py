"""``valt-gateway serve`` as a process: its ready line, SIGHUP, SIGTERM, and its exit codes."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.identity.ticket import mint_ticket
from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration
from gateway.sim.valt import ValtSimulator
from tests.support.gateway_fixture import audit_lines
from tests.support.programs import run
from tests.support.state import create_state


@pytest.fixture
def config(tmp_path: Path) -> Path:
    make_portal_key(tmp_path)
    return write_demo_configuration(
        tmp_path,
        port=0,
        public_url="http://localhost:8080",
        valt_url="http://127.0.0.1:9",
        portal_url="http://127.0.0.1:8090",
    )


@asynccontextmanager
async def serve(config: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.StreamReader]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve", "--config", str(config)), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        yield process, process.stderr
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_with(stream: asyncio.StreamReader, text: str) -> str:
    async with asyncio.timeout(20):
        while True:
            line = (await stream.readline()).decode()
            assert line, f"ended before it printed {text!r}"
            if text in line:
                return line


async def test_it_prints_its_addresses_once_ready_and_exits_0_on_sigterm(config: Path) -> None:
    async with serve(config) as (process, stderr), aiohttp.ClientSession() as client:
        words = (await line_with(stderr, "is ready on")).split()
        async with client.get(f"{words[-1].rstrip(')')}/readyz") as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await process.wait() == 0


@pytest.mark.promise("streams-21")
async def test_sighup_reloads_the_file_and_keeps_the_old_one_on_a_fault(config: Path) -> None:
    example = '[[examples]]\nsubject = "anna"\ngroups = ["supervisors"]\nrecording = "1"\nallowed = true\n'
    async with serve(config) as (process, stderr):
        await line_with(stderr, "is ready on")
        good = config.read_text()
        config.write_text(good + example)
        process.send_signal(signal.SIGHUP)
        await line_with(stderr, "configuration reloaded")
        config.write_text(good + example.replace("true", "false"))
        process.send_signal(signal.SIGHUP)
        assert "must be denied and is allowed" in await line_with(stderr, "fault:")
        await line_with(stderr, "the old configuration stays in force")


async def test_faults_are_printed_and_the_exit_code_is_78(config: Path) -> None:
    config.write_text(config.read_text().replace("[valt]", "[vallt]"))
    async with serve(config) as (process, stderr):
        await line_with(stderr, "vallt")
        async with asyncio.timeout(20):
            assert await process.wait() == 78


async def test_an_address_in_use_is_printed_and_the_exit_code_is_1(config: Path) -> None:
    async with ValtSimulator() as valt:
        in_use = valt.base_url.removeprefix("http://")
        config.write_text(config.read_text().replace('listen = "127.0.0.1:0"', f'listen = "{in_use}"', 1))
        async with serve(config) as (process, stderr):
            assert "address already in use" in (await line_with(stderr, "cannot start")).lower()
            async with asyncio.timeout(20):
                assert await process.wait() == 1


async def test_a_crash_during_a_stream_loses_no_open_line(tmp_path: Path) -> None:
    key = make_portal_key(tmp_path)
    async with ValtSimulator() as valt:
        valt.add_video("big", "film", bytes(8 * 1024 * 1024))
        valt.knobs.stall_after.append(1_000_000)
        config = write_demo_configuration(
            tmp_path,
            port=0,
            public_url="http://localhost:8080",
            valt_url=valt.base_url,
            portal_url="http://127.0.0.1:8090",
        )
        await create_state(tmp_path)
        async with serve(config) as (process, stderr), aiohttp.ClientSession() as client:
            words = (await line_with(stderr, "is ready on")).split()
            url = words[words.index("on") + 1]
            ticket = mint_ticket(
                key,
                issuer="http://127.0.0.1:8090",
                audience="http://localhost:8080",
                subject="anna",
                now=time.time(),
                ttl=60,
                groups=["supervisors"],
            )
            async with client.get(f"{url}/recordings/big/videos/film?ticket={ticket}") as answer:
                await answer.content.readexactly(1000)
                process.kill()
                await process.wait()
    assert [line["event"] for line in audit_lines(tmp_path / "audit.jsonl")] == ["open"]


async def test_a_process_writes_no_core_dump(config: Path) -> None:
    async with serve(config) as (process, stderr):
        await line_with(stderr, "is ready on")
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert next(line for line in limits.splitlines() if "core file" in line).split()[4:6] == ["0", "0"]


@pytest.mark.parametrize("command", [("streams",), ("cut", "a-stream")])
@pytest.mark.parametrize("status", [404, 500])
async def test_a_program_at_the_address_of_the_admin_listener_controls_no_terminal(
    config: Path, command: tuple[str, ...], status: int
) -> None:
    async def respond(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = b"\x1b]0;owned\x07\x1b[2J" + b"x" * 10_000
        writer.write(b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        options = ("--config", str(config), "--admin", address)
        ran = await run(sys.executable, "-m", "gateway", command[0], *options, *command[1:])
    assert ran.code == 1
    assert b"\\x1b]0;owned" in ran.err
    assert b"\x1b" not in ran.out + ran.err
    assert len(ran.err) < 1000


@pytest.mark.parametrize("command", [("streams",), ("cut", "a-stream")])
@pytest.mark.parametrize(
    "body", ["<html></html>", "[]", "{}", '{"streams": 5, "total": 1}', '{"streams": [{}], "total": 1}']
)
async def test_a_response_that_is_no_admin_listeners_is_named(
    config: Path, command: tuple[str, ...], body: str
) -> None:
    async def respond(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body.encode()))
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        options = ("--config", str(config), "--admin", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        ran = await run(sys.executable, "-m", "gateway", command[0], *options, *command[1:])
    assert (ran.code, ran.out) == (1, b"")
    assert (
        ran.err.decode().splitlines()[-1] == "that is no response of an admin listener: check --admin, or admin.listen"
    )


@pytest.mark.parametrize("address", ["nonsense", "http://", "127.0.0.1", ":no"])
async def test_an_address_of_the_admin_listener_that_is_none_is_named(config: Path, address: str) -> None:
    ran = await run(sys.executable, "-m", "gateway", "streams", "--config", str(config), "--admin", address)
    assert ran.code == 2
    assert f"{address} is no address: write host:port, http://host:port or unix:/path" in " ".join(
        ran.err.decode().split()
    )
