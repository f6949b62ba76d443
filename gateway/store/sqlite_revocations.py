"""The revocations in the database of `[state] dir`, for commands."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.store.revocations import Revocation, StoredRevocations
from gateway.store.sqlite_entries import PUT, REVOCATION, UNDONE
from gateway.store.sqlite_file import connect


def revocations_in_file(path: Path) -> StoredRevocations:
    """Returns the revocations in the database at *path*; none if there is no such file, which is not created.

    Raises OSError or sqlite3.Error if it cannot be read.
    """
    if not path.exists():
        return StoredRevocations({}, {})
    with closing(connect(path, 0.0)) as connection:
        return _read(connection)


def revoke_in_file(path: Path, subject: str, at: float, until: float) -> None:
    """Writes a revocation to the database at *path* (see ports.Store.revoke).

    Raises OSError or sqlite3.Error if it cannot be written.
    """
    with _transaction(path, at) as connection:
        connection.execute(PUT, (REVOCATION, subject, until, _read(connection).next_time(subject, at)))


def undo_in_file(path: Path, subject: str, now: float) -> Revocation | None:
    """Undoes the revocation of *subject* in the database at *path*, and returns it; None if none is in force at *now*.

    Raises OSError or sqlite3.Error if it cannot be written.
    """
    if not path.exists():
        return None
    with _transaction(path, now) as connection:
        undoing = _read(connection).undoing(subject, now)
        if undoing is not None:
            connection.execute(PUT, (UNDONE, undoing.name, undoing.until, undoing.at))
        return undoing


@contextmanager
def _transaction(path: Path, now: float) -> Iterator[sqlite3.Connection]:
    with closing(connect(path, now)) as connection:
        connection.execute("begin immediate")
        yield connection
        connection.execute("commit")


def _read(connection: sqlite3.Connection) -> StoredRevocations:
    rows = {kind: dict[str, tuple[float, float]]() for kind in (REVOCATION, UNDONE)}
    query = "select kind, key, value, until from entries where kind in (?, ?)"
    for kind, key, at, until in connection.execute(query, (REVOCATION, UNDONE)):
        rows[kind][key] = at, until
    return StoredRevocations(rows[REVOCATION], rows[UNDONE])
