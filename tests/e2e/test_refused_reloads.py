"""Reloads that must not be applied: they would open a listener that runs, or their check fails unexpectedly."""

import asyncio
import os
import signal
import threading
from pathlib import Path

import aiohttp
import pytest

from gateway.cli.serve import Reloads, apply_reload
from gateway.settings.loading import Loaded
from gateway.settings.until_restart import InForce
from tests.support.gateway_fixture import GatewayStack
from tests.support.served import serving
from tests.support.worker_requests import DRAINING, RUNNING, WORKERS, eventually

pytestmark = pytest.mark.timeout(300)

TOKEN = 'token = "planted-token-that-nobody-guesses"\n'
REPLACED = 'valt_gateway_worker_replacements_total{reason="ended"}'
FRONT = """
[[identity]]
type = "header"
name = "front"
subject_header = "X-Forwarded-User"
groups_header = "X-Forwarded-Groups"
from = ["unix"]

"""


@pytest.mark.promise("security-S16")
@pytest.mark.parametrize("workers", [1, 2])
async def test_the_token_of_a_listener_that_is_still_open_is_not_dropped(tmp_path: Path, workers: int) -> None:
    admin = f'listen = "0.0.0.0:0"\n{TOKEN}'
    async with serving(tmp_path, server=WORKERS if workers == 2 else "", admin=admin) as gateway:
        text = gateway.config.read_text()
        closed = text.replace('"0.0.0.0:0"', '"127.0.0.1:0"')
        gateway.config.write_text(closed.replace(TOKEN, ""))
        await gateway.reload("the old configuration stays in force")
        assert "fault: admin.listen" in gateway.log.read_text()
        async with gateway.client.get(f"{gateway.admin}/metrics") as answer:
            assert answer.status == 401
        gateway.config.write_text(closed)
        await gateway.reload()
        assert "admin.listen needs a restart" in gateway.log.read_text()


@pytest.mark.promise("security-S16")
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_token_that_a_reload_has_dropped_keeps_no_later_one_from_being_applied(
    tmp_path: Path, workers: int
) -> None:
    admin = f'listen = "0.0.0.0:0"\n{TOKEN}'
    async with serving(tmp_path, server=WORKERS if workers == 2 else "", admin=admin) as gateway:
        for old, new in ((TOKEN, ""), ('"0.0.0.0:0"', '"127.0.0.1:0"')):
            gateway.config.write_text(gateway.config.read_text().replace(old, new))
            await gateway.reload()
        async with gateway.client.get(f"{gateway.admin}/metrics") as answer:
            assert answer.status == 200


@pytest.mark.promise("security-S16")
@pytest.mark.parametrize("workers", [1, 2])
async def test_no_front_is_trusted_at_a_socket_that_every_user_still_reaches(tmp_path: Path, workers: int) -> None:
    public = tmp_path / "public.sock"
    server = 'socket_mode = "0666"\ntrusted_proxies = ["unix"]\n' + (WORKERS if workers == 2 else "")
    async with serving(tmp_path, listen=f"unix:{public}", server=server) as gateway:
        text = gateway.config.read_text()
        gateway.config.write_text(text.replace('"0666"', '"0660"').replace("[[identity]]", f"{FRONT}[[identity]]"))
        await gateway.reload("the old configuration stays in force")
        assert "fault: server.socket_mode" in gateway.log.read_text()
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(public))) as client:
            headers = {"X-Forwarded-User": "anna", "X-Forwarded-Groups": "supervisors"}
            async with client.get("http://localhost/oauth2/userinfo", headers=headers) as answer:
                assert answer.status == 401


@pytest.mark.promise("security-S16")
@pytest.mark.parametrize("workers", [1, 2])
async def test_clients_of_the_present_proxy_have_their_own_address_until_the_restart(
    tmp_path: Path, workers: int
) -> None:
    trusted = 'trusted_proxies = ["127.0.0.5"]\n'
    server = trusted + (WORKERS if workers == 2 else "")
    async with serving(tmp_path, listen="0.0.0.0:0", server=server) as gateway:
        gateway.valt.add_video("one", "film", bytes(1000))

        async def status_at_home() -> int:
            url = f"http://127.0.0.1:{gateway.url.rpartition(':')[2]}{gateway.path('one', 'film')}"
            connector = aiohttp.TCPConnector(local_addr=("127.0.0.5", 0))
            async with (
                aiohttp.ClientSession(connector=connector) as proxy,
                proxy.get(url, headers={"X-Forwarded-For": "192.0.2.9"}) as answer,
            ):
                return answer.status

        async def reload(text: str, outcome: str = "configuration reloaded") -> None:
            gateway.config.write_text(text)
            await gateway.reload(outcome)

        text = gateway.config.read_text()
        by_network = text.replace("[[grants]]\n", '[[grants]]\nnetworks = ["127.0.0.0/8"]\n', 1)

        def moved(file: str, proxies: str = '"unix"') -> str:
            file = file.replace('listen = "0.0.0.0:0"', f'listen = "unix:{tmp_path}/public.sock"', 1)
            return file.replace('["127.0.0.5"]', f"[{proxies}]", 1)

        await reload(by_network)
        assert await status_at_home() == 403
        await reload(moved(by_network), "the old configuration stays in force")
        assert "fault: server.listen (line " in gateway.log.read_text()
        assert await status_at_home() == 403
        await reload(moved(by_network, '"unix", "127.0.0.5"'))
        assert await status_at_home() == 403
        await reload(moved(text))
        await reload(moved(by_network), "the old configuration stays in force")


