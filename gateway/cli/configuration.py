"""Reads the configuration for a command, and prints its faults and warnings."""

import os
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal

import click

from gateway.cli.terminal import console_for, styled
from gateway.settings.faults import Fault, Findings
from gateway.settings.loading import Loaded, load
from gateway.settings.model import Settings
from gateway.settings.until_restart import InForce

BAD_CONFIGURATION = 78
"""Exit status (EX_CONFIG of sysexits.h)."""

Severity = Literal["fault", "warning"]
STYLES: dict[Severity, str] = {"fault": "bold red", "warning": "bold yellow"}


def read(
    config: Path,
    *,
    check_files: bool = True,
    running: bool = False,
    examples: bool = True,
    needed_secrets: Collection[str] | None = None,
    contents: bytes | None = None,
    in_force: InForce | None = None,
) -> Loaded:
    """Returns what is in *config* and the environment, with the findings about ``[[examples]]`` and, with
    *check_files*, about the files that a gateway needs; for a *running* one, without those that it has open.
    *needed_secrets* are the tables whose secrets are read, None for all. *contents* are the file's, if they have been
    read already; *in_force* is as for `load`."""
    return load(
        config,
        os.environ,
        try_examples=_try_examples if examples else None,
        check_files=check_files,
        running=running,
        needed_secrets=needed_secrets,
        contents=contents,
        in_force=in_force,
    )


def _try_examples(settings: Settings) -> Findings:
    # The rules come with the server's libraries: they are imported only if there are examples.
    if not settings.examples:
        return Findings()
    from gateway.cli.examples import try_examples

    return try_examples(settings)


def read_or_exit(
    config: Path,
    *,
    check_files: bool = False,
    needed_secrets: Collection[str] | None = None,
    contents: bytes | None = None,
) -> Settings:
    """Returns the settings and prints warnings; prints the faults and exits with 78 if there are any. *needed_secrets*
    are the tables whose secrets are read, None for all; without all of them the examples are not tried either, because
    `revoke` and `explain` are for the moment at which something is wrong. *contents* are the file's, if they have been
    read already."""
    examples = needed_secrets is None
    loaded = read(config, check_files=check_files, examples=examples, needed_secrets=needed_secrets, contents=contents)
    print_faults("warning", loaded.warnings)
    if loaded.settings is None:
        print_faults("fault", loaded.faults)
        sys.exit(BAD_CONFIGURATION)
    return loaded.settings


def print_faults(severity: Severity, faults: Iterable[Fault]) -> None:
    """Print one line per fault to standard error, in colour if that is a terminal."""
    console = console_for(sys.stderr)
    for fault in faults:
        if console is None:
            click.echo(f"{severity}: {fault}", err=True)
        else:
            console.print(styled(severity, STYLES[severity]) + styled(f": {fault}"))
