"""Requests of commands to the admin listener of a running gateway."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

import click

from gateway.cli.configuration import read_or_exit
from gateway.cli.options import F
from gateway.cli.terminal import printable

if TYPE_CHECKING:
    from aiohttp import BaseConnector

_TIMEOUT = 20.0
"""Seconds; longer than a supervisor waits for its workers."""
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""What a listener on every address can be reached at."""


def admin_option(function: F) -> F:
    """Add ``--admin``."""
    return click.option(
        "--admin",
        metavar="ADDRESS",
        help="Of the admin listener, http://host:port or unix:/path, as `serve` prints it; else it is admin.listen.",
    )(function)


async def request_admin(config: Path, admin: str | None, method: str, path: str) -> tuple[int, bytes]:
    """Returns status and body of the response to a request, with the token that *config* has.

    Exits with 78 if *config* has a fault, and with 1 if the listener cannot be reached.
    """
    import aiohttp

    settings = read_or_exit(config, needed_secrets=("admin",))
    connector, base = _place(admin or settings.admin.listen)
    headers = {"Host": "localhost"}
    if settings.admin.token is not None:
        headers["Authorization"] = f"Bearer {settings.admin.token.reveal()}"
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as client,
            client.request(method, base + path, headers=headers, allow_redirects=False) as response,
        ):
            return response.status, await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        click.echo(f"the admin listener at {admin or settings.admin.listen} cannot be reached: {reason}", err=True)
        sys.exit(1)


def exit_with(status: int, body: bytes) -> NoReturn:
    """Says why the admin listener refused, and exits with 1."""
    reasons: dict[int, str] = {
        401: "the gateway's admin.token is another one than that of this configuration",
        404: _text_of(body),
    }
    click.echo(reasons.get(status) or f"{status}: {_text_of(body)}", err=True)
    if status < 400:
        exit_without_listener()
    sys.exit(1)


def exit_without_listener() -> NoReturn:
    """Says that another program has the address, and exits with 1."""
    click.echo("that is no response of an admin listener: check --admin, or admin.listen", err=True)
    sys.exit(1)


def _text_of(body: bytes) -> str:
    """Returns the first 500 bytes of *body* as text that controls no terminal: another program may have the address."""
    return printable(body[:500].decode("utf-8", "replace").strip())


def _place(listen: str) -> tuple["BaseConnector | None", str]:
    """Returns the connector for *listen*, and the beginning of URLs."""
    from aiohttp import UnixConnector

    if listen.startswith("systemd:"):
        raise click.UsageError(f"admin.listen is {listen}: say with --admin where that is, as in ListenStream=")
    if listen.startswith("unix:"):
        return UnixConnector(path=listen.removeprefix("unix:")), "http://localhost"
    host, _, port = listen.rpartition(":")
    if not (urlsplit(listen).hostname if listen.startswith("http://") else port.isdecimal()):
        raise click.UsageError(f"{listen} is no address: write host:port, http://host:port or unix:/path")
    if listen.startswith("http://"):
        return None, listen.rstrip("/")
    host = _ANY.get(host.strip("[]"), host.strip("[]"))
    return None, f"http://{f'[{host}]' if ':' in host else host}:{port}"
