"""A listener that remembers."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.events import Event
from gateway.visit import Visit


@dataclass
class Recorder:
    """Everything that was told, in order."""

    events: list[Event] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)

    def hears(self, _kind: type[Event]) -> Callable[[Event], None] | None:
        return self.happened

    def happened(self, event: Event) -> None:
        self.events.append(event)

    def ended(self, visit: Visit) -> None:
        self.visits.append(visit)
