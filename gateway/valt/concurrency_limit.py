"""The limit of concurrent requests to VALT's API. Callers that share one request use one slot."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import BusyError, TooManyRequestsError
from gateway.events import LimitReached
from gateway.ports import Observer
from gateway.request_record import current_identity


class ConcurrencyLimit:
    """At most *maximum* requests at once, of which half may be one person's. A request beyond it fails at once."""

    def __init__(self, observer: Observer, *, maximum: int) -> None:
        self._observer = observer
        self._maximum = maximum
        self._in_use: Counter[tuple[str, str] | None] = Counter()
        """Slots in use by issuer and subject; None is the gateway's own."""

    def __repr__(self) -> str:
        return f"<ConcurrencyLimit in_use={self._in_use.total()} maximum={self._maximum}>"

    def set_maximum(self, maximum: int) -> None:
        """Changes the limit from the next request on."""
        self._maximum = maximum

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Occupies a slot for the duration of the with block.

        Raises BusyError if no slot is free and TooManyRequestsError if the current identity has half of them.
        """
        identity = current_identity.get()
        person = None if identity is None else (identity.issuer, identity.subject)
        if self._in_use.total() >= self._maximum:
            self._observer.on_event(LimitReached("waiting_for_valt"))
            raise BusyError("limits.waiting_for_valt is reached")
        if person is not None and self._in_use[person] >= max(1, self._maximum // 2):
            self._observer.on_event(LimitReached("waiting_for_valt"))
            raise TooManyRequestsError("one person has half of limits.waiting_for_valt")
        self._in_use[person] += 1
        try:
            yield
        finally:
            self._in_use[person] -= 1
            if not self._in_use[person]:
                del self._in_use[person]
