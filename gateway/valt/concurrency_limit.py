"""How many questions may wait for VALT's API at once. People who ask the same thing share one question."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import BusyError, TooManyRequestsError
from gateway.events import LimitReached
from gateway.ports import Observer
from gateway.request_record import current_identity


class Queue:
    """*most* places, of which one person may have half. Whoever finds none is told so, and costs VALT nothing."""

    def __init__(self, observer: Observer, *, most: int) -> None:
        self._observer = observer
        self._most = most
        self._waiting: Counter[tuple[str, str] | None] = Counter()

    def limit(self, most: int) -> None:
        """Another number of places, from the next question on."""
        self._most = most

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place while VALT is asked. BusyError where there is none; TooManyRequestsError where there is none for who
        asks."""
        identity = current_identity.get()
        person = None if identity is None else (identity.issuer, identity.subject)
        if self._waiting.total() >= self._most:
            self._observer.on_event(LimitReached("waiting_for_valt"))
            raise BusyError("limits.waiting_for_valt is reached")
        if person is not None and self._waiting[person] >= max(1, self._most // 2):
            self._observer.on_event(LimitReached("waiting_for_valt"))
            raise TooManyRequestsError("one person has half of limits.waiting_for_valt")
        self._waiting[person] += 1
        try:
            yield
        finally:
            self._waiting[person] -= 1
            if not self._waiting[person]:
                del self._waiting[person]
