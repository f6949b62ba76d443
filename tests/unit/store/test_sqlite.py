"""What SqliteStore does besides the contract of every store: it survives restarts and is shared between processes."""

import asyncio
import math
import re
import shlex
import shutil
import sqlite3
import stat
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from gateway.build_info import STATE_SCHEMA
from gateway.errors import BusyError
from gateway.events import LogEvent
from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite_file import connect, created_at
from gateway.store.sqlite_revocations import revoke_in_file
from tests.support.clock import ManualClock
from tests.support.file_limits import longest_file
from tests.support.measures import ROOT
from tests.support.programs import run
from tests.support.recorder import Recorder


@asynccontextmanager
async def started(store: SqliteStore) -> AsyncIterator[SqliteStore]:
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


async def test_entries_survive_a_restart(path: Path, clock: ManualClock) -> None:
    until = clock.now() + 3600
    async with started(SqliteStore(path, clock)) as store:
        await store.consume("portal 1", until)
        await store.sign_out("session", until)
        await store.revoke("anna", clock.now(), until)
    async with started(SqliteStore(path, clock)) as store:
        assert not await store.consume("portal 1", until)
        assert store.is_signed_out("session")
        assert store.revoked_at("anna") == clock.now()


async def test_two_processes_on_one_file_consume_a_key_once(path: Path, clock: ManualClock) -> None:
    async with started(SqliteStore(path, clock)) as one, started(SqliteStore(path, clock)) as other:
        calls = [store.consume("portal 1", clock.now() + 60) for _ in range(20) for store in (one, other)]
        assert (await asyncio.gather(*calls)).count(True) == 1


def test_those_who_create_the_file_at_the_same_moment_all_open_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as workers:
        for number in range(40):
            path, together = tmp_path / str(number) / "state.sqlite3", threading.Barrier(4)

            def create(path: Path = path, together: threading.Barrier = together) -> str:
                together.wait()
                with closing(connect(path, 0.0)) as connection:
                    return str(connection.execute("pragma journal_mode").fetchone()[0])

            created = [workers.submit(create) for _ in range(4)]
            assert [one.result() for one in created] == ["wal"] * 4


async def test_a_revocation_by_another_process_is_seen_by_polling(path: Path, clock: ManualClock) -> None:
    async with started(SqliteStore(path, clock, poll_interval=0.01)) as store:
        assert store.revoked_at("anna") is None
        await asyncio.to_thread(revoke_in_file, path, "anna", clock.now(), clock.now() + 3600)
        async with asyncio.timeout(20):
            while store.revoked_at("anna") is None:
                await asyncio.sleep(0.01)
        assert store.revoked_at("anna") == clock.now()


async def test_a_revocation_that_could_not_be_read_is_read_by_the_next_refresh(path: Path, clock: ManualClock) -> None:
    connections: list[sqlite3.Connection] = []

    def record_connection(path: Path, now: float) -> sqlite3.Connection:
        connections.append(connect(path, now))
        return connections[0]

    async with started(SqliteStore(path, clock, poll_interval=3600.0, connect=record_connection)) as store:
        connections[0].set_authorizer(
            lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_READ else sqlite3.SQLITE_OK
        )
        await asyncio.to_thread(revoke_in_file, path, "anna", clock.now(), clock.now() + 3600)
        with pytest.raises(BusyError):
            await store.refresh()
        connections[0].set_authorizer(None)
        await store.refresh()
        assert store.revoked_at("anna") == clock.now()


async def test_a_file_is_complete_since_it_was_created(path: Path, clock: ManualClock) -> None:
    created_at = clock.now()
    for _ in range(3):
        async with started(SqliteStore(path, clock)) as store, started(SqliteStore(path, clock)) as other:
            assert store.complete_since == other.complete_since == created_at
            clock.pass_(2 * 3600)
            await store.refresh()  # which deletes what has expired
    async with started(SqliteStore(path, clock, durable=False)) as store:
        assert store.complete_since is None


async def test_a_file_that_a_clock_ahead_has_created_is_complete_now(path: Path, clock: ManualClock) -> None:
    clock.step(3600)
    async with started(SqliteStore(path, clock)):
        clock.step(-3600)
    async with started(SqliteStore(path, clock)) as store:
        assert store.complete_since == clock.now()


async def test_a_file_of_an_earlier_version_counts_as_complete(path: Path, clock: ManualClock) -> None:
    def create() -> None:
        with closing(connect(path, clock.now())) as connection:
            connection.execute("delete from entries")

    await asyncio.to_thread(create)
    async with started(SqliteStore(path, clock)) as store:
        assert store.complete_since == -math.inf


async def test_of_processes_that_create_the_file_together_one_says_when(path: Path) -> None:
    def created(number: int) -> float:
        with closing(connect(path, float(number))) as connection:
            return created_at(connection)

    times = await asyncio.gather(*(asyncio.to_thread(created, number) for number in range(8)))
    assert len(set(times)) == 1


