"""The state of a gateway, for a command: the database of ``state.dir``, or Redis at ``state.url``."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gateway.errors import BusyError
from gateway.model import Secret
from gateway.settings.model import StateSettings

if TYPE_CHECKING:
    from gateway.store.revocations import Revocation, StoredRevocations

T = TypeVar("T")
_OF_ANOTHER = (
    "A gateway that has run for more than a few seconds was started with another state: name that one in the file "
    "again, and repeat this. A restart with this one loses the revocations of that one, unless they are moved or "
    "repeated here first"
)


class UnusableStateError(Exception):
    """The state cannot be read or written; the message says why."""


class FileState:
    """The revocations in the database of *folder*. Methods raise UnusableStateError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "state.sqlite3"

    def read(self) -> "StoredRevocations":
        from gateway.store.sqlite_revocations import revocations_in_file

        return self._attempt(lambda: revocations_in_file(self._file), "read")

    def revoke(self, subject: str, at: float, until: float) -> None:
        from gateway.store.sqlite_revocations import revoke_in_file

        self._attempt(lambda: revoke_in_file(self._file, subject, at, until), "written")

    def undo(self, subject: str, now: float) -> "Revocation | None":
        from gateway.store.sqlite_revocations import undo_in_file

        return self._attempt(lambda: undo_in_file(self._file, subject, now), "written")

    def unopened(self) -> str | None:
        """Returns what a command says that has written, if no gateway has the database open; else None."""
        from gateway.store.sqlite_file import is_open_elsewhere

        if is_open_elsewhere(self._file):
            return None
        return f"no gateway has the state in {self._folder} open: this counts when one starts with it. {_OF_ANOTHER}"

    def _attempt(self, call: Callable[[], T], verb: str) -> T:
        import sqlite3

        try:
            return call()
        except (OSError, sqlite3.Error) as error:
            raise UnusableStateError(f"the state in {self._folder} cannot be {verb}: {error}") from None


class RedisState:
    """The revocations in Redis at *url*. Methods raise UnusableStateError."""

    def __init__(self, url: Secret, prefix: str) -> None:
        from gateway.redis_url import parse_redis_url
        from gateway.store.redis_revocations import RedisRevocations

        self._revocations = RedisRevocations(parse_redis_url(url), prefix)

    def unopened(self) -> str | None:
        """Returns what a command says that has written, if no gateway has received it; else None."""
        if self._revocations.receivers:
            return None
        why = "no gateway is connected to the state in state.url with this prefix: this counts when one is"
        return f"{why}. {_OF_ANOTHER}"

    def read(self) -> "StoredRevocations":
        try:
            return asyncio.run(self._revocations.read())
        except BusyError as error:
            raise UnusableStateError(f"the state in state.url cannot be read: {error}") from None

    def revoke(self, subject: str, at: float, until: float) -> None:
        try:
            asyncio.run(self._revocations.revoke(subject, at, until))
        except BusyError as error:
            raise UnusableStateError(f"the state in state.url cannot be written: {error}") from None

    def undo(self, subject: str, now: float) -> "Revocation | None":
        try:
            return asyncio.run(self._revocations.undo(subject, now))
        except BusyError as error:
            raise UnusableStateError(f"the state in state.url cannot be written: {error}") from None


State = FileState | RedisState


def open_state(state: StateSettings) -> State:
    """Returns what *state* configures. Raises UnusableStateError if that is the memory of the gateway."""
    if state.url is not None:
        return RedisState(state.url, state.prefix)
    if state.dir is None:
        raise UnusableStateError(
            "state.dir is not set: a running gateway cannot be notified. Set it and restart the gateway once."
        )
    return FileState(state.dir)
