"""``check-config``: every fault at once, each with key, line, reason and remedy."""

import sys
from pathlib import Path

import click

from gateway.cli.configuration import BAD_CONFIGURATION, config_option, read, tell


@click.command()
@config_option
def command(config: Path) -> None:
    """Tell every fault of a configuration at once; exit 0 if there is none, 78 otherwise."""
    loaded = read(config)
    tell("warning", loaded.warnings)
    tell("fault", loaded.faults)
    if loaded.settings is None:
        sys.exit(BAD_CONFIGURATION)
    settings = loaded.settings
    counts = (
        f"{len(settings.identity)} identity provider(s), {len(settings.grants)} grant(s), "
        f"{len(settings.valt.accounts)} VALT account(s), {len(settings.examples)} example(s) tried"
    )
    click.echo(f"configuration is good: {counts}", err=True)
