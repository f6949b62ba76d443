"""What every implementation of ports.Store must do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.model import Secret
from gateway.ports import Store
from gateway.redis_url import parse_redis_url
from gateway.shared_loads import SharingStore
from gateway.store.memory import MemoryStore
from gateway.store.redis import RedisStore
from gateway.store.sqlite import SqliteStore
from tests.support.clock import ManualClock
from tests.support.redis_server import VALKEY, redis_server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite", "redis", "valkey"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    async with AsyncExitStack() as servers:
        store: SharingStore = MemoryStore(clock)
        if request.param == "sqlite":
            store = SqliteStore(tmp_path / "state.sqlite3", clock)
        if request.param in ("redis", "valkey"):
            command = VALKEY if request.param == "valkey" else "redis-server"
            server = await servers.enter_async_context(redis_server(tmp_path, command=command))
            store = RedisStore(parse_redis_url(Secret(server.url)), "test:", clock, probe_interval=0.05)
        await store.start()
        yield store
        await store.close()


async def test_a_key_is_consumed_once(store: Store, clock: ManualClock) -> None:
    assert await store.consume("portal 1", clock.now() + 60)
    assert not await store.consume("portal 1", clock.now() + 60)
    assert await store.consume("portal 2", clock.now() + 60)


async def test_a_key_is_consumed_until_it_expires(store: Store, clock: ManualClock) -> None:
    assert not await store.is_consumed("portal 1")
    await store.consume("portal 1", clock.now() + 60)
    assert await store.is_consumed("portal 1")
    assert not await store.is_consumed("portal 2")
    clock.pass_(60)
    assert not await store.is_consumed("portal 1")


async def test_of_two_hundred_concurrent_calls_one_consumes_the_key(store: Store, clock: ManualClock) -> None:
    consumed = await asyncio.gather(*(store.consume("portal 1", clock.now() + 60) for _ in range(200)))
    assert consumed.count(True) == 1


async def test_a_consumed_key_can_be_consumed_again_after_it_expired(store: Store, clock: ManualClock) -> None:
    await store.consume("portal 1", clock.now() + 60)
    clock.pass_(59)
    assert not await store.consume("portal 1", clock.now() + 60)
    clock.pass_(2)
    assert await store.consume("portal 1", clock.now() + 60)


async def test_a_clock_that_is_set_back_releases_no_consumed_key(store: Store, clock: ManualClock) -> None:
    await store.consume("portal 1", clock.now() + 60)
    clock.step(-3600)
    assert not await store.consume("portal 1", clock.now() + 60)


async def test_a_sign_out_concerns_one_session_and_expires(store: Store, clock: ManualClock) -> None:
    await store.sign_out("one", clock.now() + 60)
    assert store.is_signed_out("one")
    assert not store.is_signed_out("two")
    clock.pass_(61)
    assert not store.is_signed_out("one")


async def test_a_revocation_has_its_time_and_expires(store: Store, clock: ManualClock) -> None:
    await store.revoke("anna", clock.now(), clock.now() + 60)
    assert store.revoked_at("anna") == clock.now()
    assert store.revoked_at("bob") is None
    assert store.revoked_at("bob", "anna") == clock.now()
    clock.pass_(61)
    assert store.revoked_at("anna") is None


@pytest.mark.promise("identity-I22")
async def test_a_revocation_reaches_every_spelling_of_a_name(store: Store, clock: ManualClock) -> None:
    at = clock.now()
    await store.revoke("Anna@EXAMPLE.EDU", at, at + 60)
    await store.revoke("campus#Stra\u00dfe", at + 1, at + 60)
    await store.sign_out("One", at + 60)
    for spelling in ("anna@example.edu", "ANNA@Example.Edu", "\uff41nna@EXAMPLE.EDU"):
        assert store.revoked_at("bob", spelling) == at, spelling
    assert store.revoked_at("campus#STRASSE") == at + 1
    assert store.revoked_at("anna") is None
    assert store.revoked_at("clinic#strasse") is None
    assert not store.is_signed_out("one")  # the id of a session has one spelling
    clock.pass_(61)
    assert store.revoked_at("anna@example.edu") is None


async def test_an_earlier_revocation_does_not_replace_a_later_one(store: Store, clock: ManualClock) -> None:
    at = clock.now()
    await store.revoke("anna", at, at + 60)
    await store.revoke("anna", at - 500, at + 60)
    assert store.revoked_at("anna") == at


async def test_a_later_write_does_not_shorten_an_entrys_life(store: Store, clock: ManualClock) -> None:
    at = clock.now()
    for end in (at + 3600, at + 60):
        await store.revoke("anna", at, end)
        await store.sign_out("session", end)
    clock.pass_(61)
    assert store.revoked_at("anna") == at
    assert store.is_signed_out("session")


async def test_sql_in_a_subject_is_not_executed(store: Store, clock: ManualClock) -> None:
    await store.revoke("'; drop table entries; --", clock.now(), clock.now() + 60)
    assert await store.consume("'; drop table entries; --", clock.now() + 60)
    assert store.revoked_at("'; drop table entries; --") == clock.now()
