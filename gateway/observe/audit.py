"""The audit: one JSON line when a stream opens or is refused, one when it closes. Never dropped.

A line that cannot be written is kept and written before the next one; until then no new stream is opened. Each line is
one write to a file opened for appending, so that several processes and a log rotation do not mix them.
"""

import json
import os
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from gateway.errors import BusyError
from gateway.events import AuditFailed, AuditWritten, Event
from gateway.model import Identity
from gateway.ports import Clock, Listener
from gateway.visit import Visit

VERSION = 1


class AuditFile:
    """Implements ports.Audit, and ports.Listener for what ends. *path* "-" is standard output."""

    def __init__(self, path: str, clock: Clock, listener: Listener) -> None:
        self._path = path
        self._clock = clock
        self._listener = listener
        self._descriptor: int | None = None
        self._pending: deque[tuple[str, bytes]] = deque()

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
        if old is not None and self._path != "-":
            os.close(old)

    def close(self) -> None:
        with suppress(OSError):
            self._flush()
        if self._descriptor is not None and self._path != "-":
            os.close(self._descriptor)
        self._descriptor = None

    def opened(self, visit: Visit) -> None:
        """The ``open`` line, before the first byte. BusyError where it cannot be written."""
        if not self._write("open", self._line("open", visit), keep=False):
            raise BusyError("the audit cannot be written")
        visit.opened = True

    def signed(self, event: str, identity: Identity, visit: Visit) -> None:
        """A ``sign_in`` or ``sign_out`` line."""
        self._write(event, self._line(event, visit, identity), keep=True)

    def happened(self, event: Event) -> None:
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
        who, grant = identity or visit.identity, visit.grant
        line: dict[str, Any] = {
            "v": VERSION,
            "time": datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "event": event,
            "request_id": visit.request_id,
            "subject": None if who is None else who.subject,
            "issuer": None if who is None else who.issuer,
            "provider": None if who is None else who.provider,
            "groups": None if grant is None else sorted(grant.groups),
            "rule": None if grant is None else grant.rule,
            "account": None if grant is None else grant.account,
            "recording": visit.recording if visit.video is None else visit.video.recording,
            "video": None if visit.video is None else visit.video.video,
            "delivery": visit.delivery,
            "method": visit.method,
            "range": visit.range,
            "status": visit.status,
            "code": visit.code,
            "bytes": visit.bytes if closing else None,
            "resumes": visit.resumes if closing else None,
            "outcome": visit.outcome if closing else None,
            "seconds": round(visit.seconds, 3) if closing else None,
            "peer": visit.peer,
        }
        return json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"

    def _write(self, event: str, line: bytes, *, keep: bool) -> bool:
        try:
            self._flush()
            self._put(event, line)
        except OSError:
            self._listener.happened(AuditFailed())
            if keep:
                self._pending.append((event, line))
            return False
        return True

    def _flush(self) -> None:
        while self._pending:
            self._put(*self._pending[0])
            self._pending.popleft()

    def _put(self, event: str, line: bytes) -> None:
        if self._descriptor is None:
            raise OSError("the audit is not open")
        rest = line
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._listener.happened(AuditWritten(event))