async def test_many_sign_outs_are_read_again_only_if_they_have_changed(path: Path, clock: ManualClock) -> None:
    statements: list[str] = []

    def traced(path: Path, now: float) -> sqlite3.Connection:
        connection = connect(path, now)
        connection.set_trace_callback(statements.append)
        return connection

    def are_sign_outs_read() -> bool:
        (query,) = [one for one in statements if one.startswith("select *")]
        statements.clear()
        return "'signed_out'" not in query

    until = clock.now() + 3600
    async with (
        started(SqliteStore(path, clock)) as other,
        started(SqliteStore(path, clock, poll_interval=3600.0, connect=traced)) as store,
    ):
        assert are_sign_outs_read()
        for write, are_read in (
            (other.sign_out("one", until), True),
            (other.consume("portal 1", until), False),
            (other.revoke("anna", clock.now(), until), False),
            (other.sign_out("two", until), True),
            (other.sign_out("two", until + 60), True),
            (other.consume("portal 2", until), False),
        ):
            await write
            await store.refresh()
            assert are_sign_outs_read() == are_read
        assert store.is_signed_out("one")
        clock.pass_(3600)
        assert (store.is_signed_out("one"), store.is_signed_out("two")) == (False, True)
        assert store.revoked_at("anna") is None


async def test_other_tasks_run_while_many_entries_are_read(path: Path, clock: ManualClock) -> None:
    until, turns = clock.now() + 3600, 0

    def write() -> None:
        rows = [("signed_out", str(number), until, 0.0) for number in range(10_000)]
        with closing(connect(path, 0.0)) as connection:
            connection.execute("begin")
            connection.executemany("insert into entries values (?, ?, ?, ?)", rows)
            connection.execute("commit")

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with started(SqliteStore(path, clock, poll_interval=3600.0)) as store:
        await asyncio.to_thread(write)
        refreshed = asyncio.create_task(store.refresh())
        while not store.is_signed_out("0"):  # until the entries are being taken over
            await asyncio.sleep(0)
        others = asyncio.create_task(count())
        await refreshed
        others.cancel()
        assert all(store.is_signed_out(str(number)) for number in range(10_000))
        assert turns >= 8


async def test_a_revocation_can_be_written_before_the_gateway_has_ever_run(path: Path, clock: ManualClock) -> None:
    await asyncio.to_thread(revoke_in_file, path, "anna", clock.now(), clock.now() + 3600)
    async with started(SqliteStore(path, clock)) as store:
        assert store.revoked_at("anna") == clock.now()


async def test_the_files_are_accessible_to_their_owner_alone(path: Path, clock: ManualClock) -> None:
    async with started(SqliteStore(path, clock)) as store:
        await store.consume("portal 1", clock.now() + 60)
        modes = await asyncio.to_thread(lambda: {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()})
    assert modes == {0o600}


async def test_expired_entries_are_deleted_from_the_file(path: Path, clock: ManualClock) -> None:
    def count_rows() -> int:
        with closing(sqlite3.connect(path)) as connection:
            count: int = connection.execute("select count(*) from entries where kind != 'created'").fetchone()[0]
            return count

    async with started(SqliteStore(path, clock)) as store:
        await store.consume("portal 1", clock.now() + 60)
        await store.refresh()
        assert await asyncio.to_thread(count_rows) == 1
        clock.pass_(2 * 3600)
        await store.refresh()
        assert await asyncio.to_thread(count_rows) == 0


@pytest.mark.promise("operation-state")
async def test_revocations_are_read_although_the_disk_has_no_room_to_delete_tickets(
    path: Path, clock: ManualClock
) -> None:
    def write_used_tickets() -> None:
        rows = [("spent", f"portal {number:040}", clock.now() + 60, 0.0) for number in range(4000)]
        with closing(connect(path, clock.now())) as connection:
            connection.execute("begin")
            connection.executemany("insert into entries values (?, ?, ?, ?)", rows)
            connection.execute("commit")

    await asyncio.to_thread(write_used_tickets)
    clock.pass_(60)
    log, until = Recorder(), clock.now() + 86_400
    fault = f"the state in {path} cannot be used: the state store failed: disk I/O error"
    with longest_file(64 * 1024):
        async with started(SqliteStore(path, clock, poll_interval=3600.0, observer=log)) as store:
            for person in ("anna", "ben"):
                assert store.fault == fault
                assert await store.consume(person, until)
                await asyncio.to_thread(revoke_in_file, path, person, clock.now(), until)
                clock.pass_(3600)
                await store.refresh()
                assert store.revoked_at(person) == clock.now() - 3600
    assert lines(log) == [("error", fault)]


