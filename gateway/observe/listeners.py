"""Several listeners as one."""

from gateway.events import Event
from gateway.ports import Listener
from gateway.visit import Visit


class Listeners:
    """Tells everything to each of *listeners*, in order."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def happened(self, event: Event) -> None:
        for listener in self._listeners:
            listener.happened(event)

    def ended(self, visit: Visit) -> None:
        for listener in self._listeners:
            listener.ended(visit)
