"""``streams``: who watches now, from the admin listener of a running gateway."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.admin_client import admin_option, exit_with, exit_without_listener, request_admin
from gateway.cli.options import config_option
from gateway.cli.terminal import Cell, console_for, print_table, printable

_COLUMNS = ("request id", "since", "person", "recording/video", "client", "rule")


@click.command()
@config_option
@admin_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(config: Path, admin: str | None, *, as_json: bool) -> None:
    """Show who watches now, the newest stream first.

    Redirected viewers are not among them: their bytes do not pass through the gateway. `cut REQUEST_ID` ends a stream.
    """
    status, body = asyncio.run(request_admin(config, admin, "GET", "/streams"))
    if status != 200:
        exit_with(status, body)
    try:
        listed: dict[str, Any] = json.loads(body)
        rows = [_row(stream) for stream in listed["streams"]]
        total = int(listed["total"])
    except (ValueError, TypeError, KeyError):  # another program has the address
        exit_without_listener()
    if as_json:
        click.echo(json.dumps(listed))
    else:
        _print_streams(rows)
    _print_what_is_missing(len(rows), total, listed.get("missing_workers", []))


def _row(stream: dict[str, Any]) -> list[Cell]:
    return [
        *(stream["request_id"], stream["since"], stream["subject"]),
        *(f"{stream['recording']}/{stream['video']}", stream["peer"] or "", stream["rule"]),
    ]


def _print_streams(rows: list[list[Cell]]) -> None:
    """Print a table if standard output is a terminal, else a line per stream with tabs between its fields."""
    console = console_for(sys.stdout)
    if console is not None:
        print_table(console, _COLUMNS, rows)
        return
    for row in rows:
        click.echo("\t".join(printable(str(cell)) for cell in row))


def _print_what_is_missing(count: int, total: int, missing_workers: list[int]) -> None:
    click.echo(f"{total} stream(s)" + (f", of which the newest {count} are listed" if count < total else ""), err=True)
    if missing_workers:
        numbers = ", ".join(map(str, missing_workers))
        click.echo(f"warning: the streams of workers that have not responded are missing: {numbers}", err=True)
