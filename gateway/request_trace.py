"""The trace that a request belongs to (W3C Trace Context). Only with ``[tracing]``; imports no tracing library.

How it works: the listener's handler is wrapped, so that each request runs with a `RequestTrace` in `current_trace`,
which the tasks that it starts inherit. The calls of VALT's API send it on, and `observe.tracing` makes spans of it when
a call or the request has ended: no span is open meanwhile.
"""

import asyncio
import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import getrandbits

from gateway.model import Stage
from gateway.request_record import RequestRecord

_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceParent:
    """What the header ``traceparent`` of a request says: *span* is the caller's."""

    trace: int
    span: int
    is_sampled: bool


def parse_traceparent(text: str | None) -> TraceParent | None:
    """Returns the parts of the header, None if it is absent or not valid (W3C Trace Context, section 3.2)."""
    matched = None if text is None else _TRACEPARENT.fullmatch(text)
    if matched is None:
        return None
    version, trace, span, flags, more = matched.groups()
    if int(trace, 16) == 0 or int(span, 16) == 0 or (version == "00" and more is not None):
        return None
    return TraceParent(int(trace, 16), int(span, 16), bool(int(flags, 16) & _SAMPLED))


@dataclass(slots=True, eq=False)
class RequestTrace:
    """The trace of one request; *span* is the request's own, *parent* the caller's, if a trusted proxy has named it."""

    trace: int
    span: int
    parent: int | None
    is_sampled: bool
    _calls: "dict[asyncio.Task[object] | None, int]" = field(default_factory=dict, repr=False)
    """The span of the call that each task makes at the moment."""

    @classmethod
    def begin(cls, traceparent: str | None, sampled: bool) -> "RequestTrace":
        """Returns the trace that *traceparent* names, or a new one. *sampled* counts unless the caller samples it."""
        caller = parse_traceparent(traceparent)
        if caller is None:
            return cls(getrandbits(128) or 1, new_span_id(), None, sampled)
        return cls(caller.trace, new_span_id(), caller.span, sampled or caller.is_sampled)

    def call_header(self) -> str:
        """Returns the ``traceparent`` of the call that the running task makes; a retry has the same."""
        span = self._calls.setdefault(asyncio.current_task(), new_span_id())
        return f"00-{self.trace:032x}-{span:016x}-{int(self.is_sampled):02x}"

    def end_call(self) -> int:
        """Returns the span of the call that has ended in the running task."""
        return self._calls.pop(asyncio.current_task(), 0) or new_span_id()


current_trace: ContextVar[RequestTrace | None] = ContextVar("current_trace", default=None)
"""The trace of the request for which a task runs; None without ``[tracing]``."""


@dataclass(slots=True)
class TracedRecord(RequestRecord):
    """A request whose stages have the times of their beginning, too."""

    trace: RequestTrace | None = field(default_factory=current_trace.get)
    stage_starts: list[float] = field(default_factory=list)
    """When each of *stages* began, by *clock*."""

    def enter(self, stage: Stage | None) -> None:
        if self.stage is not None:
            self.stage_starts.append(self.entered)
        RequestRecord.enter(self, stage)


def new_span_id() -> int:
    """Returns 64 random bits, not all of them zero."""
    return getrandbits(64) or 1
