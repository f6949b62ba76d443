"""``revoke``: void what was issued to a person until now; a running gateway takes notice within two seconds."""

import sys
import time
from pathlib import Path

import click

from gateway.cli.configuration import config_option, read_or_exit

_LONGEST_TOKEN = 30 * 24 * 3600.0
"""Seconds that no provider's token lives; a session may, and its life is known."""


@click.command()
@config_option
@click.option("--subject", required=True, help="The person, as the identity provider names them.")
def command(config: Path, subject: str) -> None:
    """Void the sessions, tickets and tokens that were issued to SUBJECT until now, and cut their streams."""
    import sqlite3

    from gateway.store.sqlite import revoke_in

    settings = read_or_exit(config)
    if settings.state.dir is None:
        click.echo("state.dir is not set, so a running gateway cannot be told. Set it and restart once.", err=True)
        sys.exit(1)
    lifetime = 0.0 if settings.session is None else settings.session.lifetime
    now = time.time()
    try:
        revoke_in(settings.state.dir / "state.sqlite3", subject, now, now + max(_LONGEST_TOKEN, lifetime))
    except (OSError, sqlite3.Error) as error:
        click.echo(f"the state in {settings.state.dir} cannot be written: {error}", err=True)
        sys.exit(1)
    click.echo(f"revoked: {subject}", err=True)
