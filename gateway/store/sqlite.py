"""State in one SQLite file: it survives a restart, and the ``revoke`` command reaches a running gateway through it.

How it works: every write is on disk before the method that made it returns; a single worker thread makes them, because
SQLite blocks. Reads of sign-outs and revocations are answered from memory, which is loaded at the start and again when
another process has written. That is detected by polling ``PRAGMA data_version``, once a second. Consumed keys are only
in the file: consuming one is a write anyway.

If the file is removed or replaced, or cannot be read, the ``revoke`` command no longer reaches the gateway, and what is
written would be lost at a restart: writes fail then, and *fault* says so until the file is back. It also says so from a
write that fails, on a disk that is full or read-only, until one succeeds, which is tried once a second. No caller waits
for a disk that does not respond for longer than a *timeout*.
"""

import asyncio
import math
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from gateway.errors import BusyError
from gateway.events import LogEvent
from gateway.ports import Clock, Observer
from gateway.shared_loads import LocalLoads
from gateway.store.memory import ExpiringEntries, Revocations
from gateway.store.sqlite_entries import (
    PROBE,
    REVOCATION,
    SIGN_OUT,
    UNDONE,
    consume,
    delete_expired,
    is_consumed,
    put,
    read_changes,
)
from gateway.store.sqlite_file import StateFile, connect, created_at, is_read_only

T = TypeVar("T")

_POLL_INTERVAL = 1.0
_CLEANUP_INTERVAL = 3600.0
_TIMEOUT = 10.0
"""Seconds that a caller waits for the disk, and for the calls before its own."""
_AT_ONCE = 1000
"""Entries that are taken over before other tasks run again: about a millisecond."""


