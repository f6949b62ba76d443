"""The streams that are running: how many there may be, and how one is ended from outside."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from cachetools import LRUCache

from gateway.errors import BusyError, TooManyRequestsError
from gateway.events import LimitReached
from gateway.model import Grant
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord

K = TypeVar("K")

_REMEMBERED = 10_000
"""Sessions whose last stream is remembered."""


@dataclass(slots=True, eq=False)
class Stream:
    """One body on its way, from its entering to its leaving. *end* cuts it; its argument is the reason for the log."""

    grant: Grant
    record: RequestRecord
    end: Callable[[str], None]
    opened_at: float
    """Unix seconds."""
    left: "Callable[[Stream], None]"

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.left(self)


class Streams:
    """Limits are counts at once; 0 is none for *per_person* and *per_address*."""

    def __init__(self, clock: Clock, observer: Observer, *, most: int, per_person: int, per_address: int) -> None:
        self._clock = clock
        self._observer = observer
        self._most = most
        self._per_person = per_person
        self._per_address = per_address
        self._running: set[Stream] = set()
        self._persons: Counter[tuple[str, str]] = Counter()
        self._addresses: Counter[str] = Counter()
        self._sessions: Counter[str] = Counter()
        self._last_use: LRUCache[str, float] = LRUCache(_REMEMBERED)

    def __len__(self) -> int:
        return len(self._running)

    def limit(self, most: int, per_person: int, per_address: int) -> None:
        """Other limits, from the next stream on."""
        self._most, self._per_person, self._per_address = most, per_person, per_address

    def running(self, grant: Grant, record: RequestRecord, end: Callable[[str], None]) -> Stream:
        """A place for one more stream. BusyError or TooManyRequestsError where there is none."""
        person, address, session = _whose(grant, record)
        if len(self._running) >= self._most:
            raise self._refused("streams", BusyError)
        if self._per_person and self._persons[person] >= self._per_person:
            raise self._refused("streams_per_person", TooManyRequestsError)
        if self._per_address and self._addresses[address] >= self._per_address:
            raise self._refused("streams_per_address", TooManyRequestsError)
        stream = Stream(grant, record, end, self._clock.now(), self._left)
        self._running.add(stream)
        self._persons[person] += 1
        self._addresses[address] += 1
        if session is not None:
            self._sessions[session] += 1
        return stream

    def __iter__(self) -> Iterator[Stream]:
        """Those running now; the set may change while it is walked."""
        return iter(tuple(self._running))

    def used_at(self, session: str) -> float | None:
        """When a stream of that session last ran, Unix seconds: now, while one does. Playing counts as use."""
        if session in self._sessions:
            return self._clock.now()
        return self._last_use.get(session)

    def end(self, reason: str, chosen: Callable[[Stream], bool]) -> int:
        """Cut every stream that is *chosen*; returns how many."""
        ended = [stream for stream in self if chosen(stream)]
        for stream in ended:
            stream.end(reason)
        return len(ended)

    def _left(self, stream: Stream) -> None:
        person, address, session = _whose(stream.grant, stream.record)
        self._running.discard(stream)
        _less(self._persons, person)
        _less(self._addresses, address)
        if session is not None:
            _less(self._sessions, session)
            self._last_use[session] = self._clock.now()

    def _refused(
        self, limit: str, error: type[BusyError] | type[TooManyRequestsError]
    ) -> BusyError | TooManyRequestsError:
        self._observer.on_event(LimitReached(limit))
        return error(f"limits.{limit} is reached")


def _whose(grant: Grant, record: RequestRecord) -> tuple[tuple[str, str], str, str | None]:
    """The person, the address and the session that a stream counts for."""
    return (grant.identity.issuer, grant.identity.subject), record.peer or "", grant.identity.session


def _less(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
