"""Viewers and new requests go on while workers are replaced: by reloads, and by another version of the code.

``make reloads`` runs it. The environment variables ``VIEWERS``, ``REQUESTS_PER_SECOND``, ``RELOADS`` and ``UPGRADES``
change the load.
"""

import asyncio
import os
from pathlib import Path

import aiohttp
import pytest

from tests.support.code_copy import install
from tests.support.served import ServedGateway, serving
from tests.support.worker_requests import DRAINING, WORKERS, eventually

VIEWERS = int(os.environ.get("VIEWERS", "40"))
REQUESTS_PER_SECOND = int(os.environ.get("REQUESTS_PER_SECOND", "20"))
RELOADS = int(os.environ.get("RELOADS", "5"))
UPGRADES = int(os.environ.get("UPGRADES", "1"))
FILM = os.urandom(1024 * 1024)
PIECE = 32 * 1024
PAUSE = 0.25
"""Seconds between two pieces: a film lasts eight seconds."""


async def watch(gateway: ServedGateway, done: asyncio.Event) -> int:
    """Watches the film again and again until *done*. Returns how many times."""
    times = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=60)) as client:
        while not done.is_set():
            body = bytearray()
            async with client.get(gateway.url + gateway.path("film", "film")) as answer:
                assert answer.status == 200
                while piece := await answer.content.read(PIECE):
                    body += piece
                    await asyncio.sleep(PAUSE)
            assert len(body) == len(FILM)
            is_same = body == FILM  # outside of the assertion, which would compute the difference for minutes
            assert is_same
            times += 1
    return times


async def ask(gateway: ServedGateway) -> None:
    """Makes a request over a connection of its own."""
    async with aiohttp.ClientSession() as client, client.get(gateway.url + gateway.path("small", "film")) as answer:
        assert answer.status == 200
        assert await answer.read() == FILM[:1000]


async def ask_again_and_again(gateway: ServedGateway, done: asyncio.Event) -> int:
    """Makes so many requests per second until *done*, each whether or not the others have been answered."""
    async with asyncio.TaskGroup() as requests:
        number = 0
        while not done.is_set():
            requests.create_task(ask(gateway))
            number += 1
            await asyncio.sleep(1 / REQUESTS_PER_SECOND)
    return number


@pytest.mark.timeout(600)
async def test_no_connection_is_refused_and_no_stream_broken_while_workers_are_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = tmp_path / "code"
    install(code, "9.9.0")
    more = "\n[limits]\nstreams_per_person = 0\nstreams_per_address = 0\n"
    async with serving(tmp_path, server=WORKERS, more=more, code=code) as gateway:
        gateway.valt.add_video("film", "film", FILM)
        gateway.valt.add_video("small", "film", FILM[:1000])
        done = asyncio.Event()
        async with asyncio.TaskGroup() as load:
            viewers = [load.create_task(watch(gateway, done)) for _ in range(VIEWERS)]
            requests = load.create_task(ask_again_and_again(gateway, done))
            for _ in range(RELOADS):
                await gateway.reload()
            for number in range(UPGRADES):
                install(code, f"9.9.{number + 1}")
                await gateway.reload()
            done.set()
        assert requests.result() > 0
        assert all(viewer.result() > 0 for viewer in viewers)
        films = requests.result() + sum(viewer.result() for viewer in viewers)
        delivered = 'valt_gateway_deliveries_total{delivery="proxy",outcome="whole"}'
        metrics = await eventually(
            gateway, lambda metrics: metrics[DRAINING] == 0 and metrics.get(delivered, 0) >= films
        )
        assert metrics[delivered] == films
        assert metrics['valt_gateway_config_reloads_total{outcome="ok"}'] == RELOADS + UPGRADES
        version = f'version="9.9.{UPGRADES}"'
        assert any(version in name for name in metrics if name.startswith("valt_gateway_build_info"))
        with capsys.disabled():
            watched = films - requests.result()
            print(f" {VIEWERS} viewers: {watched} films; {requests.result()} new requests; none failed")
