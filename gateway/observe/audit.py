"""The audit: one JSON line when a stream opens or is refused, one when it closes. Never dropped.

A line that cannot be written is kept and written before the next one; until then no new stream is opened. Each line is
one write to a file opened for appending, so that several processes and a log rotation do not mix them.
"""

import errno
import os
from collections import deque
from contextlib import suppress
from typing import Any

from gateway.errors import BusyError
from gateway.events import AuditFailed, AuditWritten, Event, Noticed
from gateway.model import Identity
from gateway.observe.lines import json_line
from gateway.observe.moment import rfc3339
from gateway.ports import Clock, Listener
from gateway.visit import Visit

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


class AuditFile:
    """Implements ports.Audit, and listeners.Hearer for what ends. *path* "-" is standard output."""

    def __init__(self, path: str, clock: Clock, listener: Listener) -> None:
        self._path = path
        self._clock = clock
        self._listener = listener
        self._descriptor = _CLOSED
        self._pending: deque[tuple[str, bytes]] = deque()
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
            self._flush()
        if self._descriptor != _CLOSED and self._path != "-":
            os.close(self._descriptor)
        self._descriptor = _CLOSED

    def opened(self, visit: Visit) -> None:
        """The ``open`` line, before the first byte. BusyError where it cannot be written."""
        if not self._write("open", self._line("open", visit), keep=False):
            raise BusyError("the audit cannot be written")
        visit.opened = True

    def signed(self, event: str, identity: Identity, visit: Visit) -> None:
        """A ``sign_in`` or ``sign_out`` line."""
        self._write(event, self._line(event, visit, identity), keep=True)

    def hears(self, _kind: type[Event]) -> None:
        """Nothing that happens apart from a visit is audited."""

    def ended(self, visit: Visit) -> None:
        if visit.opened:
            if visit.delivery == "proxy":
                self._write("close", self._line("close", visit, closing=True), keep=True)
        elif visit.api:
            self._write("api", self._line("api", visit, closing=True), keep=True)
        elif visit.code is not None and (visit.video is not None or visit.recording is not None):
            self._write("deny", self._line("deny", visit, closing=True), keep=True)

    def _line(self, event: str, visit: Visit, identity: Identity | None = None, *, closing: bool = False) -> bytes:
        line, who, grant, video = _BLANK.copy(), identity or visit.identity, visit.grant, visit.video
        line["time"] = rfc3339(self._clock.now())
        line["event"] = event
        line["request_id"] = visit.request_id
        if who is not None:
            line["subject"] = who.subject or None
            line["issuer"] = who.issuer
            line["provider"] = who.provider
        if grant is not None:
            line["groups"] = sorted(grant.groups)
            line["rule"] = grant.rule
            line["account"] = grant.account
        line["recording"] = visit.recording if video is None else video.recording
        line["video"] = None if video is None else video.video
        line["delivery"] = visit.delivery
        line["method"] = visit.method
        line["range"] = visit.range
        line["status"] = visit.status
        line["code"] = visit.code
        if closing:
            line["bytes"] = visit.bytes
            line["resumes"] = visit.resumes
            line["outcome"] = visit.outcome
            line["seconds"] = round(visit.seconds, 3)
        line["peer"] = visit.peer
        return json_line(line)

    def _write(self, event: str, line: bytes, *, keep: bool) -> bool:
        """Whether *line* stands in the file. *keep*: if not now, then before the next one."""
        if event == "deny" and len(self._pending) >= _MOST_DENIALS:
            self._listener.happened(AuditFailed())
            return False
        try:
            if self._pending:
                self._flush()
            while line:
                line = line[os.write(self._descriptor, line) :]
                keep = True  # what is begun gets its end
        except OSError as error:
            self._fail(error)
            if keep:
                self._pending.append((event, line))
            return False
        self._listener.happened(_WRITTEN[event])
        if self._failing:
            self._failing = False
            self._listener.happened(Noticed("info", "the audit is written again"))
        return True

    def _flush(self) -> None:
        """Write what is kept, oldest first. OSError where that is impossible; no line is left without its end."""
        while self._pending:
            event, line = self._pending[0]
            rest = line[os.write(self._descriptor, line) :]
            if rest:
                self._pending[0] = (event, rest)
            else:
                self._pending.popleft()
                self._listener.happened(_WRITTEN[event])

    def _fail(self, error: OSError) -> None:
        self._listener.happened(AuditFailed())
        if not self._failing:
            self._failing = True
            cause = errno.errorcode.get(error.errno or 0, type(error).__name__)
            told = "the audit cannot be written: no new stream is opened until it can"
            self._listener.happened(Noticed("error", told, (("cause", cause),)))