class SqliteStore:
    """Implements ports.Store. *poll_interval* is the time in seconds between two checks for writes of other processes,
    *timeout* that after which a call fails to which the disk has not responded; *connect* opens the database.
    *observer* receives a log event when the file is lost or is back. *durable*: whether the file survives the gateway.
    *share* is called with what was written (kind, key, expiry and value), and returns after the other workers have
    taken it over."""

    loads = LocalLoads()
    counts = None

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        poll_interval: float = _POLL_INTERVAL,
        timeout: float = _TIMEOUT,
        connect: Callable[[Path, float], sqlite3.Connection] = connect,
        observer: Observer | None = None,
        durable: bool = True,
        share: Callable[[str, str, float, float], Awaitable[None]] | None = None,
    ) -> None:
        self.complete_since: float | None = -math.inf if durable else None
        """See ports.Store."""
        self._share = share
        self.fault: str | None = None
        """Why the state cannot be read or written; None if it can."""
        self._observer = observer
        self._path = path
        self._clock = clock
        self._poll_interval = poll_interval
        self._timeout = timeout
        self._file = StateFile(path, clock, connect)
        self._worker = ThreadPoolExecutor(1, "store")
        self._is_open = False
        self._data_version: int | None = None
        self._sign_outs_read: tuple[int, float] | None = None
        """How many the file had when they were read, and the sum of their expiries, which every change raises."""
        self._cleaned_up_at = float("-inf")
        revocations, sign_outs = Revocations(clock), ExpiringEntries(clock)
        self._entries = {SIGN_OUT: sign_outs, UNDONE: revocations.undone, REVOCATION: revocations}
        self.revoked_at: Callable[..., float | None] = revocations.get
        """See ports.Store."""
        self._poll_task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        state = "open" if self._is_open else "closed"
        sign_outs, revocations = len(self._entries[SIGN_OUT]), len(self._entries[REVOCATION])
        return f"<SqliteStore {self._path} {state} sign_outs={sign_outs} revocations={revocations}>"

    @property
    def local_fault(self) -> str | None:
        """The fault, if it is this process's alone: the file is on this machine."""
        return self.fault

    async def start(self) -> None:
        """Opens the database and loads its entries. Raises OSError, sqlite3.Error or BusyError if that fails."""
        connection = await self._in_worker(self._file.connection)
        self._is_open = True
        if self.complete_since is not None:
            # A clock that was ahead when the file was created has been set back since.
            self.complete_since = min(self._clock.now(), await self._in_worker(lambda: created_at(connection)))
        await self.refresh()
        self._poll_task = asyncio.create_task(self._poll(), name="store")

    async def consume(self, key: str, until: float, *, since: float | None = None) -> bool:
        """Returns True the first time that *key* is consumed, by whichever process, and False until it expires."""
        now = self._clock.now()
        return await self._execute(lambda connection: consume(connection, key, until, now))

    async def is_consumed(self, key: str, *, since: float | None = None) -> bool:
        """Whether *key* is consumed, by whichever process."""
        now = self._clock.now()
        return await self._execute(lambda connection: is_consumed(connection, key, now))

    async def sign_out(self, session: str, until: float) -> None:
        """Makes the session invalid until *until*; at once, also if the file cannot be written."""
        await self._put(SIGN_OUT, session, until, 0.0)

    async def revoke(self, name: str, at: float, until: float) -> None:
        """Makes credentials of *name* issued at or before *at* invalid until *until*; at once, as `sign_out` does."""
        await self._put(REVOCATION, name, until, at)

    def is_signed_out(self, session: str) -> bool:
        """Whether the session was signed out."""
        return self._entries[SIGN_OUT].get(session) is not None

    def take_over(self, kind: str, key: str, until: float, value: float) -> None:
        """Has an entry that another worker has written count at once, before the file is read again."""
        self._entries[kind].put(key, until, value)

    async def refresh(self) -> None:
        """Loads the entries if another process has written, then deletes expired ones once an hour. Raises BusyError.

        Sign-outs, of which there may be many, are loaded only if theirs have changed: each ticket that another worker
        consumes is a write too. To delete needs room on the disk, and to read what was revoked does not.
        """
        before = self._data_version, self._sign_outs_read
        changes = await self._execute(lambda connection: read_changes(connection, *before))
        for number, (kind, key, until, value) in enumerate(changes.rows, 1):
            if kind in self._entries:
                self._entries[kind].put(key, until, value)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        # Only now: what could not be read or taken over must be read by the next refresh.
        self._data_version, self._sign_outs_read = changes.data_version, changes.sign_outs
        if self._clock.monotonic() - self._cleaned_up_at >= _CLEANUP_INTERVAL:
            self._cleaned_up_at, now = self._clock.monotonic(), self._clock.now()
            with suppress(BusyError):  # which is *fault* now; what has expired has no effect, wherever it is
                await self._execute(lambda connection: delete_expired(connection, now))

    async def close(self) -> None:
        """Stops polling and closes the database."""
        if self._poll_task is not None:
            self._poll_task.cancel()
            await asyncio.gather(self._poll_task, return_exceptions=True)
        if self._is_open:
            self._is_open = False
            # SQLite has on the disk what was written: if that does not respond, only the log is not removed.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await self._in_worker(self._file.close)
        self._worker.shutdown(wait=False)  # its thread is idle; joining it would block the event loop

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_interval)
            try:
                await self.refresh()
                if self.fault is not None:  # perhaps that of a write
                    await self._probe()
            except BusyError as error:
                self._report(error)
            else:
                self._report(None)

    async def _probe(self) -> None:
        """Writes an entry that says nothing. Raises BusyError if that fails. The file is opened anew if it can only be
        read: SQLite never writes by a connection that it has opened while the file system was read-only, nor by one
        that is opened before that one is closed, because the connections of a process share the index of the log."""
        try:
            await self._insert(PROBE, "", self._clock.now(), 0.0)
        except BusyError as error:
            if not is_read_only(error.__cause__):
                raise
            self._data_version = None  # which is counted for each connection
            await self._execute(lambda _: self._file.close())
            await self._insert(PROBE, "", self._clock.now(), 0.0)

    def _report(self, error: BusyError | None) -> None:
        """Sets *fault*, and logs a change of it."""
        fault = None if error is None else f"the state in {self._path} cannot be used: {error}"
        if fault != self.fault and self._observer is not None:
            self._observer.on_event(LogEvent("error", fault) if fault else LogEvent("info", "the state is back"))
        self.fault = fault

    async def _put(self, kind: str, key: str, until: float, value: float) -> None:
        """Has the entry count at once, also if it cannot be written: what ends access is not to wait for a disk."""
        self._entries[kind].put(key, until, value)
        try:
            await self._insert(kind, key, until, value)
        finally:
            if self._share is not None:
                await self._share(kind, key, until, value)

    async def _insert(self, kind: str, key: str, until: float, value: float) -> None:
        await self._execute(lambda connection: put(connection, kind, key, until, value))

    async def _execute(self, statements: Callable[[sqlite3.Connection], T]) -> T:
        """Returns what *statements* returns, run in the worker thread. Raises BusyError, and sets *fault*, if the
        database fails or does not respond in time; what has begun in the thread may succeed later then."""
        if not self._is_open:
            raise BusyError("the state store is not open")

        try:
            async with asyncio.timeout(self._timeout):
                return await self._in_worker(lambda: statements(self._file.connection()))
        except TimeoutError:
            error = BusyError(f"the state store has not responded for {self._timeout:g} seconds")
        except (sqlite3.Error, OSError) as fault:
            error = BusyError(f"the state store failed: {fault}")
            error.__cause__ = fault
        except BusyError as fault:
            error = fault
        self._report(error)
        raise error

    async def _in_worker(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, call)
