"""Two replicas on one Redis: what one knows holds in the other, and what happens while Redis is away.

docs/scale.md has a table of the latter; each of its lines is a test here or in test_redis_away.py, for Kerberos tokens
in tests/unit/identity/test_negotiate.py, and for the command in tests/unit/cli/test_revoke.py.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from yarl import URL

from gateway.sim.catalogue import SESSION
from tests.e2e.test_sign_out_at_the_provider import is_signed_in, log_out, logout_token
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import NAVIGATION, OIDC, VIDEO_PATH, GatewayStack
from tests.support.redis_server import RedisServer, redis_server
from tests.support.replicas import play, sign_in, two_replicas

Replicas = tuple[GatewayStack, GatewayStack]


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with redis_server(tmp_path) as server:
        yield server


@pytest.fixture
async def replicas(tmp_path: Path, redis: RedisServer) -> AsyncIterator[Replicas]:
    async with two_replicas(tmp_path, redis) as running:
        yield running


async def follow(stack: GatewayStack, ticket: str) -> int:
    """Returns the status of a navigation with *ticket*."""
    url = URL(stack.url + VIDEO_PATH) % {"ticket": ticket}
    async with stack.client.get(url, headers=NAVIGATION, allow_redirects=False) as answer:
        return answer.status


async def sign_out(stack: GatewayStack, headers: dict[str, str]) -> int:
    """Returns the status of a sign-out of the session in *headers*."""
    same_origin = headers | {"Sec-Fetch-Site": "same-origin"}
    async with stack.client.post(f"{stack.url}/oauth2/sign_out", headers=same_origin, allow_redirects=False) as answer:
        return answer.status


async def readiness(stack: GatewayStack) -> tuple[int, bool]:
    """Returns the status of /readyz, and whether the state is available."""
    async with stack.client.get(f"{stack.admin}/readyz?verbose") as answer:
        return answer.status, (await answer.json())["state"]["available"]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.05)


async def is_available(stacks: Replicas, expected: bool) -> bool:
    return [await readiness(stack) for stack in stacks] == [(200, expected)] * 2


@pytest.mark.promise("operation-O6")
async def test_a_ticket_is_accepted_by_one_of_two_replicas(replicas: Replicas) -> None:
    for ticket in [replicas[0].ticket() for _ in range(20)]:
        answers = await asyncio.gather(*(follow(stack, ticket) for stack in replicas * 3))
        assert sorted(answers) == [303, 401, 401, 401, 401, 401]


@pytest.mark.promise("operation-O6")
async def test_a_session_is_accepted_by_both_and_signed_out_in_both(replicas: Replicas) -> None:
    one, other = replicas
    session = await sign_in(one)
    assert (await play(one, session), await play(other, session)) == (200, 200)
    assert await sign_out(other, session) == 200
    assert await play(other, session) == 401

    async def is_refused() -> bool:
        return await play(one, session) == 401

    await until(is_refused)


@pytest.mark.promise("operation-O6")
async def test_a_revocation_holds_in_both_and_ends_their_streams(replicas: Replicas) -> None:
    one, other = replicas
    headers = one.bearer("ben")
    assert (await play(one, headers), await play(other, headers)) == (200, 200)
    now = one.gateway.clock.now()
    await one.gateway.store.revoke("ben", now + 60, now + 3600)

    async def are_refused() -> bool:
        return (await play(one, headers), await play(other, headers)) == (401, 401)

    await until(are_refused)
    assert await play(other, other.bearer("anna")) == 200


@pytest.mark.promise("operation-O6")
async def test_a_revocation_reaches_a_session_of_a_replica_whose_clock_is_ahead(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with two_replicas(tmp_path, redis, more=OIDC) as replicas:
        one, other = replicas
        session, clock = await other.sign_in(), one.gateway.clock
        assert isinstance(clock, ManualClock)
        clock.step(-4.0)  # the clock of the replica that revokes: docs/scale.md allows five seconds
        assert await play(one, session) == 200
        await one.gateway.store.revoke("anna", clock.now(), clock.now() + 3600)
        clock.pass_(600)

        async def are_refused() -> bool:
            return (await play(one, session), await play(other, session)) == (401, 401)

        await until(are_refused)
        assert await play(other, await other.sign_in()) == 200


@pytest.mark.promise("operation-replicas")
async def test_while_redis_is_away_each_kind_of_state_does_as_documented(
    redis: RedisServer, replicas: Replicas
) -> None:
    one, other = replicas
    sessions = [await sign_in(one) for _ in range(3)]
    issued_before = one.ticket()
    now = one.gateway.clock.now()
    await one.gateway.store.revoke("ben", now + 60, now + 3600)
    assert await sign_out(one, sessions[2]) == 200
    ben = one.bearer("ben")
    narrowed = await sign_in(one, recording=SESSION)

    async def are_refused() -> bool:
        return [await play(other, headers) for headers in (ben, sessions[2])] == [401, 401]

    await until(are_refused)
    await redis.stop()
    await until(lambda: is_available(replicas, expected=False))
    for stack in replicas:
        assert await follow(stack, stack.ticket()) == 503  # it cannot be checked
        assert await play(stack, sessions[0]) == 200  # its rights are in its cookie
        assert await play(stack, stack.bearer("anna")) == 200
        assert await play(stack, ben) == 401  # what was revoked before
        assert await play(stack, sessions[2]) == 401  # what was signed out before
        assert (await stack.metrics())["valt_gateway_state_available"] == 0
        assert f"Redis at 127.0.0.1:{redis.port} cannot be used" in stack.log.getvalue()
    assert await sign_out(one, {"Cookie": f"{sessions[1]['Cookie']}; {narrowed['Cookie']}"}) == 503  # not stored
    assert [line["event"] for line in one.audit()[-2:]] == ["sign_out", "sign_out"]
    ended = sessions[1], narrowed
    assert [await play(one, session) for session in ended] == [401, 401]  # in force in this replica nevertheless
    await redis.start()
    await until(lambda: is_available(replicas, expected=True))

    async def are_refused_by_the_other() -> bool:
        return [await play(other, session) for session in ended] == [401, 401]

    await until(are_refused_by_the_other)  # they were written when Redis was back
    # Redis is empty: whether a ticket from before was used cannot be known.
    assert [await follow(stack, issued_before) for stack in replicas] == [503, 503]
    assert [await play(stack, headers) for stack in replicas for headers in (ben, sessions[2])] == [401] * 4
    assert "the state is back" in one.log.getvalue()


async def test_tickets_issued_after_redis_was_emptied_are_accepted(redis: RedisServer, replicas: Replicas) -> None:
    async with redis.client() as client:
        await client.flushall()
    assert await follow(replicas[0], replicas[0].ticket()) == 503
    since = replicas[0].gateway.clock.now()
    await redis.set_epoch(since - 30)  # as half a minute later
    assert await follow(replicas[1], replicas[0].ticket()) == 303


def calls(stacks: Replicas) -> tuple[int, int]:
    """Returns how many logins and link calls VALT has received."""
    return stacks[0].valt.calls["login"], stacks[0].valt.calls["download"]


@pytest.mark.promise("operation-replicas-2")
async def test_three_hundred_viewers_over_two_replicas_cost_one_login_and_one_link(replicas: Replicas) -> None:
    stacks = [replicas[number % 2] for number in range(300)]
    headers = [stack.bearer(f"viewer-{number}") | {"Range": "bytes=0-99"} for number, stack in enumerate(stacks)]
    answers = await asyncio.gather(*(play(stack, one) for stack, one in zip(stacks, headers, strict=True)))
    assert answers == [206] * 300
    assert calls(replicas) == (1, 1)


@pytest.mark.promise("operation-replicas-2")
async def test_what_is_in_redis_is_neither_token_nor_link(redis: RedisServer, replicas: Replicas) -> None:
    assert await play(replicas[0], replicas[0].bearer("anna")) == 200
    async with redis.client() as client:
        values = [await client.get(key) async for key in client.scan_iter("valt-gateway:value:*")]
    assert len(values) == 2
    for value in values:
        assert value is not None
        assert b"http" not in value
        assert b"svc-reviewer" not in value
        assert [secret for secret in replicas[0].valt.secrets if secret.encode() in value] == []
    assert replicas[0].valt.secrets


@pytest.mark.promise("operation-replicas-2")
async def test_a_cached_link_is_used_without_redis_and_a_new_one_is_fetched(
    redis: RedisServer, replicas: Replicas
) -> None:
    one, other = replicas
    assert await play(one, one.bearer("anna")) == 200
    assert calls(replicas) == (1, 1)
    await redis.stop()
    assert await play(one, one.bearer("anna")) == 200
    assert calls(replicas) == (1, 1)
    assert await play(other, other.bearer("anna")) == 200  # it logs in itself
    assert calls(replicas) == (2, 2)


@pytest.mark.promise("operation-replicas-2")
async def test_a_token_that_valt_has_forgotten_is_replaced_once_for_both(replicas: Replicas) -> None:
    one, other = replicas
    assert (await play(one, one.bearer("anna")), await play(other, other.bearer("anna"))) == (200, 200)
    assert calls(replicas) == (1, 1)
    one.valt.forget_tokens()
    for stack in replicas:
        url = f"{stack.url}/recordings/{SESSION}"
        async with stack.client.get(url, headers=stack.bearer("anna") | {"Accept": "application/json"}) as answer:
            assert answer.status == 200
    logins, _ = calls(replicas)
    assert logins == 2


@pytest.mark.promise("operation-replicas-2")
async def test_a_password_that_valt_refuses_is_tried_once_by_all_replicas(replicas: Replicas) -> None:
    one, other = replicas
    one.valt.knobs.refuse_logins = True
    assert (await play(one, one.bearer("anna")), await play(other, other.bearer("anna"))) == (502, 502)
    assert calls(replicas) == (1, 0)


LIMITS = """
[limits]
requests_per_minute = 20
streams_per_person = 2
"""


async def is_refused_for(stack: GatewayStack, person: str) -> bool:
    return await play(stack, stack.bearer(person)) == 429


@pytest.mark.promise("operation-replicas-3")
async def test_requests_of_a_person_count_in_both_and_alone_without_redis(tmp_path: Path, redis: RedisServer) -> None:
    async with two_replicas(tmp_path, redis, more=LIMITS) as replicas:
        one, other = replicas
        assert [await play(one, one.bearer("anna")) for _ in range(21)] == [200] * 20 + [429]
        await until(lambda: is_refused_for(other, "anna"))
        assert await play(other, other.bearer("ben")) == 200
        await redis.stop()
        await until(lambda: is_available(replicas, expected=False))
        for stack in replicas:
            assert [await play(stack, stack.bearer("carl")) for _ in range(21)] == [200] * 20 + [429]


@pytest.mark.promise("operation-replicas-3")
async def test_streams_of_a_person_count_in_both_replicas(tmp_path: Path, redis: RedisServer) -> None:
    async with two_replicas(tmp_path, redis, more=LIMITS.replace("20", "0")) as replicas:
        one, other = replicas
        gate = one.valt.knobs.gate["media"] = asyncio.Event()
        running = [asyncio.create_task(play(one, one.bearer("anna"))) for _ in range(2)]
        await one.valt.wait_for(lambda: one.valt.calls["media"] == 2)
        del one.valt.knobs.gate["media"]
        await until(lambda: is_refused_for(other, "anna"))
        assert await play(other, other.bearer("ben")) == 200
        gate.set()
        assert await asyncio.gather(*running) == [200, 200]

        async def is_accepted() -> bool:
            return await play(other, other.bearer("anna")) == 200

        await until(is_accepted)


@pytest.mark.promise("operation-replicas-3")
async def test_a_cached_link_waits_for_no_answer_of_redis(tmp_path: Path, redis: RedisServer) -> None:
    async with two_replicas(tmp_path, redis, more=LIMITS) as replicas:
        one, _ = replicas
        assert await play(one, one.bearer("anna")) == 200
        redis.pause()  # for an answer the replicas would wait for a minute
        try:
            async with asyncio.timeout(40):
                assert [await play(one, one.bearer("anna")) for _ in range(10)] == [200] * 10
        finally:
            redis.resume()


@pytest.mark.promise("operation-replicas-3")
async def test_use_in_one_replica_keeps_a_session_alive_in_the_other(replicas: Replicas) -> None:
    one, other = replicas
    clock = one.gateway.clock
    assert isinstance(clock, ManualClock)
    session = await sign_in(one)
    one.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
    async with one.client.get(f"{one.url}/recordings/long/videos/film", headers=session) as stream:
        await stream.content.readexactly(1000)
        (name,) = one.gateway.streams.sessions

        async def is_in_use() -> bool:
            return other.gateway.streams.used_at(name) == clock.now()

        for _ in range(3):
            clock.pass_(3000)  # a session that is not used ends after an hour
            await until(is_in_use)
        assert await play(other, session) == 200
    clock.pass_(3000)
    async with one.client.get(f"{one.url}/oauth2/auth", headers=session) as answer:
        assert answer.status == 202
    await until(is_in_use)
    clock.pass_(3000)
    assert await play(other, session) == 200
    clock.pass_(3700)
    assert await play(other, session) == 401


@pytest.mark.promise("operation-replicas")
async def test_sign_ins_and_logouts_wait_until_redis_is_back(tmp_path: Path, redis: RedisServer) -> None:
    async with two_replicas(tmp_path, redis, more=OIDC) as replicas:
        one, other = replicas
        session, token = await one.sign_in(sid="one"), logout_token(one)
        assert await is_signed_in(other, session)
        await redis.stop()
        assert await log_out(one, token) == 503
        assert await one.sign_in() == {}
        await redis.start()
        await until(lambda: is_available(replicas, expected=True))
        assert await log_out(other, token) == 200

        async def is_signed_out() -> bool:
            return not await is_signed_in(one, session)

        await until(is_signed_out)
        assert await other.sign_in("ben") != {}


@pytest.mark.promise("operation-replicas", "operation-replicas-2")
async def test_viewers_go_on_while_redis_is_paused_and_tickets_after_it(tmp_path: Path, redis: RedisServer) -> None:
    async with two_replicas(tmp_path, redis, socket_timeout=4.0) as replicas:
        one, other = replicas
        session, ticket = await sign_in(one), one.ticket()
        redis.pause()
        try:
            await until(lambda: is_available(replicas, expected=False))
            assert [await play(stack, session) for stack in replicas] == [200, 200]
            assert await follow(one, ticket) == 503
        finally:
            redis.resume()
        await until(lambda: is_available(replicas, expected=True))

        async def is_accepted() -> bool:
            return await follow(one, ticket) == 303

        await until(is_accepted)
        assert await follow(other, ticket) == 401


@pytest.mark.promise("operation-replicas", "operation-replicas-2")
async def test_viewers_go_on_while_redis_is_full_and_tickets_after_it(redis: RedisServer, replicas: Replicas) -> None:
    one, other = replicas
    session = await sign_in(one)
    async with redis.client() as client:
        await client.config_set("maxmemory", "100kb")
        await until(lambda: is_available(replicas, expected=False))
        assert [await play(stack, session) for stack in replicas] == [200, 200]
        assert await follow(one, one.ticket()) == 503
        await client.config_set("maxmemory", "0")
    await until(lambda: is_available(replicas, expected=True))
    assert await follow(other, one.ticket()) == 303
