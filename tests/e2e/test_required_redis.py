"""A replica that admits people by tickets alone while Redis is away: /readyz is 503 once it serves nobody."""

import asyncio
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.server import Gateway
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack, settings_of
from tests.support.redis_server import RedisServer, redis_server
from tests.support.replicas import play, sign_in
from tests.support.served import ServedGateway, serving

pytestmark = pytest.mark.timeout(300)

STATE = '\n[state]\nurl = "redis://127.0.0.1:{port}?socket_timeout=60"\nsecret_file = "session"\n'
OTHER_PROVIDERS = re.compile(r'\[\[identity\]\]\ntype = "(jwt|header)"\n(\w.*\n)+')
WORKERS = "workers = 2\n"
IDLE = 3600
REASON = "without it nobody can be admitted, and nobody has a session or link in use"


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with redis_server(tmp_path) as server:
        await server.set_epoch(0.0)
        yield server


@asynccontextmanager
async def portal_alone(folder: Path, redis: RedisServer) -> AsyncIterator[tuple[GatewayStack, ManualClock]]:
    """Runs a replica whose only provider is the portal, on a clock that stands still."""
    clock = ManualClock()
    async with running_stack(folder, clock=clock, more=STATE.format(port=redis.port)) as stack:
        config, log = folder / "portal.toml", io.StringIO()
        text, count = OTHER_PROVIDERS.subn("", stack.config.read_text())
        assert count == 2
        config.write_text(text.replace('"audit.jsonl"', '"portal.jsonl"'))
        gateway = Gateway(settings_of(config), clock=clock, log=log, film_indexes=False)
        try:
            await gateway.start()
            url, admin = gateway.addresses
            yield replace(stack, config=config, gateway=gateway, url=url, admin=admin, log=log), clock
        finally:
            await gateway.stop()


async def readiness(stack: GatewayStack | ServedGateway) -> tuple[int, str]:
    async with stack.client.get(f"{stack.admin}/readyz") as answer:
        return answer.status, await answer.text()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.05)


async def until_redis_is_missed(stack: GatewayStack) -> None:
    async def is_missed() -> bool:
        return (await stack.metrics())["valt_gateway_state_available"] == 0

    await until(is_missed)


@pytest.mark.promise("operation-replicas")
async def test_a_replica_that_can_admit_nobody_without_redis_is_not_ready(tmp_path: Path, redis: RedisServer) -> None:
    async with portal_alone(tmp_path, redis) as (stack, _):
        assert await readiness(stack) == (200, "ready\n")
        await redis.stop()

        async def is_not_ready() -> bool:
            return (await readiness(stack))[0] == 503

        await until(is_not_ready)
        assert REASON in (await readiness(stack))[1]
        async with stack.client.get(f"{stack.admin}/readyz?verbose") as answer:
            verbose = await answer.json()
        assert verbose["ready"] is False
        assert len(verbose["faults"]) == 1
        assert f"Redis at 127.0.0.1:{redis.port} cannot be used" in verbose["faults"][0]
        assert (verbose["state"]["available"], verbose["state"]["required"]) == (False, True)
        async with stack.client.get(f"{stack.admin}/healthz") as answer:
            assert answer.status == 200  # a restart would not help
        await redis.start()

        async def is_ready() -> bool:
            return await readiness(stack) == (200, "ready\n")

        await until(is_ready)


@pytest.mark.promise("operation-replicas")
async def test_a_replica_stays_ready_while_somebody_has_a_session_in_use(tmp_path: Path, redis: RedisServer) -> None:
    async with portal_alone(tmp_path, redis) as (stack, clock):
        session = await sign_in(stack)
        await redis.stop()
        await until_redis_is_missed(stack)
        assert await readiness(stack) == (200, "ready\n")
        clock.pass_(IDLE - 60)
        async with stack.client.get(stack.url + VIDEO_PATH, headers=session) as answer:
            renewed = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
            assert answer.status == 200
        await stack.ended()
        clock.pass_(IDLE - 60)
        assert (await readiness(stack))[0] == 200
        assert await play(stack, renewed) == 200
        await stack.ended()
        clock.pass_(IDLE + 60)
        assert await play(stack, renewed) == 401
        assert (await readiness(stack))[0] == 503


@pytest.mark.promise("operation-replicas")
async def test_a_replica_stays_ready_while_a_film_is_played(tmp_path: Path, redis: RedisServer) -> None:
    async with portal_alone(tmp_path, redis) as (stack, clock):
        session = await sign_in(stack)
        stack.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
        async with stack.client.get(f"{stack.url}/recordings/long/videos/film", headers=session) as stream:
            await stream.content.readexactly(1000)
            await redis.stop()
            await until_redis_is_missed(stack)
            clock.pass_(2 * IDLE)
            assert (await readiness(stack))[0] == 200
        await stack.ended()
        assert (await readiness(stack))[0] == 200
        clock.pass_(IDLE)
        assert (await readiness(stack))[0] == 503


async def are_without_redis(gateway: ServedGateway) -> bool:
    return [worker["state"]["available"] for worker in (await gateway.workers()).values()] == [False, False]


@pytest.mark.promise("operation-replicas")
async def test_workers_are_not_ready_when_none_of_them_can_admit_anybody(tmp_path: Path, redis: RedisServer) -> None:
    state = STATE.format(port=redis.port)
    async with serving(tmp_path, server=WORKERS, more=state, private_state=True) as gateway:
        assert (await readiness(gateway))[0] == 200
        await redis.stop()
        await until(lambda: are_without_redis(gateway))

        async def is_not_ready() -> bool:
            return (await readiness(gateway))[0] == 503

        await until(is_not_ready)
        assert (await readiness(gateway))[1].count(REASON) == 1


@pytest.mark.promise("operation-replicas")
async def test_workers_stay_ready_when_one_of_them_has_a_session_in_use(tmp_path: Path, redis: RedisServer) -> None:
    state = STATE.format(port=redis.port)
    async with serving(tmp_path, server=WORKERS, more=state, private_state=True) as gateway:
        gateway.valt.add_video("session", "film", bytes(1000))
        url = gateway.url + gateway.path("session", "film")
        async with gateway.client.get(url, headers=NAVIGATION, allow_redirects=False) as answer:
            assert answer.status == 303
        await redis.stop()
        await until(lambda: are_without_redis(gateway))
        required = [worker["state"]["required"] for worker in (await gateway.workers()).values()]
        assert sorted(required) == [False, True]
        assert (await readiness(gateway))[0] == 200
