"""What RedisStore does besides the contract of every store: replicas share it, and it survives what befalls Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from gateway.errors import BusyError
from gateway.events import LogEvent
from gateway.model import Secret
from gateway.redis_url import RedisUrl, parse_redis_url
from gateway.store.redis import RedisStore
from gateway.store.redis_revocations import RedisRevocations
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder
from tests.support.redis_server import VALKEY, RedisServer, redis_server

PREFIX = "test:"


@pytest.fixture(params=["redis-server", VALKEY], ids=["redis", "valkey"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with redis_server(tmp_path, command=request.param) as running:
        yield running


@asynccontextmanager
async def replica(
    url: str,
    clock: ManualClock,
    observer: Recorder | None = None,
    prefix: str = PREFIX,
    *,
    probe_interval: float = 0.05,
) -> AsyncIterator[RedisStore]:
    store = RedisStore(parse_redis_url(Secret(url)), prefix, clock, observer, probe_interval=probe_interval)
    try:
        await store.start()
        yield store
    finally:
        await store.close()


@pytest.fixture
async def replicas(server: RedisServer, clock: ManualClock) -> AsyncIterator[tuple[RedisStore, RedisStore]]:
    async with replica(server.url, clock) as one, replica(server.url, clock) as other:
        yield one, other


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def consume_eventually(store: RedisStore, key: str, until_: float, since: float | None = None) -> bool:
    """Consumes *key* as soon as the store can."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await store.consume(key, until_, since=since)
            except BusyError:
                await asyncio.sleep(0.05)


Replicas = tuple[RedisStore, RedisStore]


async def test_two_replicas_consume_a_key_once(replicas: Replicas, clock: ManualClock) -> None:
    calls = [store.consume("portal 1", clock.now() + 60) for _ in range(50) for store in replicas]
    assert (await asyncio.gather(*calls)).count(True) == 1
    assert await replicas[0].is_consumed("portal 1")
    assert await replicas[1].is_consumed("portal 1")


async def test_what_one_replica_writes_reaches_the_other(replicas: Replicas, clock: ManualClock) -> None:
    one, other = replicas
    await one.revoke("anna; 'with' spaces", clock.now(), clock.now() + 3600)
    await other.sign_out("session", clock.now() + 3600)
    await until(lambda: other.revoked_at("anna; 'with' spaces") == clock.now() and one.is_signed_out("session"))


async def test_a_replica_that_starts_later_reads_what_was_written(server: RedisServer, clock: ManualClock) -> None:
    async with replica(server.url, clock) as one:
        until_ = clock.now() + 3600
        await asyncio.gather(*(one.sign_out(f"session {number}", until_) for number in range(1200)))
    async with replica(server.url, clock) as later:
        assert all(later.is_signed_out(f"session {number}") for number in range(1200))


async def test_entries_that_have_expired_are_removed(server: RedisServer, clock: ManualClock) -> None:
    async with replica(server.url, clock) as store:
        await store.revoke("anna", clock.now(), clock.now() + 60)
        await store.revoke("ben", clock.now(), clock.now() + 3600)
    clock.pass_(600)
    async with replica(server.url, clock), server.client() as client:
        assert await client.hkeys(f"{PREFIX}revoked") == [b"ben"]


async def test_a_message_that_was_lost_is_read_later(
    server: RedisServer, replicas: Replicas, clock: ManualClock
) -> None:
    """The write is done as a replica does it, and the message does not arrive."""
    async with server.client() as client:
        await client.hset(f"{PREFIX}revoked", "anna", f"{clock.now() + 3600} {clock.now()}")
        await client.incr(f"{PREFIX}version")
    await until(lambda: all(store.revoked_at("anna") == clock.now() for store in replicas))


async def test_what_is_written_without_a_connection_is_read_later(
    server: RedisServer, replicas: Replicas, clock: ManualClock
) -> None:
    one, other = replicas
    async with server.client() as client:
        for number in range(5):
            await client.client_kill_filter(_type="pubsub")
            await client.client_kill_filter(_type="normal", skipme=True)
            await one.revoke(f"person {number}", clock.now(), clock.now() + 3600)
    await until(lambda: all(other.revoked_at(f"person {number}") == clock.now() for number in range(5)))
    assert await one.consume("portal 1", clock.now() + 60)


