"""State in memory: a restart forgets it. Bounded; what has not run out is never evicted, because that would undo it."""

from gateway.errors import BusyError
from gateway.ports import Clock

MAX_ENTRIES = 500_000


class Ledger:
    """Keys with an end, Unix seconds, and a value. Expired ones are swept when there is no room."""

    def __init__(self, clock: Clock, max_entries: int = MAX_ENTRIES) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._entries: dict[str, tuple[float, float]] = {}

    def add(self, key: str, until: float, value: float = 0.0) -> bool:
        """False if *key* is there already and has not run out. BusyError where there is no room."""
        now = self._clock.now()
        held = self._entries.get(key)
        if held is not None and held[0] > now:
            return False
        self.put(key, until, value)
        return True

    def put(self, key: str, until: float, value: float = 0.0) -> None:
        """Whoever writes later with less takes nothing back. BusyError where there is no room."""
        if len(self._entries) >= self._max_entries and key not in self._entries:
            now = self._clock.now()
            self._entries = {key: entry for key, entry in self._entries.items() if entry[0] > now}
            if len(self._entries) >= self._max_entries:
                raise BusyError("there is no room for another spent ticket or revocation")
        held = self._entries.get(key, (until, value))
        self._entries[key] = (max(until, held[0]), max(value, held[1]))

    def get(self, *keys: str) -> float | None:
        """The largest value of those of *keys* that have not run out."""
        largest = None
        for key in keys:
            entry = self._entries.get(key)
            if entry is not None and entry[0] > self._clock.now() and (largest is None or entry[1] > largest):
                largest = entry[1]
        return largest


class MemoryStore:
    """Implements ports.Store."""

    durable = False

    def __init__(self, clock: Clock, max_entries: int = MAX_ENTRIES) -> None:
        self._spent = Ledger(clock, max_entries)
        self._signed_out = Ledger(clock, max_entries)
        self._revoked = Ledger(clock, max_entries)

    async def start(self) -> None:
        """Nothing to open."""

    async def spend(self, key: str, until: float) -> bool:
        return self._spent.add(key, until)

    async def sign_out(self, session: str, until: float) -> None:
        self._signed_out.put(session, until)

    async def revoke(self, name: str, at: float, until: float) -> None:
        self._revoked.put(name, until, at)

    def signed_out(self, session: str) -> bool:
        return self._signed_out.get(session) is not None

    def revoked_at(self, *names: str) -> float | None:
        return self._revoked.get(*names)

    async def close(self) -> None:
        """Nothing to close."""
