"""The record of one request, filled as the road is walked and read by the listeners at its end."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from gateway.model import Grant, Identity, Video

ASKING: ContextVar[Identity | None] = ContextVar("asking", default=None)
"""On whose behalf a task works. What it starts is on his behalf too, even where others come to wait for it."""


@dataclass(slots=True)
class Visit:
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
    video: Video | None = None
    recording: str | None = None
    grant: Grant | None = None
    stages: dict[str, float] = field(default_factory=dict)
    """identity, grant, link, first_byte: seconds each took."""
    delivery: str | None = None
    range: str | None = None
    status: int | None = None
    code: str | None = None
    reason: str | None = None
    """Why, for the operator's log."""
    bytes: int = 0
    resumes: int = 0
    outcome: str | None = None
    """whole, left, cut or failed, once a stream has ended."""
    opened: bool = False
    """An ``open`` line stands in the audit, so a ``close`` must follow."""
    api: bool = False
    """A call of VALT's API behind SSO: audited as ``api``."""

    def stage(self, name: str) -> "Stage":
        """Measures what is done within it as *name*."""
        return Stage(self, name)

    @property
    def seconds(self) -> float:
        return self.clock() - self.started


class Stage:
    """A step of the road, from its entering to its leaving."""

    __slots__ = ("_began", "_name", "_visit")

    def __init__(self, visit: Visit, name: str) -> None:
        self._visit = visit
        self._name = name
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = self._visit.clock()

    def __exit__(self, *_: object) -> None:
        visit, name = self._visit, self._name
        visit.stages[name] = visit.stages.get(name, 0.0) + visit.clock() - self._began