async def test_while_redis_is_stopped_nothing_is_accepted_and_nothing_forgotten(
    server: RedisServer, clock: ManualClock
) -> None:
    log = Recorder()
    async with replica(server.url, clock, log) as store:
        await store.revoke("anna", clock.now(), clock.now() + 3600)
        await server.stop()
        with pytest.raises(BusyError):
            await store.consume("portal 1", clock.now() + 60)
        with pytest.raises(BusyError):
            await store.is_consumed("portal 1")
        with pytest.raises(BusyError):
            await store.sign_out("session", clock.now() + 3600)
        assert store.fault is not None
        assert store.local_fault is None
        assert store.revoked_at("anna") == clock.now()
        assert store.is_signed_out("session")  # by this replica; the others learn of it when Redis is back
        await server.start()
        await until(lambda: store.fault is None)
        assert await consume_eventually(store, "portal 1", clock.now() + 60)
        async with replica(server.url, clock) as other:
            assert other.is_signed_out("session")
    messages = [(event.level, event.message) for event in log.events if isinstance(event, LogEvent)]
    assert [level for level, _ in messages] == ["error", "info"]
    assert f"Redis at 127.0.0.1:{server.port} cannot be used: " in messages[0][1]


async def test_a_replica_that_starts_at_an_emptied_redis_knows_what_others_know(
    server: RedisServer, clock: ManualClock
) -> None:
    async with replica(server.url, clock) as running:
        await running.revoke("anna", clock.now(), clock.now() + 600.0)
        await running.sign_out("session", clock.now() + 600.0)
        await server.stop()
        await until(lambda: running.fault is not None)
        await server.start()
        async with replica(server.url, clock, probe_interval=0.25) as new:
            assert new.revoked_at("anna") == clock.now()
            assert new.is_signed_out("session")


async def test_redis_restarted_empty_accepts_nothing_older_than_the_restart(
    server: RedisServer, replicas: Replicas, clock: ManualClock
) -> None:
    one, other = replicas
    issued_at = clock.now()
    assert await one.consume("used", clock.now() + 60, since=issued_at)
    await one.revoke("anna", clock.now(), clock.now() + 3600)
    await other.sign_out("session", clock.now() + 3600)
    await until(lambda: other.revoked_at("anna") is not None and one.is_signed_out("session"))
    await server.stop()
    clock.pass_(30)
    await server.start()
    await until(lambda: one.fault is None and other.fault is None)
    for store in replicas:
        for key in ("used", "unused"):
            with pytest.raises(BusyError):
                await store.consume(key, clock.now() + 60, since=issued_at)
            with pytest.raises(BusyError):
                await store.is_consumed(key, since=issued_at)
    assert await other.consume("newer", clock.now() + 60, since=clock.now())
    assert not await one.consume("newer", clock.now() + 60, since=clock.now())
    async with replica(server.url, clock) as third:
        await until(lambda: third.revoked_at("anna") is not None and third.is_signed_out("session"))


@pytest.mark.parametrize("content", ["", "1", "1 2 3", "soon now"])
async def test_an_entry_that_no_gateway_writes_is_named_at_the_start(
    server: RedisServer, clock: ManualClock, content: str
) -> None:
    async with server.client() as client:
        await client.hset(f"{PREFIX}revoked", "anna", content)
    with pytest.raises(BusyError, match=r"'anna' of test:revoked: remove it \(HDEL\)"):
        async with replica(server.url, clock):
            pass
    with pytest.raises(BusyError, match="'anna' of test:revoked"):
        await RedisRevocations(parse_redis_url(Secret(server.url)), PREFIX).read()


