"""Answers who saw which recording, and what was refused, from files of the audit.

How it works. The files are read line by line, and each stream becomes a row when its ``close`` line is read. An
``open`` line waits for its ``close`` line; those that wait at the end have none, for example because the gateway was
killed. Memory grows with streams that run at the same time, not with lines.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from gateway.observe.audit_verify import DAMAGED, Progress, no_progress, read_lines

COLUMNS = (
    *("event", "opened", "closed", "subject", "issuer", "provider", "peer", "recording", "video", "rule", "account"),
    *("delivery", "status", "code", "outcome", "bytes", "first_byte", "last_byte"),
    *("film_from", "film_to", "film_duration", "seconds", "request_id", "front_request_id", "count", "since"),
)
"""The columns of CSV and the members of JSON, of which each row has all."""
_COPIED = COLUMNS[3:]
_SINGLE = ("api", "sign_in", "sign_out", "deny_summary")
"""Events that are a row each."""
_NUMBERS = frozenset({"bytes", "first_byte", "last_byte", "film_from", "film_to", "film_duration", "count"})
_PAIRS = (("first_byte", "last_byte"), ("film_from", "film_to"))
"""Members of which a line has both or none."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows to return; None selects all. *since* and *until* are RFC 3339 in UTC; *until* is excluded."""

    recording: str | None = None
    subject: str | None = None
    since: str | None = None
    until: str | None = None

    def fits(self, line: Row) -> bool:
        return (
            (self.recording is None or line.get("recording") == self.recording)
            and (self.subject is None or line.get("subject") == self.subject)
            and self.fits_time(line)
        )

    def fits_time(self, line: Row) -> bool:
        time = line.get("time") or ""
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


def rows(
    files: Iterable[Path],
    selection: Selection,
    on_damage: Callable[[Path, int], None],
    progress: Progress = no_progress,
    on_uncertain: Callable[[int], None] = lambda _count: None,
) -> Iterator[Row]:
    """Yields a row for each stream, refusal, call of the API, sign-in and sign-out that *selection* selects, in the
    order of their last lines.

    *event* is ``stream`` or the line's. A stream is selected by its ``open`` line; *files* should be in the order of
    time. The outcome of a stream without a ``close`` line is ``not closed``, of a redirect ``redirected``, of what was
    refused ``refused``; what was cut before its first byte has no code. *on_damage* is called with file and line of
    what cannot be read, *on_uncertain* with the number of refusals that a ``deny_summary`` line stands for, if a
    recording or a person is selected: whose they are is not known. Raises OSError if a file cannot be read.
    """
    streams: dict[str, Row] = {}
    for line in _lines(files, on_damage, progress):
        event = line.get("event")
        if event == "open" and selection.fits(line):
            if line.get("delivery") == "redirect":
                yield _row("stream", line, None, "redirected")
            else:
                streams[str(line.get("request_id"))] = line
        elif event == "close":
            opened = streams.pop(str(line.get("request_id")), None)
            if opened is not None:
                yield _row("stream", opened, line, line.get("outcome"))
        elif event == "deny":
            streams.pop(str(line.get("request_id")), None)  # its ``open`` line was written, but not to the disk
            if selection.fits(line):
                yield _row(event, line, line, "refused")
        elif event in _SINGLE and selection.fits(line):
            refused = event == "deny_summary" or line.get("code") is not None
            yield _row(event, line, line, "refused" if refused else None)
        elif event == "deny_summary" and selection.fits_time(line):
            on_uncertain(int(line.get("count") or 0))
    for opened in streams.values():
        yield _row("stream", opened, None, "not closed")


def utc(text: str) -> str:
    """Returns a date or a time as RFC 3339 in UTC, comparable with an audit line's. A time without a zone is in the
    machine's zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def _row(event: str, first: Row, last: Row | None, outcome: str | None) -> Row:
    source = {name: value for name, value in (last or {}).items() if value is not None}
    copied = {name: source.get(name, first.get(name)) for name in _COPIED}
    times = {"opened": first.get("time"), "closed": (last or {}).get("time")}
    return {"event": event, **times, **copied, "outcome": outcome}


def _lines(files: Iterable[Path], on_damage: Callable[[Path, int], None], progress: Progress) -> Iterator[Row]:
    for path in files:
        number = 0
        try:
            for number, data in enumerate(read_lines(path, progress), 1):
                try:
                    line = orjson.loads(data)
                except orjson.JSONDecodeError:
                    line = None
                if isinstance(line, dict) and _is_whole(line):
                    yield line
                else:
                    on_damage(path, number)
        except DAMAGED:
            on_damage(path, number + 1)


def _is_whole(line: Row) -> bool:
    """Whether what becomes of *line* a row has the types that it was written with."""
    for name in _COPIED:
        value = line.get(name)
        if value is not None and not isinstance(value, (int, float) if name in _NUMBERS else (str, int, float)):
            return False
    return isinstance(line.get("time"), str) and all(
        (line.get(one) is None) == (line.get(other) is None) for one, other in _PAIRS
    )
