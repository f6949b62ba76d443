"""Where listeners stand, as settings write it: ``host:port``, ``[::1]:port`` or ``unix:/path``."""

import ssl
from pathlib import Path

from aiohttp import web


def tls_context(pair: tuple[Path, Path] | None) -> ssl.SSLContext | None:
    """For a certificate and its key, PEM; None for none. OSError (ssl.SSLError is one) where they do not do."""
    if pair is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)
    return context


def site_at(runner: web.BaseRunner, listen: str, tls: ssl.SSLContext | None) -> web.BaseSite:
    if listen.startswith("unix:"):
        path = Path(listen.removeprefix("unix:"))
        return web.UnixSite(runner, path, ssl_context=tls, backlog=1024)
    host, _, port = listen.rpartition(":")
    return web.TCPSite(runner, host.strip("[]"), int(port), ssl_context=tls, backlog=1024)


def address_of(runner: web.BaseRunner, scheme: str) -> str:
    """Its URL; a port that the system chose is told."""
    told = runner.addresses[0]
    if isinstance(told, str):
        return f"unix:{told}"
    host = f"[{told[0]}]" if ":" in told[0] else told[0]
    return f"{scheme}://{host}:{told[1]}"
