"""``audit report``: prints who saw which recording, as a table, as CSV or as JSON."""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path

import click
import orjson

from gateway.cli.terminal import console_for, print_table, printable, reading
from gateway.observe.audit_report import COLUMNS, Row, Selection, rows
from gateway.observe.audit_totals import Total, Totals
from gateway.observe.audit_verify import DAMAGED, read_lines

_HEADINGS = (
    *("subject", "recording", "video", "from", "rule", "account", "first", "last", "streams", "what", "share"),
    *("ended", "refused", "remarks"),
)
_MAX_INTERVALS = 5
"""Intervals that a cell names."""
_NAMES = {"api": "API calls", "sign_in": "sign-ins", "sign_out": "sign-outs"}


def print_report(files: list[Path], selection: Selection, format_: str) -> int:
    """Prints the rows, or for *format_* table the totals. Returns 1 if a line could not be read, else 0. Raises OSError
    if a file cannot be read."""
    damaged = uncertain = 0

    def on_damage(path: Path, line: int) -> None:
        nonlocal damaged
        damaged += 1
        click.echo(f"{path}:{line}: cannot be read", err=True)

    def on_uncertain(count: int) -> None:
        nonlocal uncertain
        uncertain += count

    files = sorted(files, key=first_time)
    # Rows that are printed to the terminal while it shows the progress would be mixed with it.
    shows_progress = format_ == "table" or not sys.stdout.isatty()
    with reading(files if shows_progress else []) as progress:
        selected = rows(files, selection, on_damage, progress, on_uncertain)
        totals = _print_rows(selected, format_)
    if totals is not None:
        _print_totals(totals)
    if uncertain:
        message = f"note: {uncertain} more refusals were counted only (deny_summary): whose and of what is not known"
        click.echo(message, err=True)
    return 1 if damaged else 0


def first_time(path: Path) -> str:
    """Returns the time of the file's first line, by which files are sorted; "" if it has none that can be read."""
    try:
        line = orjson.loads(next(read_lines(path), b"{}"))
    except (orjson.JSONDecodeError, *DAMAGED):
        return ""
    return str(line.get("time", "")) if isinstance(line, dict) else ""


def _print_rows(selected: Iterable[Row], format_: str) -> Totals | None:
    """Print *selected* as JSON or CSV; for a table return their totals."""
    if format_ == "json":
        for row in selected:
            sys.stdout.buffer.write(orjson.dumps(row) + b"\n")
        sys.stdout.buffer.flush()
        return None
    if format_ == "csv":
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in selected)
        return None
    totals = Totals()
    for row in selected:
        totals.add(row)
    return totals


def _cell(value: object) -> object:
    """Prevent that a spreadsheet takes a text for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _print_totals(totals: Totals) -> None:
    table = [_cells(key, total) for key, total in totals.totals.items()]
    console = console_for(sys.stdout)
    if console is not None:
        print_table(console, _HEADINGS, table)
        return
    for line in (_HEADINGS, *table):
        click.echo("\t".join(map(printable, line)))


def _cells(key: tuple[str, ...], total: Total) -> tuple[str, ...]:
    subject, _issuer, recording, video, rule, account, peer = key
    what = f"{total.distinct_bytes} bytes" if total.streams else ""
    if total.film_intervals:
        seconds = [f"{start:.0f} to {end:.0f} s" for start, end in total.film_intervals[:_MAX_INTERVALS]]
        what = ", ".join(seconds + ["…"] * (len(total.film_intervals) > _MAX_INTERVALS))
    first, last = (time[:19].replace("T", " ") + "Z" for time in (total.first, total.last))
    refused = ", ".join(f"{count} {code}" for code, count in total.refused.items())
    ended = ", ".join(f"{count} {outcome}" for outcome, count in total.outcomes.items())
    remarks = [f"{count} {_NAMES.get(event, event)}" for event, count in total.others.items()]
    if total.outcomes["not closed"]:
        remarks.append("how much of what is not closed was sent is not known")
    return (
        *(subject, recording, video, peer, rule, account, first, last, str(total.streams), what),
        *("" if total.share is None else f"{total.share:.0%}", ended, refused, ", ".join(remarks)),
    )
