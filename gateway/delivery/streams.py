"""The running streams: how many there may be, how one is ended from outside, and when sessions were last used."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from cachetools import LRUCache, TTLCache

from gateway.errors import BusyError, TooManyRequestsError
from gateway.events import LimitReached
from gateway.model import Grant, Identity, IdentityKind
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord
from gateway.shared_counts import SharedCounts, Who

K = TypeVar("K")

_MAX_USED_SESSIONS = 50_000
"""Sessions whose last use is remembered."""
_REPORT_FOR = 10.0
"""Seconds for which a use without a stream is reported to other workers and replicas: two of their intervals."""
_MAX_ELSEWHERE, _ELSEWHERE_TTL = 100_000, 30.0
"""Persons and addresses whose streams in other replicas are remembered, and for how many seconds."""


@dataclass(slots=True, eq=False)
class Stream:
    """One request that counts as a stream while its context manager is entered."""

    grant: Grant
    record: RequestRecord
    end: Callable[[str], None]
    """Resets the client's connection. Its argument is the reason, for the log."""
    opened_at: float
    """Unix seconds."""
    on_exit: "Callable[[Stream], None]"

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.on_exit(self)


class Streams:
    """Limits are numbers of streams at once; 0 is no limit for *per_person* and *per_address*, for which with *shared*
    the streams in other replicas count too."""

    def __init__(
        self,
        clock: Clock,
        observer: Observer,
        *,
        most: int,
        per_person: int,
        per_address: int,
        shared: SharedCounts | None = None,
    ) -> None:
        self._clock = clock
        self._observer = observer
        self._max = most
        self._max_per_person = per_person
        self._max_per_address = per_address
        self._running: set[Stream] = set()
        self._closed = False
        self._persons: dict[tuple[str, str], int] = {}
        self._addresses: dict[str, int] = {}
        self._sessions: dict[str, int] = {}
        self._last_use: LRUCache[str, float] = LRUCache(_MAX_USED_SESSIONS)
        self._lately_used: TTLCache[str, None] = TTLCache(_MAX_USED_SESSIONS, _REPORT_FOR, timer=clock.monotonic)
        """Sessions that were used here without a stream."""
        self._shared = shared
        self._elsewhere: TTLCache[Who, int] | dict[Who, int] = {}
        if shared is not None:
            self._elsewhere = TTLCache(_MAX_ELSEWHERE, _ELSEWHERE_TTL, timer=clock.monotonic)
            shared.on_streams, shared.on_used = self.set_elsewhere, self.mark_used
            shared.sessions_in_use = lambda: self.sessions

    def __len__(self) -> int:
        return len(self._running)

    def __repr__(self) -> str:
        return f"<Streams running={len(self._running)} max={self._max}>"

    def limit(self, most: int, per_person: int, per_address: int) -> None:
        """Change the limits, from the next stream on."""
        self._max, self._max_per_person, self._max_per_address = most, per_person, per_address

    def count(self, grant: Grant, record: RequestRecord, end: Callable[[str], None]) -> Stream:
        """Returns a stream that counts until its context manager is left. Raises BusyError or TooManyRequestsError."""
        if self._closed:
            raise BusyError("the gateway stops")
        identity, address = grant.identity, record.peer or ""
        person = identity.issuer, identity.subject
        of_person, of_address = self._persons.get(person, 0), self._addresses.get(address, 0)
        elsewhere = self._elsewhere
        if len(self._running) >= self._max:
            raise self._refusal("streams", BusyError)
        if self._max_per_person and of_person + elsewhere.get(person, 0) >= self._max_per_person:
            raise self._refusal("streams_per_person", TooManyRequestsError, person)
        if self._max_per_address and of_address + elsewhere.get((address,), 0) >= self._max_per_address:
            raise self._refusal("streams_per_address", TooManyRequestsError, (address,))
        stream = Stream(grant, record, end, self._clock.now(), self._remove)
        self._running.add(stream)
        self._persons[person] = of_person + 1
        self._addresses[address] = of_address + 1
        if (session := _used_session(identity)) is not None:
            self._sessions[session] = self._sessions.get(session, 0) + 1
        if self._shared is not None:
            self._report(self._shared, person, address)
        return stream

    def __iter__(self) -> Iterator[Stream]:
        """Iterates over a copy: streams may begin and end meanwhile."""
        return iter(tuple(self._running))

    def used_at(self, session: str) -> float | None:
        """Returns when the session last had a stream, Unix seconds, which is now while one runs, or was last used
        without one. None if it never was."""
        if session in self._sessions:
            return self._clock.now()
        return self._last_use.get(session)

    @property
    def last_used_at(self) -> float:
        """When a session was last used so, Unix seconds, which is now while one has a stream; 0 if none was."""
        return self._clock.now() if self._sessions else max(self._last_use.values(), default=0.0)

    @property
    def sessions(self) -> list[str]:
        """The sessions that are in use here: they have a stream, or were lately used without one."""
        return list({*self._sessions, *self._lately_used})

    def use(self, session: str) -> None:
        """Has *session* count as used now, and soon in the other workers and replicas, by a request that is not a
        stream."""
        self.mark_used(session)
        self._lately_used[session] = None

    def mark_used(self, session: str) -> None:
        """Has *session* count as used now: it is in use in another worker or replica."""
        self._last_use[session] = self._clock.now()

    def end(self, reason: str, chosen: Callable[[Stream], bool]) -> int:
        """Reset every stream for which *chosen* is true. Returns how many."""
        ended = [stream for stream in self if chosen(stream)]
        for stream in ended:
            stream.end(reason)
        return len(ended)

    def close(self) -> None:
        """Resets every stream, as the end of a drain does. None starts after that: `count` raises BusyError."""
        self._closed = True
        self.end("drain", lambda _stream: True)

    def set_elsewhere(self, who: Who, count: int) -> None:
        """Has *count* streams of a person or an address in other replicas count too, for a while."""
        self._elsewhere[who] = count

    def _remove(self, stream: Stream) -> None:
        identity, address = stream.grant.identity, stream.record.peer or ""
        person = identity.issuer, identity.subject
        self._running.discard(stream)
        _decrement(self._persons, person)
        _decrement(self._addresses, address)
        if self._shared is not None:
            self._report(self._shared, person, address)
        if (session := _used_session(identity)) is not None:
            _decrement(self._sessions, session)
            self._last_use[session] = self._clock.now()

    def _report(self, shared: SharedCounts, person: tuple[str, str], address: str) -> None:
        """Has the other replicas learn how many streams there are here now."""
        if self._max_per_person:
            shared.set_streams(person, self._persons.get(person, 0))
        if self._max_per_address:
            shared.set_streams((address,), self._addresses.get(address, 0))

    def _refusal(
        self, limit: str, error: type[BusyError] | type[TooManyRequestsError], who: Who | None = None
    ) -> BusyError | TooManyRequestsError:
        if self._shared is not None and who is not None:
            self._shared.request_streams(who)
        self._observer.on_event(LimitReached(limit))
        return error(f"limits.{limit} is reached")


def _used_session(identity: Identity) -> str | None:
    """Returns the session that a stream of *identity* is a use of. A link is played anywhere, also when the session in
    which it was made is idle, and would bring that one back."""
    return None if identity.kind is IdentityKind.ACCESS_TOKEN else identity.session


def _decrement(counts: dict[K, int], key: K) -> None:
    count = counts.pop(key) - 1
    if count:
        counts[key] = count
