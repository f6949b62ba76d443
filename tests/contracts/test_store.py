"""What every store promises, whatever it is made of."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.ports import Store
from gateway.store.memory import MemoryStore
from gateway.store.sqlite import SqliteStore
from tests.support.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    made: Store = MemoryStore(clock) if request.param == "memory" else SqliteStore(tmp_path / "state.sqlite3", clock)
    await made.start()
    yield made
    await made.close()


async def test_a_key_is_spent_once(store: Store, clock: ManualClock) -> None:
    assert await store.spend("portal 1", clock.now() + 60)
    assert not await store.spend("portal 1", clock.now() + 60)
    assert await store.spend("portal 2", clock.now() + 60)


async def test_of_two_hundred_who_spend_one_key_at_once_exactly_one_succeeds(store: Store, clock: ManualClock) -> None:
    spent = await asyncio.gather(*(store.spend("portal 1", clock.now() + 60) for _ in range(200)))
    assert spent.count(True) == 1


async def test_a_spent_key_is_free_again_once_its_time_has_run_out(store: Store, clock: ManualClock) -> None:
    await store.spend("portal 1", clock.now() + 60)
    clock.pass_(59)
    assert not await store.spend("portal 1", clock.now() + 60)
    clock.pass_(2)
    assert await store.spend("portal 1", clock.now() + 60)


async def test_a_clock_that_steps_back_frees_no_spent_key(store: Store, clock: ManualClock) -> None:
    await store.spend("portal 1", clock.now() + 60)
    clock.step(-3600)
    assert not await store.spend("portal 1", clock.now() + 60)


async def test_a_session_is_signed_out_alone_and_until_its_end(store: Store, clock: ManualClock) -> None:
    await store.sign_out("one", clock.now() + 60)
    assert store.signed_out("one")
    assert not store.signed_out("two")
    clock.pass_(61)
    assert not store.signed_out("one")


async def test_a_revocation_tells_when_it_was_made(store: Store, clock: ManualClock) -> None:
    await store.revoke("anna", clock.now(), clock.now() + 60)
    assert store.revoked_at("anna") == clock.now()
    assert store.revoked_at("bob") is None
    assert store.revoked_at("bob", "anna") == clock.now()
    clock.pass_(61)
    assert store.revoked_at("anna") is None


async def test_an_earlier_revocation_takes_nothing_from_a_later_one(store: Store, clock: ManualClock) -> None:
    at = clock.now()
    await store.revoke("anna", at, at + 60)
    await store.revoke("anna", at - 500, at + 60)
    assert store.revoked_at("anna") == at


async def test_nothing_is_kept_for_less_time_than_was_once_said(store: Store, clock: ManualClock) -> None:
    at = clock.now()
    for end in (at + 3600, at + 60):
        await store.revoke("anna", at, end)
        await store.sign_out("session", end)
    clock.pass_(61)
    assert store.revoked_at("anna") == at
    assert store.signed_out("session")


async def test_a_subject_that_looks_like_sql_is_only_a_name(store: Store, clock: ManualClock) -> None:
    await store.revoke("'; drop table entries; --", clock.now(), clock.now() + 60)
    assert await store.spend("'; drop table entries; --", clock.now() + 60)
    assert store.revoked_at("'; drop table entries; --") == clock.now()
