"""The limit of concurrent requests to VALT's API, and of those that one person waits for.

Callers that share one request use one slot. Its place in a person's share and its turn are those of the caller who
began it, and are taken before it begins: a share that is used up is the error of that caller, and of nobody who joins
the request, and nobody waits for another person's turn. They are given back when VALT has answered, whether or not the
caller has left meanwhile: VALT goes on with what it has been sent.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from weakref import WeakValueDictionary

from gateway.errors import BusyError, TooManyRequestsError
from gateway.events import LimitReached
from gateway.ports import Observer
from gateway.request_record import current_identity

Person = tuple[str, str]
"""Issuer and subject."""


def current_person() -> Person | None:
    """Returns the person on whose behalf the current task runs, or None for the gateway itself."""
    identity = current_identity.get()
    return None if identity is None else (identity.issuer, identity.subject)


class Turns:
    """At most *maximum* requests of each person at once. The others of that person wait, for *timeout* seconds at most.
    The gateway's own requests need no turn."""

    def __init__(self, maximum: int, timeout: float) -> None:
        self._maximum = maximum
        self._timeout = timeout
        self._turns: WeakValueDictionary[Person, asyncio.Semaphore] = WeakValueDictionary()

    def __repr__(self) -> str:
        return f"<Turns people={len(self._turns)} maximum={self._maximum}>"

    async def take(self, admission: ExitStack) -> None:
        """Waits for a turn of the current person, which ends with *admission*. Raises BusyError after the timeout."""
        person = current_person()
        if person is None:
            return
        turn = self._turns.setdefault(person, asyncio.Semaphore(self._maximum))
        try:
            async with asyncio.timeout(self._timeout):
                await turn.acquire()
        except TimeoutError:
            raise BusyError("what the same person has asked VALT for takes it too long") from None
        admission.callback(turn.release)


class ConcurrencyLimit:
    """At most *maximum* requests at once. One person may wait for half as many, those included that have not been sent
    yet. A request beyond either fails at once.

    Of the *connections* to VALT one person has at most half. Their other requests wait for *timeout* seconds.
    """

    def __init__(self, observer: Observer, *, maximum: int, connections: int, timeout: float) -> None:
        self._observer = observer
        self._maximum = maximum
        self._timeout = timeout
        self._in_use = 0
        self._shares: Counter[Person] = Counter()
        self._connections = self.turns(max(1, connections // 2))

    def __repr__(self) -> str:
        return f"<ConcurrencyLimit in_use={self._in_use} people={len(self._shares)} maximum={self._maximum}>"

    def set_maximum(self, maximum: int) -> None:
        """Changes the limit from the next request on."""
        self._maximum = maximum

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Occupies a slot for the duration of the with block. Raises BusyError if none is free."""
        if self._in_use >= self._maximum:
            self._observer.on_event(LimitReached("waiting_for_valt"))
            raise BusyError("limits.waiting_for_valt is reached")
        self._in_use += 1
        try:
            yield
        finally:
            self._in_use -= 1

    def turns(self, maximum: int) -> Turns:
        """Returns further turns, of *maximum* requests."""
        return Turns(maximum, self._timeout)

    async def admit(self, *turns: Turns) -> ExitStack:
        """Takes a place of the current person's share, and waits for a turn of each of *turns* and for one of the
        person's connections. Returns what is closed when VALT has answered.

        Raises TooManyRequestsError if the share has no other place, and BusyError. The gateway's own requests need
        neither.
        """
        with ExitStack() as admission:
            admission.enter_context(self._share())
            for each in (*turns, self._connections):
                await each.take(admission)
            return admission.pop_all()

    @contextmanager
    def _share(self) -> Iterator[None]:
        person = current_person()
        if person is None:
            yield
            return
        if self._shares[person] >= max(1, self._maximum // 2):
            self._observer.on_event(LimitReached("waiting_for_valt"))
            raise TooManyRequestsError("one person has half of limits.waiting_for_valt")
        self._shares[person] += 1
        try:
            yield
        finally:
            self._shares[person] -= 1
            if not self._shares[person]:
                del self._shares[person]
