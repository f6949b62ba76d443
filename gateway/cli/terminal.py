"""Output for people: colours and tables on a terminal, by rich. Elsewhere commands print plain text.

rich is imported only if the stream is a terminal, so that scripts do not wait for it.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Cell = str | tuple[str, str]
"""A cell's text, or its text and its style."""


def console_for(stream: TextIO) -> "Console | None":
    """Returns a console that writes to *stream* if that is a terminal, else None.

    With NO_COLOR (no-color.org) or TERM=dumb it writes no escape sequences.
    """
    if not stream.isatty():
        return None
    from rich.console import Console

    if os.environ.get("NO_COLOR"):
        return Console(file=stream, color_system=None)
    return Console(file=stream)


def styled(text: str, style: str = "") -> "Text":
    """Returns *text* for a console. Unlike a plain string it is never read as markup, and it controls no terminal."""
    from rich.text import Text

    return Text(printable(text), style)


def printable(text: str) -> str:
    """Returns *text* with everything escaped that could control a terminal or look like a line of its own."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in text)


@contextmanager
def reading(files: Iterable[Path]) -> Iterator[Callable[[int], None]]:
    """Shows on a terminal how much of *files* has been read, until the end of the block.

    The block calls what is yielded with the number of bytes that were read since the last call.
    """
    console = console_for(sys.stderr)
    total = sum(path.stat().st_size for path in files)
    if console is None or not total:
        yield lambda _bytes: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as display:
        task = display.add_task("", total=total)
        yield lambda count: display.advance(task, count)


def print_table(console: "Console", columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table with a heading line. Long texts are wrapped to the width of the terminal."""
    from rich import box
    from rich.table import Table

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*(styled(cell) if isinstance(cell, str) else styled(*cell) for cell in row))
    console.print(table)
