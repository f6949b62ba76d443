"""The limit of concurrent requests to VALT's API, and of those that one person waits for.

Callers that share one request use one slot. Its place in a person's share is that of the caller who began it, and is
taken before it begins: a share that is used up is the error of that caller, and of nobody who joins the request.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

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


class ConcurrencyLimit:
    """At most *maximum* requests at once. One person may wait for half as many, those included that have not been sent
    yet. A request beyond either fails at once."""

    def __init__(self, observer: Observer, *, maximum: int) -> None:
        self._observer = observer
        self._maximum = maximum
        self._in_use = 0
        self._shares: Counter[Person] = Counter()

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

    @contextmanager
    def share(self) -> Iterator[None]:
        """Takes a place of the current person's share for the duration of the with block.

        Raises TooManyRequestsError if the person has no other. The gateway's own requests need none.
        """
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
