"""The SQLite file of `[state] dir`: it is created, and opened by several processes at once."""

import math
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from gateway.build_info import STATE_SCHEMA, state_schema_fault
from gateway.errors import BusyError
from gateway.ports import Clock

_BUSY_TIMEOUT = 5.0
"""Seconds to wait for the locks of other processes."""
_RETRY_INTERVAL = 0.02
_SCHEMA = """
create table entries (
  kind text not null, key text not null, until real not null, value real not null, primary key (kind, key)
) without rowid
"""

_CREATED = "created"
"""The kind of the entry whose value is when the database was created, Unix seconds. Earlier versions wrote none."""
_NEVER = 1e18
"""The expiry of that entry."""


class StateFile:
    """The database at *path*, for one thread at a time. *connect* opens it, and is given the time in Unix seconds."""

    def __init__(self, path: Path, clock: Clock, connect: Callable[[Path, float], sqlite3.Connection]) -> None:
        self._path = path
        self._clock = clock
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        """Device and inode of the file that was opened first."""

    def connection(self) -> sqlite3.Connection:
        """Returns the connection, a new one after `close`. Raises BusyError if the file was removed or replaced since
        it was opened first, OSError or sqlite3.Error if it cannot be opened: the next call tries again."""
        if self._identity is not None and identity_of(self._path) != self._identity:
            raise BusyError("its file was removed or replaced: restart the gateway")
        if self._connection is None:
            self._connection = self._connect(self._path, self._clock.now())
            self._identity = self._identity or identity_of(self._path)
        return self._connection

    def close(self) -> None:
        """Closes the connection, if there is one. Raises sqlite3.Error if that fails."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def connect(path: Path, now: float) -> sqlite3.Connection:
    """Returns a connection to the database at *path*, which is created, readable by its owner alone, if it is missing;
    it says then that it was created at *now*, Unix seconds.

    What root creates, for the command `revoke`, belongs to the owner of the directory in which it is created: else the
    service could not open it. Raises OSError or sqlite3.Error if it cannot be opened or a later version has
    written it.
    """
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _give_to_owner_of_parent(path.parent)
    if not path.exists():
        path.touch(mode=0o600, exist_ok=True)
        _give_to_owner_of_parent(path)
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        (schema,) = connection.execute("pragma user_version").fetchone()
        why = state_schema_fault(schema)
        if why is not None:
            raise sqlite3.DatabaseError(why)
        _turn_on_log(connection)
        connection.execute("pragma synchronous = full")
        _create_entries(connection, now)
        if schema < STATE_SCHEMA:
            connection.execute(f"pragma user_version = {STATE_SCHEMA}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def created_at(connection: sqlite3.Connection) -> float:
    """Returns since when the database has had every entry, Unix seconds; minus infinity for one of which that is not
    known, because an earlier version has created it."""
    row = connection.execute("select value from entries where kind = ?", (_CREATED,)).fetchone()
    return -math.inf if row is None else float(row[0])


def _create_entries(connection: sqlite3.Connection, now: float) -> None:
    """Creates the table and says when, in one step: of several processes that open a new file, one does."""
    query = "select 1 from sqlite_master where name = 'entries'"
    if connection.execute(query).fetchone() is None:
        connection.execute("begin immediate")
        if connection.execute(query).fetchone() is None:
            connection.execute(_SCHEMA)
            connection.execute("insert into entries values (?, '', ?, ?)", (_CREATED, _NEVER, now))
        connection.execute("commit")


def is_open_elsewhere(path: Path) -> bool:
    """Whether a process has the database at *path* open; this one has closed its connections. SQLite removes the
    write-ahead log with the last connection, also with one that is opened after a process was killed."""
    return path.with_name(f"{path.name}-wal").exists()


def _turn_on_log(connection: sqlite3.Connection) -> None:
    """Turns on the write-ahead log. SQLite itself does not wait for another process that is doing so: of workers that
    create the database together, one would fail."""
    for remaining in reversed(range(int(_BUSY_TIMEOUT / _RETRY_INTERVAL))):
        try:
            connection.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not remaining:
                raise
            time.sleep(_RETRY_INTERVAL)
        else:
            return


def _give_to_owner_of_parent(path: Path) -> None:
    if os.geteuid() == 0:
        parent = path.parent.stat()
        os.chown(path, parent.st_uid, parent.st_gid)


def is_read_only(error: BaseException | None) -> bool:
    """Whether *error* is SQLite's refusal to write by a connection that can only read."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY


def identity_of(path: Path) -> tuple[int, int] | None:
    """Returns device and inode of the file *path*, None if it is not there or cannot be looked at."""
    try:
        result = path.stat()
    except OSError:
        return None
    return result.st_dev, result.st_ino
