"""RequestRecord: everything observed about one request; the observers read it when the request has ended.

It is written by the dispatcher, access.authorize, the handlers, the deliveries and the audit.
"""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import getrandbits
from typing import Protocol

from gateway.errors import GatewayError
from gateway.model import Delivery, Grant, Identity, Outcome, Stage

current_identity: ContextVar[Identity | None] = ContextVar("current_identity", default=None)
"""On whose behalf a task runs. A task that it starts inherits the value, even if other requests wait for its result."""


def new_request_id() -> str:
    """Returns 80 random bits in hex. Not a secret, so `random` rather than `os.urandom`, which is a system call."""
    return f"{getrandbits(80):020x}"


class FilmSeconds(Protocol):
    """The index of a film; here because `delivery` makes it and `observe` reads it."""

    @property
    def duration(self) -> float:
        """The end of the film in seconds."""

    def seconds(self, first: int, last: int) -> tuple[float, float] | None:
        """Returns the seconds of the film that bytes *first* to *last* belong to, or None if they belong to none."""


@dataclass(slots=True)
class RequestRecord:
    """One request. Durations are seconds; *clock* is monotonic."""

    request_id: str
    method: str
    route: str
    """The route's template, never the requested path."""
    peer: str | None
    """The client's address; a forwarded one only from a trusted proxy."""
    clock: Callable[[], float]
    started: float
    identity: Identity | None = None
    identified_at: float | None = None
    """When Access began to verify the credentials, Unix seconds; None if the request needs no identity."""
    has_several_proofs: bool = False
    """Whether the client presented several sessions, of which `identity` is one."""
    recording: str | None = None
    video: str | None = None
    grant: Grant | None = None
    stages: list[tuple[Stage, float]] = field(default_factory=list)
    """The stages that have ended, in their order, and the seconds that each took."""
    delivery: Delivery | None = None
    range: str | None = None
    front_request_id: str | None = None
    """The X-Request-ID of a trusted proxy."""
    first_byte: int | None = None
    """Position in the file of the first byte of a proxied body; None if the body is not one part of the file."""
    film: "FilmSeconds | asyncio.Future[FilmSeconds | None] | None" = None
    """The index of the film, or its future result; None if there is none."""
    status: int | None = None
    code: str | None = None
    """The error's code, if the request ended with one."""
    reason: str | None = None
    """Details of the error or of the end of a stream, for the operator's log."""
    bytes: int = 0
    resumes: int = 0
    outcome: Outcome | None = None
    """Set when a delivery has ended."""
    opened: bool = False
    """Whether the audit has an ``open`` line, so that a proxied stream gets a ``close`` line."""
    api: bool = False
    """Whether the request is audited as ``api``: calls of VALT's API, and the list of recordings."""

    stage: Stage | None = None
    """The stage that is running."""
    entered: float = 0.0
    """When it began."""
    seconds: float = 0.0
    """Duration of the request, once it has ended."""

    def enter(self, stage: Stage | None) -> None:
        """Ends the running stage, if any, and begins *stage*; None begins none."""
        now = self.clock()
        if self.stage is not None:
            self.stages.append((self.stage, now - self.entered))
        self.stage, self.entered = stage, now

    def set_target(self, recording: str, video: str | None = None) -> None:
        """Records what was requested: a recording, or one video of it. The audit names it even if access is denied."""
        self.recording, self.video = recording, video

    def set_identity(self, identity: Identity) -> None:
        """Records on whose behalf the request, and every task that it starts, runs."""
        self.identity = identity
        current_identity.set(identity)

    def mark_api_call(self) -> None:
        """Has the request audited as ``api``."""
        self.api = True

    def fail(self, error: GatewayError) -> None:
        """Records the error that the request ends with. A reason recorded before is kept if *error* has no message. A
        delivery that the audit has as opened has failed."""
        self.code, self.reason = error.code, str(error) or self.reason
        if self.opened and self.outcome in (None, Outcome.WHOLE):
            self.outcome = Outcome.FAILED

    def count_resume(self) -> None:
        """Counts one more continuation of the body after the media server's connection was lost."""
        self.resumes += 1

    def end(self) -> None:
        """Ends the request and its running stage."""
        self.enter(None)
        self.seconds = self.entered - self.started
