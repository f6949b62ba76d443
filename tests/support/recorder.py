"""An observer for tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.events import Event
from gateway.ports import Observer
from gateway.request_record import RequestRecord


@dataclass(eq=False)
class Recorder(Observer):
    """Implements ports.Observer: collects every event and finished request record, in order."""

    events: list[Event] = field(default_factory=list)
    records: list[RequestRecord] = field(default_factory=list)

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_request_end(self, record: RequestRecord) -> None:
        self.records.append(record)

    def on_requests_end(self, records: Sequence[RequestRecord]) -> None:
        self.records.extend(records)
