"""``valt-gateway serve`` with sockets of systemd, and what it notifies systemd of."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration
from tests.support.served import serving
from tests.support.systemd import Notifications, activation, listening_socket, notifications


@pytest.fixture
def config(tmp_path: Path) -> Path:
    make_portal_key(tmp_path)
    written = write_demo_configuration(
        tmp_path,
        port=0,
        public_url="http://localhost:8080",
        valt_url="http://127.0.0.1:9",
        portal_url="http://127.0.0.1:8090",
    )
    written.write_text(written.read_text().replace('"127.0.0.1:0"', '"systemd:public"', 1))
    return written


@asynccontextmanager
async def service(
    config: Path, received: Notifications, **sockets: socket.socket
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs the gateway as a service of the stand-in for systemd."""
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
    activated, environ = activation(command, sockets)
    process = await asyncio.create_subprocess_exec(
        *activated,
        env=environ | {"NOTIFY_SOCKET": str(received.path), "WATCHDOG_USEC": "2000000"},
        pass_fds=[sock.fileno() for sock in sockets.values()],
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def robots(session: aiohttp.ClientSession, sock: socket.socket) -> int:
    """Returns the status of a small request to *sock*'s address."""
    async with session.get(f"http://127.0.0.1:{sock.getsockname()[1]}/robots.txt") as answer:
        return answer.status


@pytest.mark.promise("restart-1", "operation-O4")
async def test_requests_wait_while_the_service_restarts(config: Path, tmp_path: Path) -> None:
    with listening_socket() as public, notifications(tmp_path) as received:
        async with aiohttp.ClientSession() as client:
            for _ in range(2):
                waiting = asyncio.create_task(robots(client, public))
                async with service(config, received, public=public) as process:
                    await received.next_with("READY")
                    assert await waiting == 200
                    process.send_signal(signal.SIGTERM)
                    async with asyncio.timeout(30):
                        assert await process.wait() == 0


async def test_the_admin_port_stays_taken_while_the_service_is_down(config: Path, tmp_path: Path) -> None:
    """Another program that took it would receive admin.token from the next command or scrape."""
    config.write_text(
        config.read_text().replace('[admin]\nlisten = "127.0.0.1:0"', '[admin]\nlisten = "systemd:admin"')
    )
    with listening_socket() as public, listening_socket() as admin, notifications(tmp_path) as received:
        address: tuple[str, int] = admin.getsockname()
        async with service(config, received, public=public, admin=admin) as process:
            await received.next_with("READY")
            async with (
                aiohttp.ClientSession() as client,
                client.get(f"http://{address[0]}:{address[1]}/healthz") as answer,
            ):
                assert answer.status == 200
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                assert await process.wait() == 0
        with socket.create_connection(address, timeout=20), socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                other.bind(address)


async def test_ready_reloading_stopping_and_signs_of_life_are_notified(config: Path, tmp_path: Path) -> None:
    with listening_socket() as public, notifications(tmp_path) as received:
        async with service(config, received, public=public) as process:
            await received.next_with("READY")
            assert "0 streams" in (await received.next_with("STATUS"))["STATUS"]
            await received.next_with("WATCHDOG")
            process.send_signal(signal.SIGHUP)
            await received.next_with("RELOADING")
            await received.next_with("READY")
            process.send_signal(signal.SIGTERM)
            await received.next_with("STOPPING")
            async with asyncio.timeout(30):
                assert await process.wait() == 0


async def test_a_reload_that_is_refused_ends_with_ready_too(config: Path, tmp_path: Path) -> None:
    with listening_socket() as public, notifications(tmp_path) as received:
        async with service(config, received, public=public) as process:
            await received.next_with("READY")
            config.write_text(config.read_text().replace("[valt]", "[vallt]"))
            process.send_signal(signal.SIGHUP)
            await received.next_with("RELOADING")
            await received.next_with("READY")


async def test_a_socket_that_systemd_does_not_pass_is_named(config: Path, tmp_path: Path) -> None:
    with listening_socket() as other, notifications(tmp_path) as received:
        async with service(config, received, other=other) as process:
            _, printed = await process.communicate()
    assert b"cannot start: systemd passed no socket named public, but other" in printed
    assert process.returncode == 1


async def test_workers_share_the_socket_of_systemd_and_are_reported_as_one_service(
    config: Path, tmp_path: Path
) -> None:
    config.write_text(config.read_text().replace("[server]", "[server]\nworkers = 2", 1))
    with listening_socket() as public, notifications(tmp_path) as received:
        async with aiohttp.ClientSession() as client:
            waiting = asyncio.create_task(robots(client, public))
            async with service(config, received, public=public) as process:
                await received.next_with("READY")
                assert await waiting == 200
                assert "2 workers" in (await received.next_with("STATUS"))["STATUS"]
                process.send_signal(signal.SIGHUP)
                await received.next_with("RELOADING")
                await received.next_with("READY")
                assert await robots(client, public) == 200
                process.send_signal(signal.SIGTERM)
                await received.next_with("STOPPING")
                async with asyncio.timeout(60):
                    assert await process.wait() == 0


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_status_of_the_service_counts_streams_and_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    with notifications(tmp_path) as received:
        monkeypatch.setenv("NOTIFY_SOCKET", str(received.path))
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")  # a status each second
        async with serving(tmp_path, server=f"workers = {workers}") as gateway:
            gateway.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
            streams = [await gateway.client.get(gateway.url + gateway.path("long", "film")) for _ in range(3)]
            for stream in streams:
                await stream.content.readexactly(1000)
            async with asyncio.timeout(60):
                while "3 streams, 3 connections" not in (await received.next_with("STATUS"))["STATUS"]:
                    pass
            for stream in streams:
                stream.close()
            async with asyncio.timeout(60):
                while "0 streams, 0 connections" not in (await received.next_with("STATUS"))["STATUS"]:
                    pass
