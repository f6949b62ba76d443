"""What the file adds: a restart forgets nothing, and another process is heard."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from gateway.errors import BusyError
from gateway.store.sqlite import SqliteStore, revoke_in
from tests.support.clock import ManualClock


@asynccontextmanager
async def opened(path: Path, clock: ManualClock) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, clock)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.sqlite3"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_a_restart_forgets_nothing(path: Path, clock: ManualClock) -> None:
    until = clock.now() + 3600
    async with opened(path, clock) as store:
        assert store.durable
        await store.spend("portal 1", until)
        await store.sign_out("session", until)
        await store.revoke("anna", clock.now(), until)
    async with opened(path, clock) as store:
        assert not await store.spend("portal 1", until)
        assert store.signed_out("session")
        assert store.revoked_at("anna") == clock.now()


async def test_two_processes_on_one_file_spend_a_key_once(path: Path, clock: ManualClock) -> None:
    async with opened(path, clock) as one, opened(path, clock) as other:
        tries = [store.spend("portal 1", clock.now() + 60) for _ in range(20) for store in (one, other)]
        assert (await asyncio.gather(*tries)).count(True) == 1


async def test_a_revocation_by_another_process_is_heard_without_asking(path: Path, clock: ManualClock) -> None:
    async with opened(path, clock) as store:
        assert store.revoked_at("anna") is None
        await asyncio.to_thread(revoke_in, path, "anna", clock.now(), clock.now() + 3600)
        async with asyncio.timeout(20):
            while store.revoked_at("anna") is None:
                await asyncio.sleep(0.02)
        assert store.revoked_at("anna") == clock.now()


async def test_a_revocation_that_could_not_be_read_is_read_the_next_time(path: Path, clock: ManualClock) -> None:
    async with opened(path, clock) as store:
        assert store._connection is not None
        store._connection.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_READ else sqlite3.SQLITE_OK
        )
        await asyncio.to_thread(revoke_in, path, "anna", clock.now(), clock.now() + 3600)
        with pytest.raises(BusyError):
            await store.refresh()
        store._connection.set_authorizer(None)
        await store.refresh()
        assert store.revoked_at("anna") == clock.now()


async def test_revoke_works_before_the_gateway_has_ever_run(path: Path, clock: ManualClock) -> None:
    await asyncio.to_thread(revoke_in, path, "anna", clock.now(), clock.now() + 3600)
    async with opened(path, clock) as store:
        assert store.revoked_at("anna") == clock.now()


async def test_the_file_is_for_its_owner_alone(path: Path, clock: ManualClock) -> None:
    async with opened(path, clock) as store:
        await store.spend("portal 1", clock.now() + 60)
        modes = await asyncio.to_thread(lambda: {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()})
    assert modes == {0o600}


async def test_what_has_run_out_is_dropped_from_the_file(path: Path, clock: ManualClock) -> None:
    def rows() -> int:
        with closing(sqlite3.connect(path)) as connection:
            found: int = connection.execute("select count(*) from entries").fetchone()[0]
            return found

    async with opened(path, clock) as store:
        await store.spend("portal 1", clock.now() + 60)
        await store.refresh()
        assert await asyncio.to_thread(rows) == 1
        clock.pass_(2 * 3600)
        await store.refresh()
        assert await asyncio.to_thread(rows) == 0


async def test_a_disk_that_takes_nothing_is_busy_and_a_ticket_is_not_honoured(path: Path, clock: ManualClock) -> None:
    async with opened(path, clock) as store:

        def break_it() -> None:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("drop table entries")

        await asyncio.to_thread(break_it)
        with pytest.raises(BusyError):
            await store.spend("portal 1", clock.now() + 60)


async def test_a_store_that_is_not_open_is_busy(path: Path, clock: ManualClock) -> None:
    store = SqliteStore(path, clock)
    with pytest.raises(BusyError):
        await store.spend("portal 1", clock.now() + 60)
    await store.close()