async def test_a_database_that_fails_raises_busy_and_consumes_nothing(path: Path, clock: ManualClock) -> None:
    def drop_table() -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("drop table entries")

    async with started(SqliteStore(path, clock)) as store:
        await asyncio.to_thread(drop_table)
        with pytest.raises(BusyError):
            await store.consume("portal 1", clock.now() + 60)


async def test_a_store_that_is_not_open_raises_busy(path: Path, clock: ManualClock) -> None:
    store = SqliteStore(path, clock)
    with pytest.raises(BusyError):
        await store.consume("portal 1", clock.now() + 60)
    await store.close()


def schema_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (schema,) = connection.execute("pragma user_version").fetchone()
        assert isinstance(schema, int)
        return schema


def set_schema(path: Path, schema: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma user_version = {schema}")


@pytest.mark.promise("operation-upgrade")
async def test_a_new_file_states_its_schema_and_an_earlier_one_is_upgraded(path: Path, clock: ManualClock) -> None:
    await asyncio.to_thread(revoke_in_file, path, "anna", clock.now(), clock.now() + 3600)
    assert await asyncio.to_thread(schema_of, path) == STATE_SCHEMA
    await asyncio.to_thread(set_schema, path, 0)
    async with started(SqliteStore(path, clock)) as store:
        assert store.revoked_at("anna") == clock.now()
    assert await asyncio.to_thread(schema_of, path) == STATE_SCHEMA


@pytest.mark.promise("operation-upgrade")
async def test_a_file_of_a_later_version_is_refused_and_not_changed(path: Path, clock: ManualClock) -> None:
    await asyncio.to_thread(revoke_in_file, path, "anna", clock.now(), clock.now() + 3600)
    await asyncio.to_thread(set_schema, path, STATE_SCHEMA + 1)
    before = path.read_bytes()
    store = SqliteStore(path, clock)
    with pytest.raises(sqlite3.DatabaseError, match="a later version has written it"):
        await store.start()
    await store.close()
    with pytest.raises(sqlite3.DatabaseError, match="a later version has written it"):
        await asyncio.to_thread(revoke_in_file, path, "ben", clock.now(), clock.now() + 3600)
    assert path.read_bytes() == before


async def test_the_backup_of_the_upgrade_guide_has_what_a_running_gateway_wrote(path: Path, clock: ManualClock) -> None:
    guide = (ROOT / "docs/upgrade.md").read_text()
    (command,) = re.findall(r"`(sqlite3 /var/lib/valt-gateway/state\.sqlite3 .*?)`", guide)
    name, _, statement = shlex.split(command)
    backup = path.with_name("restored.sqlite3")
    async with started(SqliteStore(path, clock)) as store:
        await store.revoke("anna", clock.now(), clock.now() + 3600)
        done = await run(name, str(path), statement.replace("state.backup", str(backup)))
        assert (done.code, done.err) == (0, b"")
    async with started(SqliteStore(backup, clock)) as store:
        assert store.revoked_at("anna") == clock.now()


def lines(log: Recorder) -> list[tuple[str, str]]:
    return [(event.level, event.message) for event in log.events if isinstance(event, LogEvent)]


@asynccontextmanager
async def probed(
    path: Path, clock: ManualClock, log: Recorder
) -> AsyncIterator[tuple[SqliteStore, sqlite3.Connection]]:
    """Runs a store, which is given with its connection."""
    connections: list[sqlite3.Connection] = []

    def record_connection(path: Path, now: float) -> sqlite3.Connection:
        connections.append(connect(path, now))
        return connections[0]

    store = SqliteStore(path, clock, poll_interval=0.01, timeout=0.2, connect=record_connection, observer=log)
    async with started(store):
        yield store, connections[0]


async def until_fault(store: SqliteStore, *, expected: bool) -> None:
    async with asyncio.timeout(10):
        while (store.fault is not None) != expected:
            await asyncio.sleep(0.01)


@pytest.mark.promise("operation-state")
async def test_a_state_that_cannot_be_written_is_a_fault_until_it_can(path: Path, clock: ManualClock) -> None:
    reason = "not authorized"
    log, until, has_room = Recorder(), clock.now() + 3600, threading.Event()
    async with probed(path, clock, log) as (store, connection):
        writes = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
        connection.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_DENY if action in writes and not has_room.is_set() else sqlite3.SQLITE_OK
        )
        with pytest.raises(BusyError, match=reason):
            await store.consume("portal", until)
        fault = f"the state in {path} cannot be used: the state store failed: {reason}"
        assert (store.fault, store.local_fault) == (fault, fault)
        with pytest.raises(BusyError):
            await store.sign_out("session", until)
        assert store.is_signed_out("session")
        await asyncio.to_thread(revoke_in_file, path, "anna", clock.now(), until)
        async with asyncio.timeout(10):
            while store.revoked_at("anna") is None:  # the poll can still read
                await asyncio.sleep(0.01)
        assert store.fault == fault
        has_room.set()
        await until_fault(store, expected=False)
        assert await store.consume("the last", until)
        assert lines(log) == [("error", fault), ("info", "the state is back")]


