"""State in one SQLite file: a restart remembers it, and the ``revoke`` command reaches a running gateway through it.

Writes are durable before they are believed, and go through one worker thread. Reads are answered from memory, which is
filled at the start and again whenever another process has written (PRAGMA data_version, looked at every second).
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from gateway.errors import BusyError
from gateway.ports import Clock
from gateway.store.memory import Ledger

T = TypeVar("T")

_POLL = 1.0
_SWEEP = 3600.0
_SPENT, _SIGNED_OUT, _REVOKED = "spent", "signed_out", "revoked"
_SCHEMA = """
create table if not exists entries (
  kind text not null, key text not null, until real not null, value real not null, primary key (kind, key)
) without rowid
"""
# Whoever writes later with less takes nothing back.
_PUT = """
insert into entries values (?, ?, ?, ?)
on conflict do update set until = max(until, excluded.until), value = max(value, excluded.value)
"""
_DROP = "delete from entries where until <= ?"


def connect(path: Path) -> sqlite3.Connection:
    """The database at *path*, made readable for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute(_SCHEMA)
    return connection


def revoke_in(path: Path, subject: str, at: float, until: float) -> None:
    """Void every proof of *subject* made at or before *at*, from another process. sqlite3.Error; OSError."""
    with closing(connect(path)) as connection:
        connection.execute(_PUT, (_REVOKED, subject, until, at))


class SqliteStore:
    """Implements ports.Store. *start* opens it: OSError or sqlite3.Error where it cannot be."""

    durable = True

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._worker = ThreadPoolExecutor(1, "store")
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None
        self._swept_at = float("-inf")
        self._ledgers = {kind: Ledger(clock) for kind in (_SIGNED_OUT, _REVOKED)}
        self._poll: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._connection = await self._in_worker(lambda: connect(self._path))
        await self.refresh()
        self._poll = asyncio.create_task(self._keep_fresh(), name="store")

    async def spend(self, key: str, until: float) -> bool:
        now = self._clock.now()

        def spend(connection: sqlite3.Connection) -> bool:
            connection.execute(f"{_DROP} and kind = ? and key = ?", (now, _SPENT, key))
            inserted = connection.execute(
                "insert into entries values (?, ?, ?, 0) on conflict do nothing", (_SPENT, key, until)
            )
            return inserted.rowcount == 1

        return await self._write(spend)

    async def sign_out(self, session: str, until: float) -> None:
        await self._write(lambda connection: connection.execute(_PUT, (_SIGNED_OUT, session, until, 0.0)).rowcount)
        self._ledgers[_SIGNED_OUT].put(session, until)

    async def revoke(self, name: str, at: float, until: float) -> None:
        await self._write(lambda connection: connection.execute(_PUT, (_REVOKED, name, until, at)).rowcount)
        self._ledgers[_REVOKED].put(name, until, at)

    def signed_out(self, session: str) -> bool:
        return self._ledgers[_SIGNED_OUT].get(session) is not None

    def revoked_at(self, *names: str) -> float | None:
        return self._ledgers[_REVOKED].get(*names)

    async def refresh(self) -> None:
        """Read what another process has written since the last look, and each hour drop what has run out."""

        def read(connection: sqlite3.Connection) -> list[tuple[str, str, float, float]]:
            if self._clock.monotonic() - self._swept_at >= _SWEEP:
                connection.execute(_DROP, (self._clock.now(),))
                self._swept_at = self._clock.monotonic()
            (version,) = connection.execute("pragma data_version").fetchone()
            if version == self._version:
                return []
            rows = connection.execute("select * from entries where kind in (?, ?)", (_SIGNED_OUT, _REVOKED)).fetchall()
            self._version = version  # not before: what could not be read is looked for again
            return rows

        for kind, key, until, value in await self._write(read):
            self._ledgers[kind].put(key, until, value)

    async def close(self) -> None:
        if self._poll is not None:
            self._poll.cancel()
            await asyncio.gather(self._poll, return_exceptions=True)
        if self._connection is not None:
            await self._in_worker(self._connection.close)
            self._connection = None
        self._worker.shutdown(wait=False)  # it is idle by now; joining its thread would block the loop

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(_POLL)
            with suppress(BusyError):
                await self.refresh()

    async def _write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """BusyError where the disk does not take it: a ticket that cannot be spent is not honoured."""
        connection = self._connection
        if connection is None:
            raise BusyError("the state is not open")
        try:
            return await self._in_worker(lambda: change(connection))
        except (sqlite3.Error, OSError) as error:
            raise BusyError(f"the state cannot be written: {type(error).__name__}") from None

    async def _in_worker(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, call)
