"""What replicas load once for all of them, and what happens if Redis or the one that loads fails."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.clock import SystemClock
from gateway.errors import ValtLoginError, ValtUnavailableError
from gateway.model import Secret
from gateway.shared_loads import Refusal, SharedValue
from gateway.store.redis_loads import RedisLoads
from tests.support.redis_server import RedisServer, redis_server

SECRET = Secret("a secret of more than thirty-two bytes, planted")
REFUSAL = Refusal(ValtLoginError, 60.0)


class Source:
    """What is loaded: each call has another number. A call ends when *ready* is set."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.ready = asyncio.Event()
        self.ready.set()
        self.started = asyncio.Event()
        self.error = error

    async def load(self) -> SharedValue:
        self.calls += 1
        number = self.calls
        self.started.set()
        await self.ready.wait()
        if self.error is not None:
            raise self.error
        return SharedValue({"number": number}, SystemClock.now() + 60)


def is_usable(_value: SharedValue) -> bool:
    return True


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with redis_server(tmp_path) as running:
        yield running


@pytest.fixture
async def client(server: RedisServer) -> AsyncIterator[Redis]:
    async with server.client() as connected:
        yield connected


def replica(client: Redis, secret: Secret = SECRET, timeout: float = 60.0) -> RedisLoads:
    """Returns a replica that waits for *timeout* / 4 seconds, and whose leases are 2.5 times as long."""
    return RedisLoads(client, b"test:", secret, SystemClock(), lambda: True, timeout)


async def load(replica: RedisLoads, source: Source, key: str = "link 1") -> int:
    return int((await replica.load(key, source.load, is_usable, REFUSAL)).content["number"])


async def test_of_two_replicas_one_loads_and_the_other_waits(client: Redis) -> None:
    source = Source()
    source.ready.clear()
    loads = [asyncio.create_task(load(replica(client), source)) for _ in range(5)]
    await source.started.wait()
    source.ready.set()
    assert await asyncio.gather(*loads) == [1] * 5
    assert await load(replica(client), source) == 1
    assert await load(replica(client), source, "link 2") == 2


async def test_the_value_is_not_readable_in_redis(client: Redis) -> None:
    await load(replica(client), Source(), "link of svc-reviewer")
    (key,) = await client.keys("*")
    content = await client.get(key)
    assert b"reviewer" not in key
    assert content is not None
    assert b"number" not in content
    other, source = replica(client, Secret("another secret of more than thirty-two bytes")), Source()
    source.calls = 10
    assert await load(other, source, "link of svc-reviewer") == 11


async def test_a_value_that_was_put_at_another_key_or_altered_is_not_used(client: Redis) -> None:
    source = Source()
    await load(replica(client), source, "link 1")
    (first,) = await client.keys("*")
    await load(replica(client), source, "link 2")
    (second,) = set(await client.keys("*")) - {first}
    value = await client.get(first)
    assert value is not None
    await client.set(second, value)
    assert await load(replica(client), source, "link 2") == 3
    await client.set(second, b"\xff altered")
    assert await load(replica(client), source, "link 2") == 4


async def test_a_value_that_is_not_usable_is_loaded_anew_for_all(client: Redis) -> None:
    source = Source()
    await load(replica(client), source)
    fresh = await replica(client).load("link 1", source.load, lambda value: value.content["number"] != 1)
    assert fresh.content == {"number": 2}
    assert await load(replica(client), source) == 2


async def test_a_value_that_has_expired_is_not_stored(client: Redis) -> None:
    async def expired() -> SharedValue:
        return SharedValue({"number": 1}, 0.0)

    await replica(client).load("link 1", expired, is_usable)
    assert await client.keys("*") == []


async def test_the_lease_is_renewed_while_its_holder_works(client: Redis) -> None:
    source = Source()
    source.ready.clear()
    slow = asyncio.create_task(load(replica(client, timeout=2.4), source))
    await source.started.wait()
    waiting = asyncio.create_task(load(replica(client, timeout=2.4), source))
    (lease,) = await client.keys("*")
    remaining = await client.pttl(lease)
    async with asyncio.timeout(60):
        while (now := await client.pttl(lease)) <= remaining:  # until it is longer than before
            remaining = now
            await asyncio.sleep(0.05)
    assert source.calls == 1
    source.ready.set()
    assert (await slow, await waiting) == (1, 1)


async def test_the_death_of_a_holder_is_survived(client: Redis) -> None:
    """Its lease is there, and nobody renews it."""
    source = Source()
    await load(replica(client), source)
    (value,) = await client.keys("*")
    assert isinstance(value, bytes)
    await client.delete(value)
    await client.set(value.replace(b"value:", b"lease:"), "the dead one's", px=500)
    async with asyncio.timeout(60):
        assert await load(replica(client), source) == 2


async def test_a_holder_whose_lease_was_lost_stores_nothing(client: Redis) -> None:
    source = Source()
    source.ready.clear()
    slow = asyncio.create_task(load(replica(client, timeout=60.0), source))
    await source.started.wait()
    (lease,) = await client.keys("*")
    await client.set(lease, "another's")
    source.ready.set()
    assert await slow == 1
    assert await client.keys("*") == [lease]
    assert await client.get(lease) == b"another's"


async def test_an_error_releases_the_lease_and_is_not_shared(client: Redis) -> None:
    with pytest.raises(ValtUnavailableError):
        await load(replica(client), Source(ValtUnavailableError("VALT is away")))
    assert await client.keys("*") == []
    assert await load(replica(client), Source()) == 1


async def test_a_refusal_is_shared_so_that_no_replica_tries_again(client: Redis) -> None:
    with pytest.raises(ValtLoginError):
        await load(replica(client), Source(ValtLoginError("VALT refused the account 'reviewer'")))
    source = Source()
    with pytest.raises(ValtLoginError, match="'reviewer'"):
        await load(replica(client), source)
    assert source.calls == 0


async def test_without_redis_each_replica_loads_for_itself(server: RedisServer, client: Redis) -> None:
    source = Source()
    await server.stop()
    assert [await load(replica(client, timeout=2.0), source) for _ in range(2)] == [1, 2]
    away = RedisLoads(client, b"test:", SECRET, SystemClock(), lambda: False, 60.0)
    assert await load(away, source) == 3


async def test_a_redis_that_is_paused_or_emptied_meanwhile_fails_no_load(server: RedisServer, client: Redis) -> None:
    source = Source()
    source.ready.clear()
    loads = asyncio.create_task(load(replica(client, timeout=2.0), source))
    await source.started.wait()
    server.pause()
    source.ready.set()
    try:
        async with asyncio.timeout(60):
            assert await loads == 1
            assert await load(replica(client, timeout=2.0), source) == 2
    finally:
        server.resume()
    await client.flushall()
    assert await load(replica(client), source) == 3
    assert await load(replica(client), source) == 3
