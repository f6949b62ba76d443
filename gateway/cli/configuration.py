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
    return load(config, os.environ, try_examples=_try_examples)


def _try_examples(settings: Settings) -> Iterable[Fault]:
    """The rules are imported only where there is something to try on them: the server comes with them."""
    if not settings.examples:
        return ()
    from gateway.cli.examples import try_examples

    return try_examples(settings)


def read_or_exit(config: Path) -> Settings:
    """The settings; tells warnings, and exits with 78 where there are faults."""
    loaded = read(config)
    tell("warning", loaded.warnings)
    if loaded.settings is None:
        tell("fault", loaded.faults)
        sys.exit(BAD_CONFIGURATION)
    return loaded.settings


def tell(kind: str, faults: Iterable[Fault]) -> None:
    """One line each, to standard error; in colour on a terminal where NO_COLOR (no-color.org) is not set."""
    color = {"fault": "red", "warning": "yellow"}[kind]
    plain = bool(os.environ.get("NO_COLOR")) or not sys.stderr.isatty()
    for fault in faults:
        label = kind if plain else click.style(kind, fg=color, bold=True)
        click.echo(f"{label}: {fault}", err=True, color=not plain)
