"""Two replicas while Redis is away, and after it was restarted, empty.

The lines of docs/scale.md's table that concern streams, sign-ins, changes of person, service keys, links and the use of
sessions; those of tickets, sign-outs, revocations and limits are in test_replicas.py.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from yarl import URL

from tests.support.clock import ManualClock
from tests.support.gateway_fixture import NAVIGATION, OIDC, VIDEO_PATH, GatewayStack
from tests.support.redis_server import RedisServer, redis_server
from tests.support.replicas import play, sign_in, two_replicas
from tests.support.service_keys import service_key

pytestmark = pytest.mark.promise("operation-replicas")

LONG = 64 * 1024 * 1024
KEY = "vgk_planted-archive-key-of-some-length"


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with redis_server(tmp_path) as server:
        yield server


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.05)


async def until_available(*stacks: GatewayStack, expected: bool) -> None:
    async def are() -> bool:
        return all([(await stack.metrics())["valt_gateway_state_available"] == expected for stack in stacks])

    await until(are)


async def restart(redis: RedisServer, *stacks: GatewayStack) -> None:
    """Restarts Redis half a minute later, empty, and waits until the replicas use it again and accept new tickets."""
    await redis.stop()
    await until_available(*stacks, expected=False)
    clock = stacks[0].gateway.clock
    assert isinstance(clock, ManualClock)
    clock.pass_(30)
    await redis.start()
    await until_available(*stacks, expected=True)
    clock.pass_(10)  # more than the leeway


async def test_running_streams_go_on_while_redis_is_away_and_after_its_restart(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with two_replicas(tmp_path, redis) as replicas:
        one, _ = replicas
        one.valt.add_video("long", "film", bytes(LONG))
        url = f"{one.url}/recordings/long/videos/film"
        streams = [await one.client.get(url, headers=one.bearer("anna")) for _ in range(2)]
        for stream in streams:
            await stream.content.readexactly(1000)
        await redis.stop()
        await until_available(*replicas, expected=False)
        assert len(await streams[0].read()) == LONG - 1000
        await redis.start()
        await until_available(*replicas, expected=True)
        assert len(await streams[1].read()) == LONG - 1000


async def test_a_service_key_is_accepted_while_redis_is_away_and_after_its_restart(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with two_replicas(tmp_path, redis, more=service_key("archive", KEY, "supervisors")) as replicas:
        key = {"Authorization": f"Bearer {KEY}"}
        await redis.stop()
        await until_available(*replicas, expected=False)
        assert [await play(stack, key) for stack in replicas] == [200, 200]
        await redis.start()
        await until_available(*replicas, expected=True)
        assert [await play(stack, key) for stack in replicas] == [200, 200]


async def test_a_sign_in_that_began_before_redis_was_restarted_is_503(tmp_path: Path, redis: RedisServer) -> None:
    async with two_replicas(tmp_path, redis, more=OIDC) as replicas:
        one, other = replicas
        async with one.client.get(f"{one.url}/oauth2/start", headers=NAVIGATION, allow_redirects=False) as answer:
            state = URL(answer.headers["Location"]).query["state"]
            attempt = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}

        async def finish(stack: GatewayStack) -> int:
            url = f"{stack.url}/oauth2/callback?code=the-code&state={state}"
            async with stack.client.get(url, headers=attempt, allow_redirects=False) as answer:
                return answer.status

        await redis.stop()
        await until_available(*replicas, expected=False)
        assert [await finish(stack) for stack in replicas] == [503, 503]
        await restart(redis, *replicas)
        assert [await finish(stack) for stack in replicas] == [503, 503]
        assert await other.sign_in() != {}


async def test_a_change_of_person_is_503_while_redis_is_away_and_after_its_restart(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with two_replicas(tmp_path, redis) as replicas:
        one, _ = replicas
        session = await sign_in(one)

        async def offer() -> str:
            """Returns what the page contains that asks anna whether to go on as ben."""
            url = URL(one.url + VIDEO_PATH) % {"ticket": one.ticket("ben")}
            async with one.client.get(url, headers=NAVIGATION | session, allow_redirects=False) as answer:
                assert answer.status == 200
                (sealed,) = re.findall(r'name="switch" value="([^"]+)"', await answer.text())
                return str(sealed)

        async def confirm(stack: GatewayStack, sealed: str) -> int:
            headers = {"Sec-Fetch-Site": "same-origin"} | session
            async with stack.client.post(
                f"{stack.url}/oauth2/switch", data={"switch": sealed}, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status

        sealed = await offer()
        await redis.stop()
        await until_available(*replicas, expected=False)
        assert [await confirm(stack, sealed) for stack in replicas] == [503, 503]
        assert [await play(stack, session) for stack in replicas] == [200, 200]  # it is still anna's
        await restart(redis, *replicas)
        assert [await confirm(stack, sealed) for stack in replicas] == [503, 503]
        assert await confirm(one, await offer()) == 303


async def test_after_a_restart_of_redis_a_new_link_is_loaded_once_in_all(tmp_path: Path, redis: RedisServer) -> None:
    async with two_replicas(tmp_path, redis) as replicas:
        valt = replicas[0].valt
        valt.add_video("other", "film", bytes(1000))

        async def play_other(stack: GatewayStack) -> int:
            url = f"{stack.url}/recordings/other/videos/film"
            async with stack.client.get(url, headers=stack.bearer("anna")) as answer:
                await answer.read()
                return answer.status

        assert [await play(stack, stack.bearer("anna")) for stack in replicas] == [200, 200]
        assert (valt.calls["login"], valt.calls["download"]) == (1, 1)
        await restart(redis, *replicas)
        answers = await asyncio.gather(*(play_other(stack) for stack in replicas * 10))
        assert answers == [200] * 20
        assert valt.calls["download"] == 2


async def test_use_of_a_session_counts_alone_without_redis_and_in_all_when_it_is_back(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with two_replicas(tmp_path, redis) as replicas:
        one, other = replicas
        clock = one.gateway.clock
        assert isinstance(clock, ManualClock)
        session = await sign_in(one)
        one.valt.add_video("long", "film", bytes(LONG))
        async with one.client.get(f"{one.url}/recordings/long/videos/film", headers=session) as stream:
            await stream.content.readexactly(1000)
            await redis.stop()
            await until_available(*replicas, expected=False)
            clock.pass_(3700)  # a session that is not used ends after an hour
            assert [await play(stack, session) for stack in replicas] == [200, 401]
            await redis.start()
            await until_available(*replicas, expected=True)

            async def is_accepted() -> bool:
                return await play(other, session) == 200

            await until(is_accepted)
