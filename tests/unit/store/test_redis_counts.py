"""Requests and streams that replicas count together in Redis, behind the requests."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.errors import TooManyRequestsError
from gateway.model import Identity, IdentityKind, Secret
from gateway.rate_limit import RateLimiter
from gateway.redis_url import parse_redis_url
from gateway.shared_counts import Who
from gateway.store.redis import RedisStore
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder
from tests.support.redis_server import VALKEY, RedisServer, redis_server

ANNA = Identity(subject="anna", issuer="https://sso.example.edu", provider="campus", kind=IdentityKind.JWT)
PERSON = (ANNA.issuer, ANNA.subject)
SECRET = Secret("a secret of more than thirty-two bytes, planted")


@dataclass
class Replica:
    """A store and a limiter of one replica, and what its exchanges have brought."""

    store: RedisStore
    limiter: RateLimiter
    exchanges: int = 0
    elsewhere: dict[Who, int] = field(default_factory=dict)
    reports: Counter[Who] = field(default_factory=Counter)

    def use(self, times: int) -> int:
        """Returns how many of so many requests are allowed."""
        allowed = 0
        for _ in range(times):
            try:
                self.limiter.count(ANNA)
            except TooManyRequestsError:
                continue
            allowed += 1
        return allowed

    async def use_and_learn(self, times: int) -> int:
        """Returns what `use` does, after what was allowed has been exchanged."""
        exchanges = self.exchanges
        allowed = self.use(times)
        if allowed:
            await until(lambda: self.exchanges > exchanges)
        return allowed


@asynccontextmanager
async def running_replica(server: RedisServer, clock: ManualClock, per_minute: int = 10) -> AsyncIterator[Replica]:
    store = RedisStore(parse_redis_url(Secret(server.url)), "test:", clock, secret=SECRET, probe_interval=0.05)
    replica = Replica(store, RateLimiter(clock, Recorder(), per_minute=per_minute, shared=store.counts))

    def on_requests(who: Who, seconds: float) -> None:
        replica.limiter.delay(who, seconds)
        replica.exchanges += 1

    def on_streams(who: Who, count: int) -> None:
        replica.elsewhere[who] = count
        replica.reports[who] += 1

    store.counts.on_requests, store.counts.on_streams = on_requests, on_streams
    try:
        await store.start()
        yield replica
    finally:
        await store.close()


@pytest.fixture(params=["redis-server", VALKEY], ids=["redis", "valkey"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with redis_server(tmp_path, command=request.param) as running:
        yield running


Replicas = tuple[Replica, Replica]


@pytest.fixture
async def replicas(server: RedisServer, clock: ManualClock) -> AsyncIterator[Replicas]:
    async with running_replica(server, clock) as one, running_replica(server, clock) as other:
        yield one, other


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.promise("operation-replicas-3")
async def test_a_limit_is_exceeded_by_one_request_of_a_replica_that_did_not_know(replicas: Replicas) -> None:
    one, other = replicas
    assert await one.use_and_learn(12) == 10
    assert await other.use_and_learn(1) == 1
    assert other.use(5) == 0
    assert one.use(5) == 0


@pytest.mark.promise("operation-replicas-3")
async def test_requests_alternating_between_replicas_are_counted_together(
    replicas: Replicas, clock: ManualClock
) -> None:
    async def allowed(times: int) -> int:
        return sum([await replicas[number % 2].use_and_learn(1) for number in range(times)])

    assert await allowed(20) == 11  # the tenth was allowed by the one, and the other did not know
    clock.pass_(60)
    assert await allowed(20) == 10  # one of ten less, because there was one too many


@pytest.mark.promise("operation-replicas-3")
async def test_without_redis_each_replica_counts_for_itself(
    server: RedisServer, replicas: Replicas, clock: ManualClock
) -> None:
    await server.stop()
    assert [replica.use(15) for replica in replicas] == [10, 10]
    await server.start()
    await until(lambda: all(replica.store.fault is None for replica in replicas))
    clock.pass_(60)
    one, other = replicas
    await one.use_and_learn(10)
    await other.use_and_learn(1)
    assert other.use(5) == 0


@pytest.mark.promise("operation-replicas-3")
async def test_a_replica_learns_of_streams_and_their_ends_in_others(replicas: Replicas) -> None:
    one, other = replicas
    one.store.counts.set_streams(PERSON, 3)
    await until(lambda: one.elsewhere == {PERSON: 0})
    other.store.counts.set_streams(PERSON, 2)
    other.store.counts.set_streams(("203.0.113.7",), 1)
    await until(lambda: other.elsewhere == {PERSON: 3, ("203.0.113.7",): 0})
    one.store.counts.request_streams(PERSON)
    await until(lambda: one.elsewhere.get(PERSON) == 2)
    one.store.counts.set_streams(PERSON, 0)
    await until(lambda: one.reports[PERSON] >= 3)
    other.store.counts.request_streams(PERSON)
    await until(lambda: other.elsewhere[PERSON] == 0)


async def test_streams_of_a_replica_that_was_killed_expire(
    server: RedisServer, replicas: Replicas, clock: ManualClock
) -> None:
    one, _ = replicas
    async with server.client() as client:
        one.store.counts.set_streams(PERSON, 1)
        await until(lambda: one.elsewhere.get(PERSON) == 0)
        (key,) = await client.keys("test:streams:*")
        await client.hset(key, "a replica that was killed", f"5 {clock.now() + 30!r}")
        one.store.counts.request_streams(PERSON)
        await until(lambda: one.elsewhere[PERSON] == 5)
        clock.pass_(31)
        one.store.counts.request_streams(PERSON)
        await until(lambda: one.elsewhere[PERSON] == 0)
        assert await client.hlen(key) == 1


async def test_a_replica_that_stops_takes_its_streams_out_of_redis(server: RedisServer, clock: ManualClock) -> None:
    async with server.client() as client:
        async with running_replica(server, clock) as replica:
            replica.store.counts.set_streams(PERSON, 1)
            await until(lambda: PERSON in replica.elsewhere)
            assert await client.keys("test:streams:*")
            replica.store.counts.set_streams(PERSON, 0)
        assert not await client.keys("test:streams:*")


async def test_range_after_range_is_reported_once(replicas: Replicas) -> None:
    one, _ = replicas
    one.store.counts.set_streams(PERSON, 1)
    await until(lambda: one.reports[PERSON] == 1)
    for _ in range(100):
        one.store.counts.set_streams(PERSON, 0)
        one.store.counts.set_streams(PERSON, 1)
    one.store.counts.set_streams(("203.0.113.7",), 1)
    await until(lambda: one.reports[("203.0.113.7",)] == 1)
    assert one.reports[PERSON] == 1


async def test_what_is_in_redis_names_no_person(server: RedisServer, replicas: Replicas) -> None:
    one, _ = replicas
    one.store.counts.set_streams(PERSON, 1)
    await one.use_and_learn(1)
    await until(lambda: PERSON in one.elsewhere)
    async with server.client() as client:
        keys = await client.keys("test:*")
        assert {str(key).split(":")[1] for key in keys} >= {"requests", "streams"}
        assert not any("anna" in str(key) for key in keys)