REVOKE = """
import os, sys
from pathlib import Path
from gateway.store.sqlite_entries import REVOCATION, put
from gateway.store.sqlite_file import connect

path, name, at, until = sys.argv[1:]
put(connect(Path(path), float(at)), REVOCATION, name, float(until), float(at))
os._exit(0)
"""
"""Ends without removing the log, which could not be created again on a read-only file system."""


@pytest.mark.promise("operation-state")
async def test_a_file_that_was_read_only_when_it_was_opened_is_written_when_it_can_be(
    path: Path, tmp_path: Path, clock: ManualClock
) -> None:
    log, until, is_writable, failed = Recorder(), clock.now() + 3600, threading.Event(), threading.Event()
    left = tmp_path / "left" / path.name
    async with started(SqliteStore(path, clock)):  # whose log is copied as a killed process leaves it
        await asyncio.to_thread(shutil.copytree, path.parent, left.parent)

    def open_for_reading(path: Path, now: float) -> sqlite3.Connection:
        """Opens it as SQLite does on a read-only file system."""
        if not is_writable.is_set():
            uri = f"{path.as_uri()}?mode=ro&readonly_shm=1"
            return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        if not failed.is_set():
            failed.set()
            raise sqlite3.OperationalError("disk I/O error")
        revoke_in_file(path, "ben", clock.now(), until)
        return connect(path, now)

    async with started(SqliteStore(left, clock, poll_interval=0.01, connect=open_for_reading, observer=log)) as store:
        await until_fault(store, expected=True)
        done = await run(sys.executable, "-c", REVOKE, str(left), "anna", str(clock.now()), str(until))
        assert (done.code, done.err) == (0, b"")
        async with asyncio.timeout(10):
            while store.revoked_at("anna") is None:
                await asyncio.sleep(0.01)
        with pytest.raises(BusyError):
            await store.consume("portal", until)
        is_writable.set()
        await until_fault(store, expected=False)
        assert store.revoked_at("anna") == store.revoked_at("ben") == clock.now()
        assert await store.consume("portal", until)
        await asyncio.to_thread(revoke_in_file, left, "eva", clock.now(), until)
        async with asyncio.timeout(10):
            while store.revoked_at("eva") is None:
                await asyncio.sleep(0.01)
        reasons = "attempt to write a readonly database", "disk I/O error"
        faults = [f"the state in {left} cannot be used: the state store failed: {reason}" for reason in reasons]
        assert lines(log) == [*(("error", fault) for fault in faults), ("info", "the state is back")]


@pytest.mark.promise("operation-state")
async def test_nobody_waits_longer_than_the_timeout_for_a_disk_that_does_not_respond(
    path: Path, clock: ManualClock
) -> None:
    log, until, responds = Recorder(), clock.now() + 3600, threading.Event()
    fault = f"the state in {path} cannot be used: the state store has not responded for 0.2 seconds"
    async with probed(path, clock, log) as (store, connection):
        connection.set_trace_callback(lambda statement: responds.wait() if statement.startswith("insert") else None)
        try:
            calls = [store.consume("portal", until), *(store.sign_out(str(number), until) for number in range(8))]
            results = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 10)
            assert {type(result) for result in results} == {BusyError}
            assert all(store.is_signed_out(str(number)) for number in range(8))
            assert store.fault == fault
            await asyncio.to_thread(revoke_in_file, path, "anna", clock.now(), until)
        finally:
            responds.set()
        await until_fault(store, expected=False)
        assert store.revoked_at("anna") == clock.now()
        assert await store.consume("portal 2", until)
        assert lines(log) == [("error", fault), ("info", "the state is back")]


async def test_what_a_refresh_read_too_late_is_read_by_the_next_one(path: Path, clock: ManualClock) -> None:
    responds = threading.Event()
    async with probed(path, clock, Recorder()) as (store, connection):
        await asyncio.to_thread(revoke_in_file, path, "anna", clock.now(), clock.now() + 3600)
        connection.set_trace_callback(lambda statement: responds.wait() if statement.startswith("select *") else None)
        await until_fault(store, expected=True)
        responds.set()
        await until_fault(store, expected=False)
        assert store.revoked_at("anna") == clock.now()


async def test_a_store_whose_disk_does_not_respond_can_be_closed(path: Path, clock: ManualClock) -> None:
    responds = threading.Event()
    try:
        async with probed(path, clock, Recorder()) as (store, connection):
            connection.set_trace_callback(lambda _: responds.wait())
            with pytest.raises(BusyError):
                await store.consume("portal", clock.now() + 60)
    finally:
        responds.set()
