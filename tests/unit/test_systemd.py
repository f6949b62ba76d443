"""systemd's protocol: passed sockets, states, and signs of life."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.sockets import open_sockets
from gateway.systemd import ServiceManager, take_sockets
from tests.support.systemd import activation, listening_socket, notifications

_PRINT_PORTS = """
import os
from gateway.systemd import take_sockets
for name, sockets in take_sockets(os.environ).items():
    print(name, *[sock.getsockname()[1] for sock in sockets])
print(sorted(name for name in os.environ if name.startswith("LISTEN_")))
"""


def test_passed_sockets_are_taken_by_their_names() -> None:
    with listening_socket() as public, listening_socket() as admin:
        command, environ = activation([sys.executable, "-c", _PRINT_PORTS], {"public": public, "admin": admin})
        printed = subprocess.run(
            command, env=environ, pass_fds=(public.fileno(), admin.fileno()), capture_output=True, text=True, check=True
        )
        ports = public.getsockname()[1], admin.getsockname()[1]
    assert printed.stdout.splitlines() == [f"public {ports[0]}", f"admin {ports[1]}", "[]"]


@pytest.mark.parametrize("pid", ["", "1", "no number"])
def test_sockets_of_another_process_are_not_taken(pid: str) -> None:
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": pid, "LISTEN_FDNAMES": "public"}
    assert take_sockets(environ) == {}
    assert environ == {}


async def test_a_name_that_was_not_passed_is_reported_with_those_that_were() -> None:
    with listening_socket() as sock, pytest.raises(OSError, match="no socket named public, but other"):
        await open_sockets("systemd:public", 0o660, {"other": [sock]})


async def test_a_passed_socket_that_does_not_listen_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(OSError, match="accepts no connections"):
        await open_sockets("systemd:public", 0o660, {"public": [sock]})


async def test_states_are_notified_in_the_words_of_sd_notify(tmp_path: Path) -> None:
    with notifications(tmp_path) as received:
        manager = ServiceManager(str(received.path))
        manager.ready()
        manager.reloading()
        manager.stopping()
        assert await received.next() == {"READY": "1"}
        reloading = await received.next()
        assert reloading["RELOADING"] == "1"
        assert int(reloading["MONOTONIC_USEC"]) > 0
        assert await received.next() == {"STOPPING": "1"}


async def test_signs_of_life_come_twice_in_the_watchdogs_time(tmp_path: Path) -> None:
    with notifications(tmp_path) as received:
        manager = ServiceManager.of({"NOTIFY_SOCKET": str(received.path), "WATCHDOG_USEC": "100000"})
        task = asyncio.create_task(manager.run(lambda: "2 streams"))
        assert await received.next() == {"STATUS": "2 streams"}
        for _ in range(3):
            assert await received.next() == {"WATCHDOG": "1"}
        task.cancel()


async def test_an_abstract_address_is_understood() -> None:
    name = f"valt-gateway-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        ServiceManager(f"@{name}").ready()
        sock.settimeout(20)
        assert await asyncio.to_thread(sock.recv, 100) == b"READY=1"


async def test_a_watchdog_of_another_process_gets_no_signs_of_life(tmp_path: Path) -> None:
    with notifications(tmp_path) as received:
        environ = {"NOTIFY_SOCKET": str(received.path), "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
        task = asyncio.create_task(ServiceManager.of(environ).run(lambda: "idle"))
        assert await received.next() == {"STATUS": "idle"}
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await received.next()


async def test_without_a_manager_and_with_one_that_is_gone_nothing_fails(tmp_path: Path) -> None:
    ServiceManager().ready()
    await ServiceManager().run(lambda: "idle")
    ServiceManager(str(tmp_path / "gone")).ready()