@pytest.mark.promise("operation-O7")
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_reload_that_names_a_place_that_cannot_be_opened_is_refused(tmp_path: Path, workers: int) -> None:
    async with serving(tmp_path, server=WORKERS if workers == 2 else "") as gateway:
        text = gateway.config.read_text()
        for key, old, new in (
            ("audit.file", '"audit.jsonl"', '"missing/audit.jsonl"'),
            ("state.dir", 'dir = "state"', 'dir = "portal.pub/state"'),
            ("server.listen", 'listen = "127.0.0.1:0"', 'listen = "unix:portal.pub"'),
        ):
            gateway.config.write_text(text.replace(old, new, 1))
            await gateway.reload("the old configuration stays in force")
            assert f"fault: {key} (line " in gateway.log.read_text()
        gateway.config.write_text(text)
        await gateway.reload()


@pytest.mark.promise("restart-4")
async def test_a_worker_is_replaced_although_the_restart_could_not_open_a_place_any_more(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        (tmp_path / "later").mkdir()
        text = gateway.config.read_text()
        gateway.config.write_text(text.replace('"audit.jsonl"', '"later/audit.jsonl"'))
        await gateway.reload()
        (tmp_path / "later").rmdir()
        await eventually(gateway, lambda metrics: (metrics[RUNNING], metrics[DRAINING]) == (2, 0))
        ended = next(iter((await gateway.workers()).values()))["pid"]
        os.kill(ended, signal.SIGKILL)
        await eventually(gateway, lambda metrics: metrics[REPLACED] == 1 and metrics[RUNNING] == 2)
        assert ended not in {worker["pid"] for worker in (await gateway.workers()).values()}


async def test_of_two_reloads_the_last_one_decides_however_long_the_first_is_checked(stack: GatewayStack) -> None:
    old = stack.gateway.settings
    first, last = (
        old.model_copy(update={"limits": old.limits.model_copy(update={"streams": streams})}) for streams in (11, 12)
    )
    being_checked, overtaken = threading.Event(), threading.Event()
    compared: list[tuple[str, ...]] = []

    def read_again(in_force: InForce) -> Loaded:
        compared.append(in_force.proxies)
        if being_checked.is_set():
            overtaken.set()
            return Loaded(last, (), (), Path())
        being_checked.set()
        overtaken.wait(0.5)
        server = first.server.model_copy(update={"trusted_proxies": ("10.0.0.5/32",)})
        return Loaded(first.model_copy(update={"server": server}), (), (), Path())

    reloads = Reloads(stack.gateway, read_again, InForce.at_start(old, {}))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(reloads.apply())
        await asyncio.to_thread(being_checked.wait)
        tasks.create_task(reloads.apply())
    assert stack.gateway.settings.limits.streams == 12
    assert compared == [old.server.trusted_proxies, ("10.0.0.5/32",)]


async def test_a_check_that_fails_unexpectedly_is_a_reload_that_failed(stack: GatewayStack) -> None:
    def read_again() -> Loaded:
        raise RuntimeError("planted")

    await apply_reload(stack.gateway, read_again)
    assert "RuntimeError: planted" in stack.log.getvalue()
    assert "the old configuration stays in force" in stack.log.getvalue()
    assert (await stack.metrics())['valt_gateway_config_reloads_total{outcome="failed"}'] == 1.0


@pytest.mark.promise("operation-O1")
async def test_the_audit_is_reopened_before_the_configuration_is_read(stack: GatewayStack) -> None:
    path, is_new = stack.folder / "audit.jsonl", list[bool]()

    def read_again(in_force: InForce) -> Loaded:
        is_new.append(path.exists())
        raise ValueError

    reloads = Reloads(stack.gateway, read_again, InForce.at_start(stack.gateway.settings, {}))
    path.rename(path.with_suffix(".1"))
    await reloads.apply()
    assert is_new == [True]
