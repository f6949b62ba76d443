"""Several listeners as one."""

from collections.abc import Callable
from typing import Any, Protocol

from gateway.events import Event
from gateway.visit import Visit

Hear = Callable[[Any], None]


class Hearer(Protocol):
    """A listener that says beforehand what it hears."""

    def hears(self, kind: type[Event]) -> Hear | None:
        """What to call for events of that *kind*; None: nothing. Asked once a kind."""
        ...

    def ended(self, visit: Visit) -> None: ...


class Listeners:
    """Implements ports.Listener. Tells everything to each of *listeners* that hears it, in order."""

    def __init__(self, *listeners: Hearer) -> None:
        self._listeners = listeners
        self._hearing: dict[type[Event], tuple[Hear, ...]] = {}
        self._ended = tuple(listener.ended for listener in listeners)

    def happened(self, event: Event) -> None:
        hearing = self._hearing.get(type(event))
        for hear in self._ask(type(event)) if hearing is None else hearing:
            hear(event)

    def ended(self, visit: Visit) -> None:
        for ended in self._ended:
            ended(visit)

    def _ask(self, kind: type[Event]) -> tuple[Hear, ...]:
        told = (listener.hears(kind) for listener in self._listeners)
        hearing = self._hearing[kind] = tuple(hear for hear in told if hear is not None)
        return hearing
