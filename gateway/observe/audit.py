"""The audit: one JSON line when a stream opens or is refused, one when it closes. Never dropped.

A line that cannot be written is kept and written before the next one; until then no new stream is opened. Lines are
written whole to a file opened for appending, so that several processes and a log rotation do not mix them.
"""

import errno
import os
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from select import PIPE_BUF
from typing import Any

from gateway.errors import BusyError
from gateway.events import AuditFailed, AuditWritten, Event, LogEvent
from gateway.model import Delivery, Identity
from gateway.observe.json_lines import json_line, rfc3339
from gateway.ports import Clock, Observer
from gateway.request_record import RequestRecord

VERSION = 1

_KEYS = (
    *("v", "time", "event", "request_id", "subject", "issuer", "provider", "groups", "rule", "account", "recording"),
    *("video", "delivery", "method", "range", "status", "code", "bytes", "resumes", "outcome", "seconds", "peer"),
)
_BLANK: dict[str, Any] = dict.fromkeys(_KEYS) | {"v": VERSION}
"""A line that says nothing yet; the order is the file's."""

_WRITTEN = {event: AuditWritten(event) for event in ("open", "close", "deny", "api", "sign_in", "sign_out")}
_CLOSED = -1
"""A descriptor that every system refuses to write to."""

_MOST_DENIALS = 100_000
"""Refusals kept while the audit cannot be written: about 50 MB. Anybody can cause them, so they must have an end, past
which they are counted as failures; the ends of streams, which the streams themselves bound, are always kept."""


Line = tuple[str, bytes]
"""An event, and what is written of it."""


class AuditFile:
    """Implements ports.Audit, and listeners.Hearer for what ends. *path* "-" is standard output."""

    def __init__(self, path: str, clock: Clock, observer: Observer) -> None:
        self._path = path
        self._clock = clock
        self._observer = observer
        self._descriptor = _CLOSED
        self._pending: deque[Line] = deque()
        self._failing = False

    def open(self) -> None:
        """OSError where it cannot be opened."""
        if self._path == "-":
            self._descriptor = 1
        else:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)

    def reopen(self) -> None:
        """After a log rotation has moved the file away. The old one goes on being written where that fails."""
        old = self._descriptor
        self.open()
        if old != _CLOSED and self._path != "-":
            os.close(old)

    def close(self) -> None:
        with suppress(OSError):
            self._flush(self._pending)
        if self._descriptor != _CLOSED and self._path != "-":
            os.close(self._descriptor)
        self._descriptor = _CLOSED

    async def opened(self, record: RequestRecord) -> None:
        """The ``open`` line, before the first byte. BusyError where it cannot be written."""
        line = "open", self._line("open", record)
        if not self._write([line])[0]:
            raise BusyError("the audit cannot be written")
        record.opened = True

    def signed(self, event: str, identity: Identity, record: RequestRecord) -> None:
        """A ``sign_in`` or ``sign_out`` line."""
        self._add(event, self._line(event, record, identity))

    def on_event(self, event: Event) -> None:
        """Nothing: only requests are audited."""

    def on_request_end(self, record: RequestRecord) -> None:
        if record.opened:
            if record.delivery == Delivery.PROXY:
                self._add("close", self._line("close", record, closing=True))
        elif record.api:
            self._add("api", self._line("api", record, closing=True))
        elif record.code is not None and record.recording is not None:
            self._add("deny", self._line("deny", record, closing=True))

    def _line(
        self, event: str, record: RequestRecord, identity: Identity | None = None, *, closing: bool = False
    ) -> bytes:
        line, who, grant = _BLANK.copy(), identity or record.identity, record.grant
        line["time"] = rfc3339(self._clock.now())
        line["event"] = event
        line["request_id"] = record.request_id
        if who is not None:
            line["subject"] = who.subject or None
            line["issuer"] = who.issuer
            line["provider"] = who.provider
        if grant is not None:
            line["groups"] = sorted(grant.groups)
            line["rule"] = grant.rule
            line["account"] = grant.account
        line["recording"] = record.recording
        line["video"] = record.video
        line["delivery"] = record.delivery
        line["method"] = record.method
        line["range"] = record.range
        line["status"] = record.status
        line["code"] = record.code
        if closing:
            line["bytes"] = record.bytes
            line["resumes"] = record.resumes
            line["outcome"] = record.outcome
            line["seconds"] = round(record.seconds, 3)
        line["peer"] = record.peer
        return json_line(line)

    def _add(self, event: str, line: bytes) -> None:
        self._write([(event, line)])

    def _write(self, lines: Sequence[Line]) -> list[bool]:
        """Of each of *lines*, whether it stands in the file. What is kept of the others is written before the next."""
        left = deque(lines)
        try:
            if self._pending:
                self._flush(self._pending)
            self._flush(left)
        except OSError as error:
            self._fail(error, len(left))
            self._keep(left, truncated=len(left[0][1]) < len(lines[-len(left)][1]))
            return [True] * (len(lines) - len(left)) + [False] * len(left)
        if self._failing:
            self._failing = False
            self._observer.on_event(LogEvent("info", "the audit is written again"))
        return [True] * len(lines)

    def _flush(self, queue: deque[Line]) -> None:
        """Write what is in *queue*, oldest first. OSError where that is impossible: it stays there, a line that is
        written in part with its rest."""
        while queue:
            written = os.write(self._descriptor, _at_once(queue))
            while queue and written >= len(queue[0][1]):
                event, line = queue.popleft()
                written -= len(line)
                self._observer.on_event(_WRITTEN[event])
            if written:
                queue[0] = (queue[0][0], queue[0][1][written:])

    def _keep(self, left: Iterable[Line], *, truncated: bool) -> None:
        """Holds the lines of *left* that must be written later, and the rest of a *truncated* line."""
        for event, line in left:
            if truncated or (event == "deny" and len(self._pending) < _MOST_DENIALS) or event not in ("open", "deny"):
                self._pending.append((event, line))
            truncated = False

    def _fail(self, error: OSError, lines: int) -> None:
        for _ in range(lines):
            self._observer.on_event(AuditFailed())
        if not self._failing:
            self._failing = True
            cause = errno.errorcode.get(error.errno or 0, type(error).__name__)
            message = "the audit cannot be written: no new stream is opened until it can"
            self._observer.on_event(LogEvent("error", message, (("cause", cause),)))


def _at_once(lines: Sequence[Line]) -> bytes:
    """As many of *lines* as a pipe takes without mixing them with what others write to it (pipe(7)); one at least."""
    if len(lines) == 1:
        return lines[0][1]
    size, taken = 0, list[bytes]()
    for _, line in lines:
        size += len(line)
        if taken and size > PIPE_BUF:
            break
        taken.append(line)
    return b"".join(taken)
