"""``audit report``: prints who saw which recording, as a table, as CSV or as JSON."""

import csv
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import orjson

from gateway.cli.terminal import console_for, print_table
from gateway.observe.audit_report import COLUMNS, Row, Selection, Totals, rows

_HEADINGS = ("subject", "recording", "video", "from", "rule", "account", "first", "last", "streams", "what", "remarks")


def print_report(files: list[Path], selection: Selection, format_: str) -> int:
    """Prints the rows, or for *format_* table the totals. Returns 1 if a line could not be read, else 0. Raises OSError
    if a file cannot be read."""
    damaged = 0

    def on_damage(path: Path, line: int) -> None:
        nonlocal damaged
        damaged += 1
        click.echo(f"{path}:{line}: cannot be read", err=True)

    files = sorted(files, key=first_time)
    selected = rows(files, selection, on_damage, progress_of(files))
    if format_ == "json":
        for row in selected:
            sys.stdout.buffer.write(orjson.dumps(row) + b"\n")
        sys.stdout.buffer.flush()
    elif format_ == "csv":
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in selected)
    else:
        _print_totals(selected)
    return 1 if damaged else 0


def first_time(path: Path) -> str:
    """Returns the time of the file's first line, by which files are sorted; "" if it has none."""
    from gateway.observe.audit_verify import read_lines

    try:
        line = orjson.loads(next(read_lines(path), b"{}"))
    except (orjson.JSONDecodeError, EOFError):
        return ""
    return str(line.get("time", "")) if isinstance(line, dict) else ""


def progress_of(files: Iterable[Path]) -> Callable[[int], None]:
    """Returns what shows on a terminal how many bytes have been read."""
    console = console_for(sys.stderr)
    if console is None:
        return lambda _bytes: None
    total, read, printed = sum(path.stat().st_size for path in files), 0, 0

    def progress(size: int) -> None:
        nonlocal read, printed
        read += size
        if read - printed > 32 * 1024 * 1024:
            printed = read
            console.print(f"read {read // 1_000_000} MB of {total // 1_000_000} MB (compressed files: more)", end="\r")

    return progress


def _cell(value: object) -> object:
    """Prevent that a spreadsheet takes a text for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _print_totals(selected: Iterable[Row]) -> None:
    totals = Totals()
    for row in selected:
        totals.add(row)
    table = []
    for (subject, _issuer, recording, video, rule, account, peer), total in totals.totals.items():
        what = f"{total.distinct_bytes} bytes"
        if total.film_intervals:
            seconds = ", ".join(f"{start:.0f} to {end:.0f} s" for start, end in total.film_intervals[:5])
            what = seconds + (", …" if len(total.film_intervals) > 5 else "")
        remarks = [f"{total.refused} refused"] if total.refused else []
        remarks += [f"{total.not_closed} not closed: the end is unknown"] if total.not_closed else []
        first, last = (time[:19].replace("T", " ") + "Z" for time in (total.first, total.last))
        cells = (subject, recording, video, peer, rule, account, first, last, str(total.streams), what)
        table.append((*cells, ", ".join(remarks)))
    console = console_for(sys.stdout)
    if console is not None:
        print_table(console, _HEADINGS, table)
        return
    for line in (_HEADINGS, *table):
        click.echo(
            "\t".join(cell.encode("unicode_escape").decode() if not cell.isprintable() else cell for cell in line)
        )
