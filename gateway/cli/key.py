"""``key mint``: a service key, shown once; the configuration keeps its hash."""

import hashlib
import json
import secrets

import click


@click.group()
def command() -> None:
    """Mint service keys."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def mint(as_json: bool) -> None:
    """Make a service key. It is shown once; put secret_sha256 into [[service_keys]]."""
    secret = f"vgk_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(secret.encode()).hexdigest()
    if as_json:
        click.echo(json.dumps({"secret": secret, "secret_sha256": digest}))
    else:
        click.echo(secret)
        click.echo(f'Keep it: it is not shown again. For the configuration: secret_sha256 = "{digest}"', err=True)
