"""Two generations of workers at once: after a reload the old ones finish what they have begun, and the new ones use
what the gateway was started with where a change needs a restart."""

import asyncio
import json
import os
import re
import signal
from pathlib import Path

import aiohttp
import pytest

from gateway.settings.restart_keys import RESTART_KEYS, TLS_KEYS
from tests.support.code_copy import install
from tests.support.served import ServedGateway, serving
from tests.support.worker_requests import DRAINING, RUNNING, WORKERS, eventually, status, statuses
from tests.unit.settings.configurations import private, write_certificate

pytestmark = pytest.mark.timeout(300)

NEW_KEY = '    motto: str = Field("", description="a key that is new in this version")\n'

OTHERS = """
[state]
url = "redis://127.0.0.1:1"
prefix = "other:"
secret = "planted-fedcba9876543210-planted-state"
[audit]
file = "other.jsonl"
chain_key_file = "chain"
fsync = "always"
chain_head_log = "2h"
[tracing]
otlp_endpoint = "http://127.0.0.1:1"
sample_ratio = 1
[log]
format = "json"
level = "error"
"""
"""Another value of every key of these tables."""


def with_other_values(folder: Path, text: str) -> str:
    """Returns the configuration *text* with another value of every key that needs a restart."""
    private(folder / "chain", "planted-0a1b2c3d4e5f6g7h8i9j0k-planted")
    write_certificate(folder / "cert.pem", folder / "key.pem")
    text = re.sub(r"^workers = .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^\[(state|audit|log)\]\n(?:[^\[\n].*\n|\n)*", "", text, flags=re.MULTILINE)
    server = 'socket_mode = "0600"\nworkers = 3\ntls_cert_file = "cert.pem"\ntls_key_file = "key.pem"\n'
    return (
        text.replace('listen = "127.0.0.1:0"\n', f'listen = "127.0.0.2:0"\n{server}', 1).replace(
            '[admin]\nlisten = "127.0.0.1:0"', '[admin]\nlisten = "127.0.0.3:0"', 1
        )
        + OTHERS
    )


async def reloaded(gateway: ServedGateway, text: str) -> set[str]:
    """Reloads the configuration *text*. Returns the keys that need a restart by the log."""
    length = len(gateway.log.read_text())
    gateway.config.write_text(text)
    await gateway.reload()
    return set(re.findall(r"([\w.]+) needs a restart", gateway.log.read_text()[length:]))


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


@pytest.mark.promise("restart-2")
@pytest.mark.parametrize("server", ["", WORKERS])
async def test_what_needs_a_restart_stays_as_it_was_at_the_start_and_the_log_says_so(
    tmp_path: Path, server: str
) -> None:
    async with serving(tmp_path, server=server) as gateway:
        gateway.valt.add_video("one", "film", bytes(1000))
        used = gateway.url + gateway.path("one", "film")
        assert await status(used) == 200
        text = gateway.config.read_text()
        for _ in range(2):
            assert await reloaded(gateway, with_other_values(tmp_path, text)) == {*RESTART_KEYS, TLS_KEYS[0]}
            assert await status(used) == 401
            assert await status(gateway.url + gateway.path("one", "film")) == 200
            assert not list(tmp_path.glob("other*"))
        assert await reloaded(gateway, text) == set()


@pytest.mark.promise("restart-2")
async def test_the_token_that_the_workers_have_read_applies_if_the_file_changes(tmp_path: Path) -> None:
    token = '\ntoken = "planted-token-that-nobody-guesses"\n'
    async with serving(tmp_path, server=WORKERS) as gateway:
        metrics = f"{gateway.admin}/metrics"
        assert await status(metrics) == 200
        gateway.config.write_text(gateway.config.read_text().replace("[admin]\n", f"[admin]{token}", 1))
        reloading = asyncio.create_task(gateway.reload())
        while "starting" not in {worker["phase"] for worker in (await gateway.workers()).values()}:
            assert not reloading.done()
        gateway.config.write_text("[nonsense]\n")
        await reloading
        assert await status(metrics) == 401
        await gateway.reload("the old configuration stays in force")
        assert await status(metrics) == 401


@pytest.mark.promise("restart-2")
async def test_connections_are_accepted_for_the_shutdown_delay_of_the_last_reload(tmp_path: Path) -> None:
    public = tmp_path / "public.sock"
    server = f'{WORKERS}\nshutdown_delay = "0s"\n'
    async with serving(tmp_path, listen=f"unix:{public}", server=server) as gateway:
        gateway.config.write_text(gateway.config.read_text().replace('"0s"', '"60s"', 1))
        await gateway.reload()
        gateway.process.terminate()
        while await status(f"{gateway.admin}/readyz") == 200:
            pass
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(public))) as client,
            client.get("http://localhost/robots.txt") as answer,
        ):
            assert answer.status == 200
        gateway.process.terminate()
        assert await asyncio.wait_for(gateway.process.wait(), 60) == 0


