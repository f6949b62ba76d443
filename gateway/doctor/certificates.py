"""How many days certificates are valid: the gateway's own file, and those that servers present."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from gateway.connection_failure import describe_failure
from gateway.doctor.check import Check, broken, doubtful, good
from gateway.doctor.remote_server import remedy_for
from gateway.settings.file_access import remedy_of_unreadable
from gateway.settings.model import Settings

_RENEW_DAYS = 14
"""A certificate that is valid for fewer days should have been renewed by the usual automatic renewal."""
_DAY = 86_400.0


def https_servers(settings: Settings) -> Iterator[tuple[str, str, Path | None, str]]:
    """Yields for each configured server that speaks https its name among the checks, its URL, its private CA if it has
    one, and what configures that."""
    servers = (
        ("public_url", settings.server.public_url, None, "SSL_CERT_FILE, or the system's store"),
        ("valt", settings.valt.base_url, settings.valt.ca_file, "valt.ca_file"),
    )
    for name, url, ca_file, ca in servers:
        if url.startswith("https://"):
            yield name, url, ca_file, ca


def check_file(path: Path, now: float) -> Check:
    """Returns how long the certificate in the file *path* is valid at *now*, in Unix seconds."""
    from cryptography import x509

    name = "certificate:server"
    try:
        first = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except OSError as error:
        why = error.strerror or "it cannot be opened"
        return broken(name, f"{path} cannot be read: {why}", remedy_of_unreadable(path))
    except ValueError:
        return broken(name, f"{path} cannot be read: it is not PEM", "write it as PEM")
    return _judge(name, first.not_valid_after_utc.timestamp(), now, "and send SIGHUP, which reads it anew")


async def check_presented(
    name: str, url: str, ca_file: Path | None, ca: str, now: float, *, connect_timeout: float
) -> Check:
    """Returns how long the certificate that the server of *url* presents is valid at *now*, in Unix seconds.
    *connect_timeout*: seconds, the handshake included."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    name = f"certificate:{name}"
    context = ssl.create_default_context(cafile=ca_file)
    try:
        async with asyncio.timeout(connect_timeout):
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    except (OSError, TimeoutError, ValueError) as error:
        reason = describe_failure(error, f"{host}:{port}")
        return broken(name, reason, remedy_for(reason, ca=ca))
    certificate = writer.get_extra_info("peercert")
    writer.transport.abort()
    return _judge(name, float(ssl.cert_time_to_seconds(certificate["notAfter"])), now, f"at {host}:{port}")


def _judge(name: str, expires_at: float, now: float, where: str) -> Check:
    days = int((expires_at - now) // _DAY)
    end = f"{datetime.fromtimestamp(expires_at, UTC):%Y-%m-%d}"
    if expires_at <= now:
        return broken(name, f"it expired on {end}", f"renew it {where}")
    if days < _RENEW_DAYS:
        remedy = f"renew it {where}; see why the automatic renewal has not"
        return doubtful(name, f"it is valid for {days} more days, until {end}", remedy)
    return good(name, f"it is valid for {days} more days, until {end}")
