"""``check-config``: reports every fault of a configuration at once, each with key, line, reason and remedy."""

import sys
from pathlib import Path

import click

from gateway.cli.configuration import BAD_CONFIGURATION, STYLES, Severity, print_faults, read
from gateway.cli.options import config_option
from gateway.cli.terminal import Cell, console_for, print_table
from gateway.settings.faults import Fault
from gateway.settings.loading import Loaded
from gateway.settings.model import Settings


@click.command()
@config_option
@click.option("--without-secrets", is_flag=True, help="Read neither secrets nor other files that the gateway needs.")
def command(config: Path, *, without_secrets: bool) -> None:
    """Report every fault of a configuration at once.

    Exit status: 0 if there is no fault, 78 if there is one. Warnings do not change it.
    """
    loaded = read(config, check_files=not without_secrets, needed_secrets=() if without_secrets else None)
    _print_findings(loaded)
    if loaded.settings is None:
        sys.exit(BAD_CONFIGURATION)
    click.echo(f"the configuration is valid: {_summary(loaded.settings)}", err=True)


def _print_findings(loaded: Loaded) -> None:
    console = console_for(sys.stderr)
    if console is None:
        print_faults("warning", loaded.warnings)
        print_faults("fault", loaded.faults)
        return
    rows = [*(_row("warning", one) for one in loaded.warnings), *(_row("fault", one) for one in loaded.faults)]
    if rows:
        print_table(console, ("", "key", "line", "problem", "remedy"), rows)


def _row(severity: Severity, fault: Fault) -> list[Cell]:
    line = "" if fault.line is None else str(fault.line)
    return [(severity, STYLES[severity]), fault.key, line, f"{fault.reason}.", fault.remedy_sentence]


def _summary(settings: Settings) -> str:
    return (
        f"{len(settings.identity)} identity provider(s), {len(settings.grants)} grant(s), "
        f"{len(settings.valt.accounts)} VALT account(s), {len(settings.examples)} example(s) tried"
    )
