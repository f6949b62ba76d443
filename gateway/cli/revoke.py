"""``revoke``: revokes everything issued to a person until now. A running gateway applies it within two seconds."""

import sys
import time
from pathlib import Path

import click

from gateway.cli.configuration import read_or_exit
from gateway.cli.options import config_option

_LONGEST_TOKEN = 30 * 24 * 3600.0
"""Seconds. No provider's token is assumed to live longer; how long a session lives is in the configuration."""


@click.command()
@config_option
@click.option("--subject", required=True, help="The person, as the identity provider names them.")
def command(config: Path, subject: str) -> None:
    """Revoke the sessions, tickets and tokens issued to SUBJECT until now, and cut their streams."""
    import sqlite3

    from gateway.store.sqlite import revoke_in_file

    settings = read_or_exit(config)
    if settings.state.dir is None:
        message = "state.dir is not set: a running gateway cannot be notified. Set it and restart the gateway once."
        click.echo(message, err=True)
        sys.exit(1)
    lifetime = 0.0 if settings.session is None else settings.session.lifetime
    now = time.time()
    try:
        revoke_in_file(settings.state.dir / "state.sqlite3", subject, now, now + max(_LONGEST_TOKEN, lifetime))
    except (OSError, sqlite3.Error) as error:
        click.echo(f"the state in {settings.state.dir} cannot be written: {error}", err=True)
        sys.exit(1)
    click.echo(f"revoked: {subject}", err=True)
