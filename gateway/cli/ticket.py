"""``ticket mint`` signs a ticket as a portal does; ``ticket verify`` checks one as the gateway does."""

import json
import sys
import time
from pathlib import Path
from typing import NoReturn, get_args

import click

from gateway.cli.options import SuggestingGroup, duration, identifier
from gateway.settings.values import TicketAlgorithm

_LEEWAY = 5.0
"""Allowed difference of the portal's clock in seconds, as in a running gateway."""

_KEY_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(cls=SuggestingGroup)
def command() -> None:
    """Mint and verify portal tickets."""


@command.command()
@click.option("--issuer", required=True, help="Issuer: the portal (iss).")
@click.option("--audience", required=True, help="Audience: the gateway's public_url (aud).")
@click.option("--key", required=True, type=_KEY_FILE, help="Signing key.")
@click.option("--subject", required=True, help="The person (sub).")
@click.option("--group", "groups", multiple=True, help="A group; may be given several times.")
@click.option("--recording", type=identifier, help="Limit the ticket to this recording.")
@click.option("--video", type=identifier, help="Limit the ticket to this video.")
@click.option("--ttl", type=duration, default="60s", show_default=True, help="Lifetime.")
def mint(
    issuer: str,
    audience: str,
    key: Path,
    subject: str,
    groups: tuple[str, ...],
    recording: str | None,
    video: str | None,
    ttl: float,
) -> None:
    """Sign a ticket with KEY: a private key's PEM, or a secret of 32 bytes or more."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from jwt import PyJWTError

    from gateway.identity.ticket import mint_ticket

    try:
        ticket = mint_ticket(
            _read(key),
            issuer=issuer,
            audience=audience,
            subject=subject,
            now=time.time(),
            ttl=ttl,
            groups=groups,
            recording=recording,
            video=video,
        )
    except (ValueError, TypeError, PyJWTError, UnsupportedAlgorithm) as error:
        _fail(f"{key} cannot sign: {error}")
    click.echo(ticket)


@command.command()
@click.option("--issuer", required=True, help="Issuer: the portal (iss).")
@click.option("--audience", required=True, help="Audience: the gateway's public_url (aud).")
@click.option("--key", required=True, type=_KEY_FILE, help="Public key, or the secret for HS256.")
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    type=click.Choice(get_args(TicketAlgorithm)),
    default=("EdDSA",),
    show_default=True,
    help="An accepted algorithm; may be given several times.",
)
@click.option("--max-age", type=duration, default="60s", show_default=True, help="Greatest age and lifetime.")
@click.argument("ticket", required=False)
def verify(
    issuer: str, audience: str, key: Path, algorithms: tuple[str, ...], max_age: float, ticket: str | None
) -> None:
    """Print the claims of TICKET (or of standard input) if the gateway would accept it, else exit with status 1.

    The ticket is not used up.
    """
    from gateway.errors import InvalidCredentialsError
    from gateway.identity.claims import TokenRequirements
    from gateway.identity.ticket import read_ticket

    text = (ticket or sys.stdin.read()).strip()
    expected = TokenRequirements(issuer, audience, algorithms, _LEEWAY)
    try:
        claims = read_ticket(text, (_read(key),), expected, max_age, time.time())
    except InvalidCredentialsError as error:
        _fail(f"refused: {error}")
    click.echo(json.dumps(dict(claims.all), indent=2))


def _read(key: Path) -> str:
    """Returns the text of a key file as the configuration reads it, without its trailing newline."""
    try:
        return key.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeError):
        _fail(f"{key} cannot be read as text")


def _fail(reason: str) -> NoReturn:
    click.echo(reason, err=True)
    sys.exit(1)
