"""State in memory: lost at a restart, and bounded.

An entry that has not expired is never evicted, as a cache of cachetools would do: a consumed ticket would be valid
again and a revocation undone. A full store raises BusyError instead.
"""

from collections.abc import Callable

from gateway.errors import BusyError
from gateway.model import fold_name
from gateway.ports import Clock
from gateway.shared_loads import LocalLoads

MAX_ENTRIES = 500_000


class ExpiringEntries:
    """At most *max_entries* keys, each with a value and an expiry in Unix seconds. Keys that *fold* maps to the same
    text are one key."""

    def __init__(self, clock: Clock, max_entries: int = MAX_ENTRIES, *, fold: Callable[[str], str] = str) -> None:
        self._clock = clock
        self._fold = fold
        self._max_entries = max_entries
        self._entries: dict[str, tuple[float, float]] = {}
        """Expiry and value."""

    def __len__(self) -> int:
        """The number of entries, expired ones included."""
        return len(self._entries)

    def add(self, key: str, expires_at: float, value: float = 0.0) -> bool:
        """Adds *key* and returns True; returns False if it is present and has not expired. Raises BusyError if full."""
        entry = self._entries.get(self._fold(key))
        if entry is not None and entry[0] > self._clock.now():
            return False
        self.put(key, expires_at, value)
        return True

    def put(self, key: str, expires_at: float, value: float = 0.0) -> None:
        """Adds *key*, or raises its expiry and value to these; neither is ever lowered. Raises BusyError if full."""
        key = self._fold(key)
        if len(self._entries) >= self._max_entries and key not in self._entries:
            self._remove_expired()
            if len(self._entries) >= self._max_entries:
                raise BusyError(f"the state store is full: {self._max_entries} entries")
        previous = self._entries.get(key, (expires_at, value))
        self._entries[key] = (max(expires_at, previous[0]), max(value, previous[1]))

    def get(self, *keys: str) -> float | None:
        """Returns the largest value of those of *keys* that have not expired, or None."""
        largest = None
        for key in map(self._fold, keys) if self._entries else ():
            entry = self._entries.get(key)
            if entry is not None and entry[0] > self._clock.now() and (largest is None or entry[1] > largest):
                largest = entry[1]
        return largest

    def items(self) -> list[tuple[str, float, float]]:
        """Returns key (folded), expiry and value of each entry that has not expired."""
        now = self._clock.now()
        return [(key, *entry) for key, entry in self._entries.items() if entry[0] > now]

    def _remove_expired(self) -> None:
        now = self._clock.now()
        self._entries = {key: entry for key, entry in self._entries.items() if entry[0] > now}


class Revocations(ExpiringEntries):
    """Revocations by name, in any spelling; the value of each is its time. One that is *undone* does not count, and is
    never added again: other processes may still write it. A later revocation counts."""

    def __init__(self, clock: Clock, max_entries: int = MAX_ENTRIES) -> None:
        super().__init__(clock, max_entries, fold=fold_name)
        self.undone = UndoneRevocations(self, clock, max_entries)

    def put(self, key: str, expires_at: float, value: float = 0.0) -> None:
        """Adds *key* as `ExpiringEntries.put` does, unless the revocation at *value* is undone."""
        undone = self.undone.get(key)
        if undone is None or value > undone:
            super().put(key, expires_at, value)

    def undo(self, key: str, at: float) -> None:
        """Removes the revocation of *key* if it was made at *at* or before."""
        name = self._fold(key)
        if name in self._entries and self._entries[name][1] <= at:
            del self._entries[name]


class UndoneRevocations(ExpiringEntries):
    """The undone ones of *revocations*; the value of each is the time of the last revocation that is undone."""

    def __init__(self, revocations: Revocations, clock: Clock, max_entries: int) -> None:
        super().__init__(clock, max_entries, fold=fold_name)
        self._revocations = revocations

    def put(self, key: str, expires_at: float, value: float = 0.0) -> None:
        """Undoes the revocation of *key* if it was made at *value* or before."""
        super().put(key, expires_at, value)
        self._revocations.undo(key, value)


class MemoryStore:
    """Implements ports.Store. *max_entries* is for each kind of entry."""

    complete_since: float | None = None
    loads = LocalLoads()
    counts = None
    local_fault: str | None = None
    fault: str | None = None
    """See SqliteStore."""

    def __init__(self, clock: Clock, max_entries: int = MAX_ENTRIES) -> None:
        self._consumed = ExpiringEntries(clock, max_entries)
        self._sign_outs = ExpiringEntries(clock, max_entries)
        self._revocations = ExpiringEntries(clock, max_entries, fold=fold_name)

    def __repr__(self) -> str:
        consumed, sign_outs, revocations = len(self._consumed), len(self._sign_outs), len(self._revocations)
        return f"<MemoryStore consumed={consumed} sign_outs={sign_outs} revocations={revocations}>"

    async def start(self) -> None:
        """Does nothing: there is nothing to open."""

    async def consume(self, key: str, until: float, *, since: float | None = None) -> bool:
        """Returns True the first time that *key* is consumed, False until it expires."""
        return self._consumed.add(key, until)

    async def is_consumed(self, key: str, *, since: float | None = None) -> bool:
        """Whether *key* is consumed and has not expired."""
        return self._consumed.get(key) is not None

    async def sign_out(self, session: str, until: float) -> None:
        """Makes the session invalid until *until*."""
        self._sign_outs.put(session, until)

    async def revoke(self, name: str, at: float, until: float) -> None:
        """Makes credentials of *name* issued at or before *at* invalid until *until*."""
        self._revocations.put(name, until, at)

    def is_signed_out(self, session: str) -> bool:
        """Whether the session was signed out."""
        return self._sign_outs.get(session) is not None

    def revoked_at(self, *names: str) -> float | None:
        """Returns the latest time at which one of *names* was revoked, or None."""
        return self._revocations.get(*names)

    async def close(self) -> None:
        """Does nothing: there is nothing to close."""
