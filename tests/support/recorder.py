"""A listener that remembers."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.events import Event
from gateway.request_record import RequestRecord


@dataclass
class Recorder:
    """Everything that was told, in order."""

    events: list[Event] = field(default_factory=list)
    records: list[RequestRecord] = field(default_factory=list)

    def hears(self, _kind: type[Event]) -> Callable[[Event], None] | None:
        return self.on_event

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_request_end(self, record: RequestRecord) -> None:
        self.records.append(record)
