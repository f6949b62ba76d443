"""``cut``: ends one stream of a running gateway, through its admin listener."""

import asyncio
from pathlib import Path

import click

from gateway.cli.admin_client import admin_option, exit_with, request_admin
from gateway.cli.options import config_option


def _request_id(text: str) -> str:
    if not text.isascii() or not text.replace("-", "").isalnum() or len(text) > 64:
        raise click.BadParameter("it is not a request id: see `streams`")
    return text


@click.command()
@config_option
@admin_option
@click.argument("request_id", type=_request_id)
def command(config: Path, admin: str | None, request_id: str) -> None:
    """Cut the stream of REQUEST_ID, which `streams`, the audit and the log name.

    Needs admin.token, or an admin listener on a unix socket. The person may request the video again: `revoke` ends
    what they were issued, a rule with allow = false keeps them out.
    """
    status, body = asyncio.run(request_admin(config, admin, "DELETE", f"/streams/{request_id}"))
    if status != 204:
        exit_with(status, body)
    click.echo(f"cut: {request_id}", err=True)
