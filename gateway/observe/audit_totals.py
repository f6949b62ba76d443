"""What each person received of each video, and what was refused, summed up from the rows of an audit report."""

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field

from gateway.observe.audit_report import Row

_MAX_INTERVALS = 1000
"""Intervals of one person and video. More are joined with their neighbours, so that memory is bounded."""
_MAX_TOTALS = 100_000
"""Persons and videos; all further ones are counted as one, so that memory is bounded: about 200 MB."""
_KEY = ("subject", "issuer", "recording", "video", "rule", "account", "peer")
OTHERS = ("(all others)", "", "", "", "", "", "")
"""The key of what is beyond the limit."""


@dataclass(slots=True)
class Total:
    """What one person received of one video. *byte_intervals* and *film_intervals* are positions in its bytes and its
    seconds, merged. *outcomes* counts how streams ended, *refused* refusals by their code ("cut" before the first byte,
    and "counted only", have none), *others* by their event what is neither."""

    first: str
    last: str
    streams: int = 0
    bytes: int = 0
    duration: float | None = None
    """Of the film, in seconds."""
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    byte_intervals: list[tuple[float, float]] = field(default_factory=list)
    film_intervals: list[tuple[float, float]] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.first, self.last = min(self.first, row["opened"]), max(self.last, row["closed"] or row["opened"])
        if row["outcome"] == "refused":
            reason = row["code"] or ("cut" if row["event"] == "deny" else "counted only")
            self.refused[reason] += row["count"] or 1
        elif row["event"] != "stream":
            self.others[row["event"]] += 1
        else:
            self._add_stream(row)

    @property
    def distinct_bytes(self) -> int:
        """Bytes of the file of which at least one copy was sent."""
        return int(sum(end - start for start, end in self.byte_intervals))

    @property
    def share(self) -> float | None:
        """The part of the film, from 0 to 1, of which at least one copy was sent; None if that is not known."""
        if not self.duration or not self.film_intervals:
            return None
        return min(1.0, sum(end - start for start, end in self.film_intervals) / self.duration)

    def _add_stream(self, row: Row) -> None:
        self.streams += 1
        self.outcomes[row["outcome"] or "unknown"] += 1
        self.bytes += row["bytes"] or 0
        if row["first_byte"] is not None:
            merge(self.byte_intervals, row["first_byte"], row["last_byte"] + 1)
        if row["film_from"] is not None:
            merge(self.film_intervals, row["film_from"], row["film_to"])
            self.duration = row["film_duration"] or self.duration


class Totals:
    """The totals of every person and video, in the order of their first rows."""

    def __init__(self) -> None:
        self.totals: dict[tuple[str, ...], Total] = {}

    def add(self, row: Row) -> None:
        key = tuple(row[name] or "" for name in _KEY)
        if key not in self.totals and len(self.totals) >= _MAX_TOTALS:
            key = OTHERS
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
