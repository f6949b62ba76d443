"""Writes the audit: one JSON line when a stream opens or is refused, one when it closes. No line is ever dropped.

How it works: if an ``open`` line cannot be written, its stream is refused; every other line waits (audit_file). The
``open`` lines of redirects are written together, those of one iteration of the event loop in as few writes as PIPE_BUF
allows, and each redirect waits until its own line is in the file. That takes 0.9 times the processor time of a redirect
at 32 connections. The lines of proxied streams are written at once: they are few, and to wait costs more.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.clock import repeat
from gateway.errors import BusyError
from gateway.events import Event, LogEvent
from gateway.model import Delivery, Identity, Outcome
from gateway.observe.audit_chain import Head
from gateway.observe.audit_fields import admin_fields, audit_fields, chain_fields, denial_summary_fields, loaded_index
from gateway.observe.audit_file import AuditFile, Line
from gateway.observe.disk_sync import ANSWER_TIMEOUT, SHARING_DELAY, DiskSync, FsyncPolicy
from gateway.observe.json_lines import json_line
from gateway.ports import Clock, Observer
from gateway.request_record import FilmSeconds, RequestRecord

_INTERVAL = 1.0
"""Seconds between two attempts to write a file that cannot be written."""


class AuditLog(Observer):
    """Implements ports.Audit and ports.Observer. *path* "-" is standard output. *key* makes the chain's hashes HMACs.
    The head of the chain is logged every *head_interval* seconds; never if that is 0. A ``close`` line waits at most
    *film_timeout* seconds for the index of its film. *disk_timeout* is as for DiskSync.

    While the file cannot be written, at most *max_waiting* ``deny`` lines wait (100,000 are about 50 MB). One
    ``deny_summary`` line stands for the others.
    """

    def __init__(
        self,
        path: str,
        clock: Clock,
        observer: Observer,
        *,
        key: bytes | None = None,
        fsync: FsyncPolicy = "never",
        head_interval: float = 0.0,
        film_timeout: float = 5.0,
        max_waiting: int = 100_000,
        disk_timeout: float = ANSWER_TIMEOUT,
    ) -> None:
        self._clock = clock
        self._observer = observer
        self._fsync = fsync
        self._head_interval = head_interval
        self._film_timeout = film_timeout
        self._log_head_at = clock.monotonic() + head_interval
        delay = SHARING_DELAY if fsync == "close" else 0.0
        sync = None if fsync == "never" else DiskSync(delay, timeout=disk_timeout)
        self._file = AuditFile(path, observer, self._chain_line, key=key, sync=sync, max_waiting=max_waiting)
        self._writable_at = clock.now()
        """Unix time at which the file was known to be writable."""
        self._closed = False
        self._ending: dict[str, Callable[[], None]] = {}
        """For each stream that has ended and whose film's index is being loaded: writes its ``close`` line."""
        self._group: list[Line] = []
        """The ``open`` lines of redirects that are about to be written."""
        self._group_written: list[asyncio.Future[bool]] = []
        """For each line of the group, the future result: whether it is in the file."""

    def __repr__(self) -> str:
        return f"<AuditLog {self._file!r}>"

    @property
    def is_writable(self) -> bool:
        """Whether the last attempt to open or to write the file succeeded; otherwise new streams are refused."""
        return self._file.is_writable

    @property
    def is_on_disk(self) -> bool:
        """After `close`, whether all lines that were written are on the disk."""
        return self._file.is_on_disk

    @property
    def waiting(self) -> int:
        """Lines that could not be written yet."""
        return self._file.waiting

    @property
    def head(self) -> Head:
        """The last line of this run's chain."""
        return self._file.head

    def open(self) -> None:
        """Raises OSError if the file cannot be opened."""
        self._file.open()

    def reopen(self) -> None:
        """Opens the path anew, after a log rotation has renamed the file. If that fails, no line is written into the
        renamed file, which may be deleted: all wait for `tick`."""
        if not self._closed:
            self._file.reopen()

    def close(self) -> list[bytes]:
        """Writes what waits, if that is possible, and closes the file. Returns the lines that could not be written."""
        self._closed = True
        self._write_group(is_last=True)
        if not self._file.is_writable:
            self._file.recover()
        self._summarise_dropped(is_last=True)
        unwritten = self._file.close()
        if self._head_interval and self.head.seq:
            self.log_head()
        return unwritten

    async def run(self) -> None:
        """Calls `tick` once a second. Never returns."""
        await repeat(_INTERVAL, self.tick)

    def tick(self) -> None:
        """Opens the file if it is closed, and writes the lines that wait; a failure is counted and logged. Logs the
        head of the chain at its interval."""
        self._file.recover()
        self._summarise_dropped()
        if self._head_interval and self._clock.monotonic() >= self._log_head_at:
            self._log_head_at = self._clock.monotonic() + self._head_interval
            self.log_head()

    def log_head(self) -> None:
        """Logs the last line of the chain, so that a copy of its hash exists outside of the audit."""
        chain, seq, digest = self.head
        self._observer.on_event(
            LogEvent("info", "audit_chain_head", (("chain", chain), ("seq", str(seq)), ("hash", digest)))
        )

    def _summarise_dropped(self, *, is_last: bool = False) -> None:
        """Write a line that stands for the ``deny`` lines that could not wait, as soon as the file can be written. The
        last one waits in any case, so that `close` returns it if it cannot be written."""
        if not self._file.is_writable and not is_last:
            return
        count, self._file.dropped_denials = self._file.dropped_denials, 0
        if count:
            fields = denial_summary_fields(None, count, self._writable_at, self._clock.now())
            line = Line("deny_summary", json_line(fields), denials=0 if is_last else count)
            self._write([line], is_last=is_last)
        self._writable_at = self._clock.now()

    def require_room(self) -> None:
        """Raises BusyError if so many lines wait that no request may be served that would add one."""
        if self._file.waiting >= self._file.max_waiting:
            raise BusyError("the audit cannot be written")

    async def opened(self, record: RequestRecord) -> None:
        """Return when the ``open`` line is in the file. Raises BusyError if it cannot be written."""
        line = self._line("open", record)
        if record.delivery == Delivery.REDIRECT:
            written = await self._add_to_group(line)
        else:
            written = self._write([line]) == 1
        if not written:
            raise BusyError("the audit cannot be written")
        record.opened = True  # before the wait: the line needs its ``close`` line, also if the request ends in it
        if self._fsync == "always":
            try:
                await self._file.write_to_disk()
            except OSError:
                record.opened = False  # it gets a ``deny`` line instead
                raise BusyError("the audit cannot be written to the disk") from None

    def summarise_denials(self, peer: str | None, count: int, since: float) -> None:
        """Writes one ``deny_summary`` line instead of the *count* ``deny`` lines of *peer* since Unix time *since*."""
        fields = denial_summary_fields(peer, count, since, self._clock.now())
        self._write([Line("deny_summary", json_line(fields), denials=count)])

    def signed(self, event: str, identity: Identity, record: RequestRecord) -> None:
        """Write a ``sign_in`` or ``sign_out`` line for *identity*."""
        self._write([self._line(event, record, identity)])

    def record_admin(self, action: str, details: Mapping[str, Any] | None = None) -> None:
        """Writes an ``admin`` line: *action* is start, stop or reload. Before a stop, ``close`` lines do not wait."""
        for finish in tuple(self._ending.values()) if action == "stop" else ():
            finish()
        self._write([Line("admin", json_line(admin_fields(action, self._clock.now(), details or {})))])

    def on_event(self, event: Event) -> None:
        """Does nothing: only requests are audited."""

    def on_request_end(self, record: RequestRecord) -> None:
        if record.opened and record.delivery == Delivery.PROXY:
            self._end_stream(record)
        elif record.api:
            self._write([self._line("api", record)])
        elif record.recording is not None and (record.code is not None or record.outcome == Outcome.CUT):
            self._write([self._line("deny", record)])  # without a code if it was cut before it was opened

    def _line(self, event: str, record: RequestRecord, identity: Identity | None = None) -> Line:
        fields = audit_fields(event, record, self._clock.now(), identity)
        refused = event == "deny" or (event == "api" and record.code is not None)
        return Line(event, json_line(fields), denials=int(refused))

    def _end_stream(self, record: RequestRecord) -> None:
        """Write the ``close`` line, if the film's index is being loaded after that or after a while."""
        ended, film = self._clock.now(), record.film

        def write(index: FilmSeconds | None) -> None:
            self._write([Line("close", json_line(audit_fields("close", record, ended, film=index)))])

        def finish() -> None:
            if self._ending.pop(record.request_id, None) is not None:
                timer.cancel()
                write(loaded_index(film))

        if not isinstance(film, asyncio.Future) or film.done():
            write(loaded_index(film))
            return
        timer = asyncio.get_running_loop().call_later(self._film_timeout, finish)
        self._ending[record.request_id] = finish
        film.add_done_callback(lambda _: finish())

    def _chain_line(self, previous: Head | None) -> bytes:
        return json_line(chain_fields(previous, self._clock.now()))

    def _add_to_group(self, line: Line) -> "asyncio.Future[bool]":
        """Returns the future result of the next write of the group: whether *line* is in the file. Each line has a
        future of its own, so that a client that disconnects cancels its own wait only; its line is still written."""
        loop = asyncio.get_running_loop()
        if not self._group:
            loop.call_soon(self._write_group)
        written: asyncio.Future[bool] = loop.create_future()
        self._group.append(line)
        self._group_written.append(written)
        return written

    def _write_group(self, *, is_last: bool = False) -> None:
        lines, self._group = self._group, []
        futures, self._group_written = self._group_written, []
        count = self._write(lines, is_last=is_last) if lines else 0
        for index, written in enumerate(futures):
            if not written.done():
                written.set_result(index < count)

    def _write(self, lines: Sequence[Line], *, is_last: bool = False) -> int:
        """Write *lines*; returns how many of them, from the first on, are in the file. After `close`: logs them."""
        if self._closed and not is_last:
            for text in (line.body[:-1].decode() for line in lines):
                self._observer.on_event(LogEvent("warning", "audit line not written", (("line", text),)))
            return 0
        written = self._file.write(lines)
        if self._fsync == "always" or (self._fsync == "close" and lines[0].event == "close"):
            self._file.request_disk_write()
        return written
