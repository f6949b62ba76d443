"""Several listeners as one."""

from collections.abc import Callable
from typing import Any, Protocol

from gateway.events import Event
from gateway.request_record import RequestRecord

Hear = Callable[[Any], None]


class Hearer(Protocol):
    """A listener that says beforehand what it hears."""

    def hears(self, kind: type[Event]) -> Hear | None:
        """What to call for events of that *kind*; None: nothing. Asked once a kind."""
        ...

    def on_request_end(self, record: RequestRecord) -> None: ...


class Observers:
    """Implements ports.Listener. Tells everything to each of *listeners* that hears it, in order."""

    def __init__(self, *listeners: Hearer) -> None:
        self._listeners = listeners
        self._hearing: dict[type[Event], tuple[Hear, ...]] = {}
        self._ended = tuple(observer.on_request_end for observer in listeners)

    def on_event(self, event: Event) -> None:
        hearing = self._hearing.get(type(event))
        for hear in self._ask(type(event)) if hearing is None else hearing:
            hear(event)

    def on_request_end(self, record: RequestRecord) -> None:
        for ended in self._ended:
            ended(record)

    def _ask(self, kind: type[Event]) -> tuple[Hear, ...]:
        told = (observer.hears(kind) for observer in self._listeners)
        hearing = self._hearing[kind] = tuple(hear for hear in told if hear is not None)
        return hearing
