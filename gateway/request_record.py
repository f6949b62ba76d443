"""The record of one request, filled as the road is walked and read by the listeners at its end."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from gateway.model import Delivery, Grant, Identity, Outcome, Stage

current_identity: ContextVar[Identity | None] = ContextVar("asking", default=None)
"""On whose behalf a task works. What it starts is on his behalf too, even where others come to wait for it."""


@dataclass(slots=True)
class RequestRecord:
    """One request. Durations are seconds; *clock* is monotonic."""

    request_id: str
    method: str
    route: str
    """The route's template, never the path that was asked for."""
    peer: str | None
    """The client's address (a forwarded one only from a trusted proxy)."""
    clock: Callable[[], float]
    started: float
    identity: Identity | None = None
    recording: str | None = None
    video: str | None = None
    grant: Grant | None = None
    stages: dict[Stage, float] = field(default_factory=dict)
    """Seconds that each stage took."""
    delivery: Delivery | None = None
    range: str | None = None
    status: int | None = None
    code: str | None = None
    reason: str | None = None
    """Why, for the operator's log."""
    bytes: int = 0
    resumes: int = 0
    outcome: Outcome | None = None
    """Set when a delivery has ended."""
    opened: bool = False
    """An ``open`` line stands in the audit, so a ``close`` must follow."""
    api: bool = False
    """A call of VALT's API behind SSO: audited as ``api``."""

    stage: Stage | None = None
    """The step of the road that is being taken."""
    entered: float = 0.0
    seconds: float = 0.0
    """From its beginning to its end, once it has ended."""

    def enter(self, stage: Stage | None) -> None:
        """Take the next step of the road, or None for the time being; the one before is over."""
        now = self.clock()
        if self.stage is not None:
            self.stages[self.stage] = self.stages.get(self.stage, 0.0) + now - self.entered
        self.stage, self.entered = stage, now

    def leave(self) -> None:
        """The step, if one is being taken, is over, whatever its end."""
        self.enter(None)

    def set_identity(self, identity: Identity) -> None:
        """Record on whose behalf the request, and every task it starts, runs."""
        self.identity = identity
        current_identity.set(identity)

    def end(self) -> None:
        """The request is over, and with it the step that was being taken."""
        self.leave()
        self.seconds = self.entered - self.started
