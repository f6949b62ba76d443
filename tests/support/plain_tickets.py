"""Which tickets are accepted by replicas that share their state, in the most obvious way.

It stands apart from gateway.identity.ticket and gateway.store, to compare them with.
"""

from dataclasses import dataclass, field

LEEWAY, MAX_AGE = 5.0, 60.0


@dataclass
class PlainTickets:
    """What is true of the tickets, wherever they are presented. Times are Unix seconds."""

    complete_since: float
    """When the shared state was last empty."""
    used: set[str] = field(default_factory=set)

    def present(self, ticket: str, issued_at: float, now: float, *, times: int, consume: bool) -> list[str]:
        """Returns the outcomes, sorted, if *ticket* is presented so many *times* at the same moment."""
        if now > issued_at + MAX_AGE:
            return ["refused"] * times
        if issued_at - LEEWAY < self.complete_since:
            return ["unknown"] * times
        if ticket in self.used:
            return ["refused"] * times
        if not consume:
            return ["accepted"] * times
        self.used.add(ticket)
        return sorted(["accepted"] + ["refused"] * (times - 1))

    def empty(self, now: float) -> None:
        """The shared state loses all entries."""
        self.complete_since = now
