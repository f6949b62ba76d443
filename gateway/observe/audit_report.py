"""Answers who saw which recording, from files of the audit.

How it works. The files are read line by line, and each stream becomes a row when its ``close`` line is read. An
``open`` line waits for its ``close`` line; those that wait at the end have none, for example because the gateway was
killed. Memory grows with streams that run at the same time and with what `Totals` distinguishes, not with lines.
"""

import gzip
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from gateway.observe.audit_verify import read_lines

COLUMNS = (
    *("opened", "closed", "subject", "issuer", "provider", "peer", "recording", "video", "rule", "account", "delivery"),
    *("status", "code", "outcome", "bytes", "first_byte", "last_byte", "film_from", "film_to", "seconds"),
    *("request_id", "front_request_id"),
)
"""The columns of CSV and the members of JSON, of which each row has all."""
_COPIED = COLUMNS[2:]
_MAX_INTERVALS = 1000
"""Intervals of one person and video. More are joined with their neighbours, so that memory is bounded."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows to return; None selects all. *since* and *until* are RFC 3339 in UTC; *until* is excluded."""

    recording: str | None = None
    subject: str | None = None
    since: str | None = None
    until: str | None = None

    def fits(self, line: Row) -> bool:
        time = line.get("time") or ""
        return (
            (self.recording is None or line.get("recording") == self.recording)
            and (self.subject is None or line.get("subject") == self.subject)
            and (self.since is None or time >= self.since)
            and (self.until is None or time < self.until)
        )


def rows(
    files: Iterable[Path],
    selection: Selection,
    on_damage: Callable[[Path, int], None],
    progress: Callable[[int], None] = lambda _bytes: None,
) -> Iterator[Row]:
    """Yields one row for each stream and each refusal that *selection* selects, in the order of their last lines.

    A stream is selected by its ``open`` line; *files* should be in the order of time. The outcome of a stream without a
    ``close`` line is ``not closed``, of a redirect ``redirected``, of a refusal ``refused``. *on_damage* is called with
    file and line of what cannot be read. Raises OSError if a file cannot be read.
    """
    streams: dict[str, Row] = {}
    for line in _lines(files, on_damage, progress):
        event = line.get("event")
        if event == "open" and selection.fits(line):
            if line.get("delivery") == "redirect":
                yield _row(line, None, "redirected")
            else:
                streams[str(line.get("request_id"))] = line
        elif event == "close":
            opened = streams.pop(str(line.get("request_id")), None)
            if opened is not None:
                yield _row(opened, line, line.get("outcome"))
        elif event == "deny":
            streams.pop(str(line.get("request_id")), None)  # its ``open`` line was written, but not to the disk
            if selection.fits(line):
                yield _row(line, line, "refused")
    for opened in streams.values():
        yield _row(opened, None, "not closed")


def utc(text: str) -> str:
    """Returns a date or a time as RFC 3339 in UTC, comparable with an audit line's. A time without a zone is in the
    machine's zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


@dataclass(slots=True)
class Total:
    """What one person received of one video. *intervals* are positions in its bytes or its seconds, merged."""

    first: str
    last: str
    streams: int = 0
    refused: int = 0
    not_closed: int = 0
    bytes: int = 0
    byte_intervals: list[tuple[float, float]] = field(default_factory=list)
    film_intervals: list[tuple[float, float]] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.first, self.last = min(self.first, row["opened"]), max(self.last, row["closed"] or row["opened"])
        if row["outcome"] == "refused":
            self.refused += 1
            return
        self.streams += 1
        self.not_closed += row["outcome"] == "not closed"
        self.bytes += row["bytes"] or 0
        if row["first_byte"] is not None:
            merge(self.byte_intervals, row["first_byte"], row["last_byte"] + 1)
        if row["film_from"] is not None:
            merge(self.film_intervals, row["film_from"], row["film_to"])

    @property
    def distinct_bytes(self) -> int:
        """Bytes of the file of which at least one copy was sent."""
        return int(sum(end - start for start, end in self.byte_intervals))


class Totals:
    """The totals of every person and video, in the order of their first rows."""

    def __init__(self) -> None:
        self.totals: dict[tuple[str, ...], Total] = {}

    def add(self, row: Row) -> None:
        names = ("subject", "issuer", "recording", "video", "rule", "account", "peer")
        key = tuple(row[name] or "" for name in names)
        if key not in self.totals:
            self.totals[key] = Total(row["opened"], row["opened"])
        self.totals[key].add(row)


def merge(intervals: list[tuple[float, float]], start: float, end: float) -> None:
    """Adds *start* to *end* to the sorted *intervals*, which stay disjoint; adjacent ones become one."""
    low = bisect_left(intervals, start, key=lambda interval: interval[1])
    high = bisect_right(intervals, end, key=lambda interval: interval[0])
    if low < high:
        start, end = min(start, intervals[low][0]), max(end, intervals[high - 1][1])
    intervals[low:high] = [(start, end)]
    if len(intervals) > _MAX_INTERVALS:
        gap = min(range(len(intervals) - 1), key=lambda index: intervals[index + 1][0] - intervals[index][1])
        intervals[gap : gap + 2] = [(intervals[gap][0], intervals[gap + 1][1])]


def _row(first: Row, last: Row | None, outcome: str | None) -> Row:
    source = {name: value for name, value in (last or {}).items() if value is not None}
    copied = {name: source.get(name, first.get(name)) for name in _COPIED}
    return {"opened": first.get("time"), "closed": (last or {}).get("time"), **copied, "outcome": outcome}


def _lines(
    files: Iterable[Path], on_damage: Callable[[Path, int], None], progress: Callable[[int], None]
) -> Iterator[Row]:
    for path in files:
        number = 0
        try:
            for number, data in enumerate(read_lines(path), 1):
                progress(len(data))
                try:
                    line = orjson.loads(data)
                except orjson.JSONDecodeError:
                    line = None
                if isinstance(line, dict):
                    yield line
                else:
                    on_damage(path, number)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            on_damage(path, number + 1)