async def test_an_emptied_database_is_noticed_without_a_lost_connection(
    server: RedisServer, replicas: Replicas, clock: ManualClock
) -> None:
    one, other = replicas
    issued_at = clock.now()
    await one.revoke("anna", clock.now(), clock.now() + 3600)
    clock.pass_(10)
    async with server.client() as client:
        await client.flushall()
        with pytest.raises(BusyError):
            await other.consume("used", clock.now() + 60, since=issued_at)
        async with asyncio.timeout(60):
            while not await client.hexists(f"{PREFIX}revoked", "anna"):
                await asyncio.sleep(0.02)


async def test_redis_restarted_with_an_old_snapshot_counts_as_restarted_empty(
    tmp_path: Path, clock: ManualClock
) -> None:
    """Its last writes are lost, and the key of the epoch is not."""
    async with redis_server(tmp_path) as server, replica(server.url, clock) as store, server.client() as client:
        issued_at = clock.now()
        await client.save()
        assert await store.consume("used", clock.now() + 60, since=issued_at)
        await server.stop()
        clock.pass_(30)
        await server.start()
        await until(lambda: store.fault is None)
        with pytest.raises(BusyError):
            await store.consume("used", clock.now() + 60, since=issued_at)


async def test_a_paused_redis_delays_no_request_for_long(server: RedisServer, clock: ManualClock) -> None:
    async with replica(f"redis://127.0.0.1:{server.port}", clock) as store:
        server.pause()
        try:
            async with asyncio.timeout(30):
                with pytest.raises(BusyError):
                    await store.consume("portal 1", clock.now() + 60)
                await until(lambda: store.fault is not None)
        finally:
            server.resume()
        # Redis has consumed the key for a request that was refused: this replica may consume it once more.
        assert await consume_eventually(store, "portal 1", clock.now() + 60)
        assert not await store.consume("portal 1", clock.now() + 60)
        await until(lambda: store.fault is None)


async def test_a_full_redis_is_a_fault_until_it_has_memory(server: RedisServer, clock: ManualClock) -> None:
    async with replica(server.url, clock) as store, server.client() as client:
        await client.config_set("maxmemory", "100kb")
        with pytest.raises(BusyError):
            await store.consume("portal 1", clock.now() + 60)
        await until(lambda: store.fault is not None and "memory is full" in store.fault)
        await client.config_set("maxmemory", "0")
        await until(lambda: store.fault is None)
        assert await store.consume("portal 1", clock.now() + 60)


async def test_a_policy_that_evicts_entries_is_warned_about(tmp_path: Path, clock: ManualClock) -> None:
    log = Recorder()
    options = ("--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru")
    async with redis_server(tmp_path, *options) as server, replica(server.url, clock, log):
        warnings = [event for event in log.events if isinstance(event, LogEvent) and event.level == "warning"]
        assert [warning.fields for warning in warnings] == [(("maxmemory_policy", "volatile-lru"),)]


async def test_a_replica_does_not_start_without_redis(server: RedisServer, clock: ManualClock) -> None:
    await server.stop()
    with pytest.raises(BusyError, match=r"^state\.url: "):
        async with replica(server.url, clock):
            pass


async def test_prefixes_keep_two_installations_apart(server: RedisServer, clock: ManualClock) -> None:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(replica(server.url, clock, prefix="one:"))
        other = await stack.enter_async_context(replica(server.url, clock, prefix="other:"))
        assert await one.consume("portal 1", clock.now() + 60)
        assert await other.consume("portal 1", clock.now() + 60)
        await one.revoke("anna", clock.now(), clock.now() + 3600)
        assert other.revoked_at("anna") is None
        async with server.client() as client:
            assert {str(key)[:4] for key in await client.keys("*")} == {"b'on", "b'ot"}


def test_messages_name_neither_user_nor_password() -> None:
    url = parse_redis_url(Secret("redis://valt:a-password@redis.example.edu"))
    store = RedisStore(url, PREFIX, ManualClock())
    assert "a-password" not in f"{url!r} {url} {store!r}"
    assert str(url) == "redis.example.edu:6379"
    assert isinstance(url, RedisUrl)
