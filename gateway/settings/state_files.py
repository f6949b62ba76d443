"""Checks of the directory and the database of `[state] dir`.

A remedy never loses what is in the database: without it, whoever was revoked or signed out has access again.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from gateway.build_info import state_schema_fault
from gateway.settings.faults import Fault
from gateway.settings.file_access import nearest_existing, why_dangling, why_unwritable, why_unwritable_folder

STATE_FILE = "state.sqlite3"


_KEEP = "do not remove it, it has the revocations"
_REMEDY_OF_ACCESS = f"chown it to the user of the service, where that may write: {_KEEP}"
_REMEDY_OF_DAMAGE = "stop the gateway, move it away and restore a backup, without which revocations are lost"
_BESIDE = ("", "-wal", "-shm")
"""What the names of the files that SQLite has for a database end in."""


def state_faults(folder: Path | None) -> Iterator[Fault]:
    """Yields the faults of the state directory, which the gateway creates if it is missing, and of its database."""
    if folder is None:
        return
    database = folder / STATE_FILE
    try:
        why = why_dangling(folder) or why_unwritable_folder(nearest_existing(folder))
        exists = database.exists()
    except OSError as error:  # a directory above it may not be entered
        why, exists = error.strerror, True
    if why is not None:
        remedy = "let the service write there: another directory has none of its revocations"
        remedy = remedy if exists else "name a directory that the service may write"
        yield Fault("state.dir", None, f"names {folder}, which cannot be written: {why}", remedy)
    elif exists and (unusable := _why_unusable(database)) is not None:
        file, why, remedy = unusable
        yield Fault("state.dir", None, f"has a file {file} that cannot be used: {why}", remedy)


def _why_unusable(database: Path) -> tuple[Path, str, str] | None:
    """Returns the file that cannot be used, why, and what to do; None if *database* can be used."""
    for file in (database.with_name(database.name + end) for end in _BESIDE):
        why = why_unwritable(file, os.R_OK | os.W_OK) if file.exists() else None
        if why is not None:
            return file, why, _REMEDY_OF_ACCESS if file.is_file() else "move it away"
    # Where no gateway has the database open, "immutable" keeps SQLite from creating files beside it.
    mode = "mode=ro" if database.with_name(f"{database.name}-wal").exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?{mode}", uri=True, timeout=1.0)) as connection:
            (result,) = connection.execute("pragma quick_check(1)").fetchone()
            if result != "ok":
                return database, f"it is damaged ({result})", _REMEDY_OF_DAMAGE
            (schema,) = connection.execute("pragma user_version").fetchone()
            why = state_schema_fault(schema)
            later = f"run that version, or go back as docs/upgrade.md says: {_KEEP}"
            return None if why is None else (database, why, later)
    except sqlite3.OperationalError as error:
        remedy = f"look at its disk, and at what it has beside it: {_KEEP}"
        return None if "locked" in str(error) else (database, str(error), remedy)
    except sqlite3.DatabaseError as error:
        return database, f"it is damaged ({error})", _REMEDY_OF_DAMAGE
