"""``doctor``: tries everything that the gateway needs, from this machine, and says what to do about what fails."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.configuration import read
from gateway.cli.options import config_option, identifier
from gateway.cli.terminal import Cell, console_for, print_table, printable, styled

if TYPE_CHECKING:
    from gateway.doctor.check import Check

_EXIT_STATUS = {"good": 0, "broken": 1, "doubtful": 2}
_STYLES = {"good": "bold green", "doubtful": "bold yellow", "broken": "bold red"}


@click.command()
@config_option
@click.option("--recording", type=identifier, help="The recording to try; without it, one that a search finds.")
@click.option("--video", type=identifier, help="The video of --recording to try; without it, the first one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(config: Path, recording: str | None, video: str | None, as_json: bool) -> None:
    """Try everything that the gateway needs: VALT, its links and media server, providers, state, audit and front.

    Run it where the gateway runs, as its user. Exit status: 0 if all is good, 1 if something is broken, 2 if something
    is doubtful or could not be tried.
    """
    if video is not None and recording is None:
        raise click.UsageError("--video needs --recording")
    from gateway.cli.examples import NullObserver
    from gateway.clock import SystemClock
    from gateway.doctor.check import worst
    from gateway.doctor.diagnosis import diagnose

    loaded = read(config, check_files=False)
    with _progress() as show:
        checks = asyncio.run(diagnose(loaded, SystemClock(), NullObserver(), recording, video, show=show))
    result = worst(checks)
    if as_json:
        rows = [{"name": one.name, "result": one.result, "detail": one.detail, "remedy": one.remedy} for one in checks]
        click.echo(json.dumps({"result": result, "checks": rows}))
    else:
        _print_checks(checks, result)
    sys.exit(_EXIT_STATUS[result])


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Shows on a terminal what is being tried, until the end of the block."""
    console = console_for(sys.stderr)
    if console is None:
        yield lambda _text: None
        return
    with console.status(styled("reading the configuration")) as status:
        yield lambda text: status.update(styled(text))


def _print_checks(checks: "list[Check]", result: str) -> None:
    """Print a table if standard output is a terminal, else a line per check and one for its remedy; then the result."""
    console = console_for(sys.stdout)
    if console is None:
        for one in checks:
            click.echo(printable(f"{one.result:<8}  {one.name}: {one.detail}"))
            if one.remedy:
                click.echo(printable(f"          remedy: {one.remedy}"))
        click.echo(result)
        return
    rows: list[list[Cell]] = [[one.name, (one.result, _STYLES[one.result]), one.detail, one.remedy] for one in checks]
    print_table(console, ("check", "result", "detail", "remedy"), rows)
    console.print(styled(result, _STYLES[result]))
