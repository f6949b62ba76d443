"""A gateway in one process and one with two workers, under load and faults, for the panels of the dashboard."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import aiohttp
import trustme

from gateway.sim.catalogue import CAMERA_A, SESSION
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack, settings_of
from tests.support.prometheus import Prometheus, running_prometheus
from tests.support.served import ServedGateway, serving
from tests.support.service_keys import service_key
from tests.support.tls import CERTIFIED, client_context, write_certificate

_KEY = "vgk_of-the-dashboard"
_FILM, _LONG_FILM = 4 * 1024 * 1024, 64 * 1024 * 1024
_PAUSE = 0.05
_TOKEN_LIFE = 4.0
"""Seconds after which the gateway has to log in at VALT again."""


@dataclass(frozen=True, slots=True)
class LoadedGateways:
    """Both gateways, and the Prometheus that scrapes them."""

    stack: GatewayStack
    served: ServedGateway
    prometheus: Prometheus


@asynccontextmanager
async def loaded_gateways(folder: Path, port: int) -> AsyncIterator[LoadedGateways]:
    """Runs both under load until the block ends. Prometheus listens on *port*."""
    authority = trustme.CA()
    alone, several, prometheus = (folder / name for name in ("alone", "several", "prometheus"))
    for path in (alone, several, prometheus):
        path.mkdir()
    write_certificate(alone, authority, datetime.now(UTC) + timedelta(days=60))
    more = service_key("archive", _KEY, "supervisors") + f"expires = {date.today() + timedelta(days=90)}\n"
    more += "[limits]\nstreams_per_person = 3\nrefusals_per_minute = 5\n"
    async with (
        running_stack(alone, server=CERTIFIED, more=more, film_indexes=True) as stack,
        serving(several, server="workers = 2") as served,
        running_prometheus(prometheus, port, [stack.admin, served.admin], interval="3s") as running,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_context(authority))) as client,
    ):
        for valt in (stack.valt, served.valt):
            valt.add_video("long", "film", bytes(_FILM))
            valt.knobs.token_life = _TOKEN_LIFE
        tasks = [
            asyncio.create_task(repeated)
            for repeated in (_people(stack, client), _slow(stack, client), _faults(stack, client), _workers(served))
        ]
        try:
            yield LoadedGateways(stack, served, running)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [fault for fault in ended if not isinstance(fault, asyncio.CancelledError)] == []


async def _get(client: aiohttp.ClientSession, url: str, headers: dict[str, str], *, most: int | None = None) -> None:
    """Reads the answer, of a stream at most *most* bytes; then the client leaves."""
    try:
        async with client.get(url, headers=headers, allow_redirects=False) as answer:
            if most is None:
                await answer.read()
            else:
                await answer.content.readexactly(most)
                answer.close()
    except (aiohttp.ClientError, asyncio.IncompleteReadError):
        await asyncio.sleep(0)  # the faults end some streams: that is what is to be seen


async def _people(stack: GatewayStack, client: aiohttp.ClientSession) -> None:
    """Everything that a person or a script does, over and over."""
    recording, long = f"{stack.url}/recordings/{SESSION}", f"{stack.url}/recordings/long/videos/film"
    video = stack.url + VIDEO_PATH
    while True:
        anna, ben = stack.bearer("anna"), stack.bearer("ben", "redirected")
        for url, headers in (
            (video, anna | {"Range": "bytes=0-65535"}),
            (video, ben),
            (video, stack.front("carol")),
            (long, stack.bearer("dora")),
            (recording, anna | {"Accept": "application/json"}),
            (f"{recording}/captions.vtt", anna),
            (f"{stack.url}/recordings", anna),
            (video, stack.bearer("eve", "strangers")),
            (video, {"Authorization": "Bearer rubbish"}),
            (f"{stack.url}/recordings/{SESSION}/videos/nothing", anna),
            (f"{stack.url}/nothing", {}),
            (f"{stack.url}/robots.txt", {}),
            (f"{stack.url}/api/v3/records/download/{SESSION}/{CAMERA_A}?access_token={_KEY}", {}),
        ):
            await _get(client, url, headers)
        await _get(client, long, stack.bearer("frank"), most=100_000)
        await asyncio.sleep(_PAUSE)


async def _slow(stack: GatewayStack, client: aiohttp.ClientSession) -> None:
    """One person reads streams slowly, and tries to open a fourth, where three may run."""
    stack.valt.add_video("longer", "film", bytes(_LONG_FILM))
    url = f"{stack.url}/recordings/longer/videos/film"

    async def read() -> None:
        while True:
            try:
                async with client.get(url, headers=stack.bearer("gina")) as answer:
                    while await answer.content.read(65_536):
                        await asyncio.sleep(_PAUSE)
            except aiohttp.ClientError:
                await asyncio.sleep(0)  # see _get
            await asyncio.sleep(10 * _PAUSE)

    await asyncio.gather(*(read() for _ in range(4)))


async def _faults(stack: GatewayStack, client: aiohttp.ClientSession) -> None:
    """VALT and its media server fail now and then; there are new films; the configuration is reloaded, once with a
    fault."""
    knobs, film = stack.valt.knobs, stack.valt.recording(SESSION).films[0].content
    await stack.gateway.reload(None)
    for number in itertools.count():
        stack.valt.add_video(f"new-{number}", "film", film)
        await _get(client, f"{stack.url}/recordings/new-{number}/videos/film", stack.bearer("henry"))
        knobs.link_host = "elsewhere.example.edu:443"
        stack.valt.add_video(f"elsewhere-{number}", "film", film)
        await _get(client, f"{stack.url}/recordings/elsewhere-{number}/videos/film", stack.bearer("ines"))
        knobs.link_host = None
        knobs.reset_after = [100_000] * 8
        knobs.fail["download"] = [500, 503]
        knobs.link_life = 300.0
        await stack.gateway.reload(settings_of(stack.config))
        await asyncio.sleep(3)


async def _workers(served: ServedGateway) -> None:
    """Streams of the gateway with workers, each with a ticket."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        while True:
            await _get(client, served.url + served.path("long", "film"), {})
            await _get(client, f"{served.url}/robots.txt", {})
            await asyncio.sleep(4 * _PAUSE)