@pytest.mark.promise("restart-4")
@pytest.mark.parametrize("state", ["", '[state]\ndir = "other"\n'])
async def test_a_used_ticket_stays_used_after_a_reload_that_moves_the_state(tmp_path: Path, state: str) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        gateway.valt.add_video("one", "film", bytes(1000))
        used = gateway.url + gateway.path("one", "film")
        assert await status(used) == 200
        text = gateway.config.read_text().replace('[state]\ndir = "state"\n', state)
        assert await reloaded(gateway, text) == {"state.dir"}
        assert await statuses(used, 4) == [401] * 4
        assert not (tmp_path / "other").exists()


@pytest.mark.promise("restart-2")
async def test_workers_go_on_with_tls_and_the_last_certificate_until_the_restart(tmp_path: Path) -> None:
    certificate = 'tls_cert_file = "cert{0}.pem"\ntls_key_file = "key{0}.pem"\n'
    for number in (1, 2):
        write_certificate(tmp_path / f"cert{number}.pem", tmp_path / f"key{number}.pem")
    async with serving(tmp_path, server=f"{WORKERS}\n{certificate.format(1)}") as gateway:
        text = gateway.config.read_text()
        assert await reloaded(gateway, text.replace(certificate.format(1), certificate.format(2))) == set()
        (tmp_path / "cert1.pem").unlink()
        assert await reloaded(gateway, text.replace(certificate.format(1), "")) == {"server.tls_cert_file"}
        async with gateway.client.get(f"{gateway.url}/robots.txt", ssl=False) as answer:
            assert (answer.url.scheme, answer.status) == ("https", 200)
        (tmp_path / "cert2.pem").unlink()
        await gateway.reload("the old configuration stays in force")
        reason = f"needs a restart, and until then it names {tmp_path / 'cert2.pem'}, which cannot be read"
        assert reason in gateway.log.read_text()


@pytest.mark.promise("restart-2")
@pytest.mark.parametrize("server", ["", WORKERS], ids=["alone", "workers"])
async def test_a_reload_during_a_drain_applies_its_rules_to_the_running_streams(tmp_path: Path, server: str) -> None:
    async with serving(tmp_path, server=f'{server}\ndrain_timeout = "60s"\nshutdown_delay = "0s"\n') as gateway:
        gateway.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
        stream = await gateway.client.get(gateway.url + gateway.path("long", "film"))
        await stream.content.readexactly(1000)
        gateway.process.terminate()
        while await status(f"{gateway.admin}/readyz") == 200:
            pass
        text = gateway.config.read_text()
        gateway.config.write_text(f"{text}\n[nonsense]\n")
        await gateway.reload("the old configuration stays in force")
        gateway.config.write_text(text.replace('groups = ["supervisors"]', 'groups = ["nobody"]'))
        await gateway.reload()
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.read()
        assert await asyncio.wait_for(gateway.process.wait(), 30) == 0
        lines = [json.loads(line) for file in tmp_path.glob("audit*.jsonl") for line in file.read_text().splitlines()]
        assert [line["outcome"] for line in lines if line.get("action") == "reload"] == ["failed", "ok"]
        assert [line["outcome"] for line in lines if line["event"] == "close"] == ["cut"]
        assert "Traceback" not in gateway.log.read_text()


@pytest.mark.promise("restart-2")
async def test_a_drain_right_after_a_reload_takes_no_new_rule_from_the_streams(tmp_path: Path) -> None:
    async with serving(tmp_path, server=f'{WORKERS}\ndrain_timeout = "60s"\n') as gateway:
        gateway.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
        stream = await gateway.client.get(gateway.url + gateway.path("long", "film"))
        await stream.content.readexactly(1000)
        gateway.config.write_text(gateway.config.read_text().replace('groups = ["supervisors"]', 'groups = ["nobody"]'))
        await gateway.reload()
        gateway.process.terminate()
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.read()
        assert await asyncio.wait_for(gateway.process.wait(), 30) == 0


async def test_workers_that_cannot_read_the_new_rules_end_their_streams(tmp_path: Path) -> None:
    code = tmp_path / "code"
    install(code, "9.9.0")
    async with serving(tmp_path, server=WORKERS, code=code) as gateway:
        gateway.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
        stream = await gateway.client.get(gateway.url + gateway.path("long", "film"))
        await stream.content.readexactly(1000)
        model = code / "gateway/settings/model.py"
        model.write_text(model.read_text().replace("    shutdown_delay:", f"{NEW_KEY}    shutdown_delay:", 1))
        install(code, "9.9.1")
        text = gateway.config.read_text().replace("[server]", '[server]\nmotto = "x"', 1)
        gateway.config.write_text(text.replace('groups = ["supervisors"]', 'groups = ["staff"]'))
        await gateway.reload()
        with pytest.raises(aiohttp.ClientError):
            async with asyncio.timeout(60):
                await stream.read()
        await eventually(gateway, lambda metrics: metrics[DRAINING] == 0)
        log = gateway.log.read_text()
        assert "a replaced worker cannot apply the new configuration" in log
        assert "motto" not in log
        assert await status(gateway.url + gateway.path("long", "film")) == 403


