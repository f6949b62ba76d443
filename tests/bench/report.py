"""What a bench prints: a table on standard output and in a file, and on a terminal what it is at."""

import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Report:
    """Writes to standard output, and into *folder* if there is one."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._is_terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "table.md").write_text("")

    def head(self, rounds: int, seconds: float, python: str) -> None:
        """Prints what was measured where, with which interpreter, and the head of the table."""
        about = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}"
        self._print(f"{about}, Python {python}; {rounds} rounds of {seconds} s\n")
        self._print("Work per second of the server's own processor time; x: the gateway's divided by the peer's.\n")
        self.row("case, connections", "unit", "valt-gateway", "peers")
        self.row("---", "---", "---", "---")

    def row(self, name: str, unit: str, first: str, *others: str) -> None:
        """Prints a row of the table."""
        self._print(f"| {name} | {unit} | {first.removeprefix('valt-gateway ')} | {', '.join(others)} |")

    def progress(self, text: str) -> None:
        """Says on a terminal what is measured now, in place of what was said before."""
        if self._is_terminal:
            print(f"\r\033[K{time.monotonic() - self._started:.0f} s: {text}", end="", file=sys.stderr, flush=True)

    def save(self, name: str, values: Any) -> None:
        """Writes *values* into the folder, as JSON."""
        if self._folder is not None:
            (self._folder / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n")

    def _print(self, line: str) -> None:
        if self._is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        print(line, flush=True)
        if self._folder is not None:
            with (self._folder / "table.md").open("a") as table:
                table.write(line + "\n")
