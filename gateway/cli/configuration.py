"""What every command does with ``--config``: read it, tell its faults, or go on."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.settings.faults import Fault
from gateway.settings.loading import Loaded, load
from gateway.settings.model import Settings

BAD_CONFIGURATION = 78

F = TypeVar("F", bound=Callable[..., Any])


def config_option(function: F) -> F:
    return click.option(
        "--config",
        "config",
        required=True,
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="The TOML file.",
    )(function)


def read(config: Path) -> Loaded:
    from gateway.cli.examples import try_examples

    return load(config, os.environ, try_examples=try_examples)


def read_or_exit(config: Path) -> Settings:
    """The settings; tells warnings, and exits with 78 where there are faults."""
    loaded = read(config)
    tell("warning", loaded.warnings)
    if loaded.settings is None:
        tell("fault", loaded.faults)
        sys.exit(BAD_CONFIGURATION)
    return loaded.settings


def tell(kind: str, faults: Iterable[Fault]) -> None:
    """One line each, to standard error."""
    color = {"fault": "red", "warning": "yellow"}[kind]
    plain = "NO_COLOR" in os.environ or not sys.stderr.isatty()
    for fault in faults:
        label = kind if plain else click.style(kind, fg=color, bold=True)
        click.echo(f"{label}: {fault}", err=True, color=not plain)