def audited_reloads(folder: Path) -> list[str]:
    """Returns the outcomes of the reloads in the audits of the workers."""
    lines = [json.loads(line) for file in folder.glob("audit*") for line in file.read_text().splitlines()]
    return [line["outcome"] for line in lines if line.get("action") == "reload"]


async def held_reload(gateway: ServedGateway) -> int:
    """Sends SIGHUP and stops the first new worker before it is prepared. Returns its process id."""
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    old = children.read_text().split()
    gateway.process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(60):
        while not (new := [int(pid) for pid in children.read_text().split() if pid not in old]):
            await asyncio.sleep(0.01)
    os.kill(new[0], signal.SIGSTOP)
    return new[0]


@pytest.mark.promise("operation-O1")
async def test_the_audit_is_reopened_while_an_earlier_reload_runs(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        starting = await held_reload(gateway)
        files = [tmp_path / f"audit.{number}.jsonl" for number in (1, 2)]
        for file in files:
            file.rename(file.with_suffix(".old"))
        gateway.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(60):
            while not all(file.exists() for file in files):
                await asyncio.sleep(0.01)
        os.kill(starting, signal.SIGCONT)
        async with asyncio.timeout(60):
            while gateway.log.read_text().count("configuration reloaded") < 2:
                await asyncio.sleep(0.05)
        assert "renamed or replaced without SIGHUP" not in gateway.log.read_text()


@pytest.mark.parametrize(
    ("fault", "signals", "outcome"),
    [
        ("", (signal.SIGTERM,), "ok"),
        ("\nx = 1\n", (signal.SIGTERM,), "failed"),
        ("", (signal.SIGTERM, signal.SIGINT), "failed"),
    ],
    ids=["applied", "with a fault", "at once"],
)
async def test_a_reload_that_the_end_interrupts_is_audited(
    tmp_path: Path, fault: str, signals: tuple[int, ...], outcome: str
) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        gateway.config.write_text(gateway.config.read_text() + fault)
        await held_reload(gateway)
        for number in signals:
            gateway.process.send_signal(number)
        assert await gateway.process.wait() == 0
        assert audited_reloads(tmp_path) == [outcome]
        says = {"ok": "configuration reloaded", "failed": "the old configuration stays in force"}
        assert gateway.log.read_text().count(says[outcome]) == 1


@pytest.mark.promise("operation-O1")
@pytest.mark.parametrize("at_once", [False, True])
async def test_reloads_that_wait_for_each_other_during_a_drain_are_audited(tmp_path: Path, at_once: bool) -> None:
    async with serving(tmp_path, server=f'{WORKERS}\nshutdown_delay = "0s"\n') as gateway:
        gateway.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
        stream = await gateway.client.get(gateway.url + gateway.path("long", "film"))
        await stream.content.readexactly(1000)
        children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
        gateway.process.terminate()
        async with asyncio.timeout(60):
            while len(workers := [int(pid) for pid in children.read_text().split()]) != 1:
                await asyncio.sleep(0.01)
        os.kill(workers[0], signal.SIGSTOP)  # so that the first reload takes until the film has ended
        for _ in range(3):
            gateway.process.send_signal(signal.SIGHUP)
            await status(f"{gateway.admin}/healthz")  # so that the signal has been taken
        stream.close()
        if at_once:
            gateway.process.terminate()
            await status(f"{gateway.admin}/healthz")
        os.kill(workers[0], signal.SIGCONT)
        assert await asyncio.wait_for(gateway.process.wait(), 60) == 0
        assert len(audited_reloads(tmp_path)) == 3
        says = ("configuration reloaded", "the old configuration stays in force")
        assert sum(map(gateway.log.read_text().count, says)) == 3


@pytest.mark.promise("operation-O1")
async def test_a_reload_that_one_worker_has_recorded_is_not_recorded_again_at_the_end(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
        second = max(map(int, children.read_text().split()))
        await held_reload(gateway)
        os.kill(second, signal.SIGSTOP)  # so that it does not apply what the first one has applied
        gateway.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            while not (outcomes := audited_reloads(tmp_path)):
                await asyncio.sleep(0.01)
        gateway.process.send_signal(signal.SIGTERM)
        os.kill(second, signal.SIGCONT)
        assert await gateway.process.wait() == 0
        assert audited_reloads(tmp_path) == outcomes == ["ok"]
        assert gateway.log.read_text().count("configuration reloaded") == 1
