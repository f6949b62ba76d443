"""How ``valt-gateway serve`` ends, alone and with workers, while threads wait and signals arrive."""

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.catalogue import CAMERA_A, SESSION
from tests.e2e.test_stopping import CHUNKED, unfinished
from tests.support.client import connect, request
from tests.support.kerberos import negotiate, running_realm
from tests.support.kerberos_gateway import IDENTITY
from tests.support.scripted_media import scripted_media
from tests.support.served import ServedGateway, serving
from tests.support.worker_requests import WORKERS

pytestmark = pytest.mark.timeout(300)


def admin_lines(file: Path) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, file.read_text().splitlines()) if line["event"] == "admin"]


async def ended(gateway: ServedGateway, *signals: signal.Signals) -> int:
    """Sends *signals* again and again until the process has ended. Returns its exit status."""
    async with asyncio.timeout(20):
        while gateway.process.returncode is None:
            for number in signals:
                with suppress(ProcessLookupError):
                    os.kill(gateway.process.pid, number)  # send_signal() may take the exit status from the event loop
            await asyncio.sleep(0.005)
        return await gateway.process.wait()


@pytest.mark.promise("operation-O8")
@pytest.mark.parametrize(("server", "further"), [("", signal.SIGHUP), ("", signal.SIGINT), (WORKERS, signal.SIGHUP)])
async def test_signals_that_arrive_until_the_end_change_nothing(
    tmp_path: Path, server: str, further: signal.Signals
) -> None:
    async with serving(tmp_path, server=server) as gateway:
        assert await ended(gateway, signal.SIGTERM, further) == 0
        assert "Traceback" not in gateway.log.read_text()
        for file in tmp_path.glob("audit*.jsonl"):
            assert [line["action"] for line in admin_lines(file) if line["action"] != "reload"] == ["start", "stop"]


@pytest.mark.promise("operation-O8")
async def test_a_reload_that_the_end_interrupts_has_its_outcome_in_the_log(tmp_path: Path) -> None:
    rule = '[[grants]]\nname = "r{}"\nsubjects = ["s{}"]\nrecordings = ["{}"]\naccount = "reviewer"\n'
    async with serving(tmp_path) as gateway:
        rules = "".join(rule.format(number, number, number) for number in range(1000))
        gateway.config.write_text(gateway.config.read_text() + rules)
        gateway.process.send_signal(signal.SIGHUP)
        gateway.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(gateway.process.wait(), 20) == 0
        assert "the old configuration stays in force" in gateway.log.read_text()
        outcomes = [line.get("outcome") for line in admin_lines(tmp_path / "audit.jsonl")]
        assert outcomes == [None, "failed", None]


@pytest.mark.promise("operation-O8")
async def test_a_kerberos_library_that_waits_for_its_keytab_keeps_no_process_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_realm(tmp_path / "realm") as realm:
        monkeypatch.setenv("KRB5_CONFIG", realm.environment["KRB5_CONFIG"])
        await realm.add_people("anna")
        keytab = await realm.keytab("http.keytab", "HTTP/localhost")
        await realm.sign_in("anna")
        token = realm.token("anna")
        async with serving(tmp_path, server=WORKERS, more=IDENTITY.format(keytab=keytab)) as gateway:
            keytab.unlink()
            os.mkfifo(keytab)
            request = asyncio.create_task(
                gateway.client.get(f"{gateway.url}/oauth2/userinfo", headers=negotiate(token))
            )
            writer = await opened_by_a_reader(keytab)
            assert await ended(gateway, signal.SIGTERM) == 0
            os.close(writer)
            await asyncio.wait({request})


async def opened_by_a_reader(pipe: Path) -> int:
    """Returns a descriptor for writing to *pipe*, once somebody has opened it for reading: they wait for bytes."""
    async with asyncio.timeout(20):
        while True:
            try:
                return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                await asyncio.sleep(0.01)


async def test_a_film_that_a_killed_process_leaves_incomplete_does_not_look_complete(tmp_path: Path) -> None:
    """The kernel closes the connection, which is the film's end in HTTP/1.0 without a stated length."""
    async with (
        scripted_media(lambda _: unfinished(CHUNKED)) as media,
        serving(tmp_path) as gateway,
        connect(gateway.url) as connection,
    ):
        gateway.valt.knobs.link_host = f"127.0.0.1:{media.port}"
        await connection.send(request("GET", gateway.path(SESSION, CAMERA_A), version="1.0"))
        await connection.read_head()
        gateway.process.kill()
        _, was_reset = await connection.read_until_reset()
        assert was_reset
