"""The entries in the SQLite file of `[state] dir`: the statements that write, read and delete them."""

import sqlite3
from typing import NamedTuple

CONSUMED, SIGN_OUT, REVOCATION, UNDONE, PROBE = "spent", "signed_out", "revoked", "undone", "probe"
"""The kinds of entries as the file has them. A probe says nothing: it is written to see whether that succeeds."""
# Neither the expiry nor the value of an entry is ever lowered: a later, weaker write must not undo a revocation.
PUT = """
insert into entries values (?, ?, ?, ?)
on conflict do update set until = max(until, excluded.until), value = max(value, excluded.value)
"""


class Changes(NamedTuple):
    """What the file has. *sign_outs* is how many of these, and the sum of their expiries, which every change raises.
    *rows* are kind, key, expiry and value of each entry that was read."""

    data_version: int
    sign_outs: tuple[int, float]
    rows: list[tuple[str, str, float, float]]


def put(connection: sqlite3.Connection, kind: str, key: str, until: float, value: float) -> None:
    """Writes an entry that expires at *until*."""
    connection.execute(PUT, (kind, key, until, value))


def consume(connection: sqlite3.Connection, key: str, until: float, now: float) -> bool:
    """Returns whether *key* was not consumed by *now*, and has it be so until *until*."""
    connection.execute("delete from entries where until <= ? and kind = ? and key = ?", (now, CONSUMED, key))
    query = "insert into entries values (?, ?, ?, 0) on conflict do nothing"
    return connection.execute(query, (CONSUMED, key, until)).rowcount == 1


def is_consumed(connection: sqlite3.Connection, key: str, now: float) -> bool:
    """Whether *key* is consumed at *now*."""
    query = "select 1 from entries where kind = ? and key = ? and until > ?"
    return bool(connection.execute(query, (CONSUMED, key, now)).fetchall())


def read_changes(
    connection: sqlite3.Connection, data_version: int | None, sign_outs: tuple[int, float] | None
) -> Changes:
    """Returns the entries, but for those consumed, if another process has written since *data_version*; the sign-outs
    among them only if theirs are other than *sign_outs*. Both are those of the last changes, None before the first."""
    (version,) = connection.execute("pragma data_version").fetchone()
    if version == data_version and sign_outs is not None:
        return Changes(version, sign_outs, [])
    counted = connection.execute("select count(*), total(until) from entries where kind = ?", (SIGN_OUT,)).fetchone()
    unchanged = SIGN_OUT if counted == sign_outs else ""
    query = "select * from entries where kind not in (?, ?)"
    return Changes(version, counted, connection.execute(query, (CONSUMED, unchanged)).fetchall())


def delete_expired(connection: sqlite3.Connection, now: float) -> None:
    """Deletes the entries that have expired by *now*."""
    connection.execute("delete from entries where until <= ?", (now,))
