"""``ticket mint`` and ``ticket verify``: what a portal does, and what the gateway will think of it."""

import json
import sys
import time
from pathlib import Path
from typing import NoReturn

import click
from pydantic_core import PydanticCustomError


@click.group()
def command() -> None:
    """Mint and verify portal tickets."""


@command.command()
@click.option("--issuer", required=True, help="The portal: iss.")
@click.option("--audience", required=True, help="The gateway's public_url: aud.")
@click.option("--key", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Signing key.")
@click.option("--subject", required=True, help="The person: sub.")
@click.option("--group", "groups", multiple=True, help="A group; may be given several times.")
@click.option("--recording", help="Good for this recording alone.")
@click.option("--video", help="Good for this video alone.")
@click.option("--ttl", default="60s", show_default=True, help="How long it is good.")
def mint(
    issuer: str,
    audience: str,
    key: Path,
    subject: str,
    groups: tuple[str, ...],
    recording: str | None,
    video: str | None,
    ttl: str,
) -> None:
    """Sign a ticket with KEY: a private key's PEM, or a secret of 32 bytes or more."""
    from gateway.identity.ticket import mint_ticket

    try:
        ticket = mint_ticket(
            key.read_text().strip(),
            issuer=issuer,
            audience=audience,
            subject=subject,
            now=time.time(),
            ttl=_seconds(ttl),
            groups=groups,
            recording=recording,
            video=video,
        )
    except ValueError as error:
        _fail(str(error))
    click.echo(ticket)


@command.command()
@click.option("--issuer", required=True)
@click.option("--audience", required=True)
@click.option("--key", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Public key.")
@click.option("--algorithm", "algorithms", multiple=True, default=("EdDSA",), show_default=True)
@click.option("--max-age", default="60s", show_default=True)
@click.argument("ticket", required=False)
def verify(
    issuer: str, audience: str, key: Path, algorithms: tuple[str, ...], max_age: str, ticket: str | None
) -> None:
    """Say what the gateway would think of TICKET (or of standard input); exit 1 if it would refuse it."""
    from gateway.errors import InvalidCredentialsError
    from gateway.identity.claims import Expected
    from gateway.identity.ticket import read_ticket

    text = (ticket or sys.stdin.read()).strip()
    expected = Expected(issuer, audience, algorithms, 5.0)
    try:
        claims = read_ticket(text, key.read_text().strip(), expected, _seconds(max_age), time.time())
    except InvalidCredentialsError as error:
        _fail(str(error))
    click.echo(json.dumps(dict(claims.all), indent=2))


def _seconds(text: str) -> float:
    from gateway.settings.values import seconds

    try:
        return seconds(text)
    except PydanticCustomError as error:
        raise click.UsageError(f"{text!r} {error.message()}") from None


def _fail(reason: str) -> NoReturn:
    click.echo(f"refused: {reason}", err=True)
    sys.exit(1)
