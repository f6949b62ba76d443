"""Warnings about files that other users of the machine may read, change or replace."""

import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.settings.faults import Fault
from gateway.settings.file_modes import exposures, mode_of
from gateway.settings.files import authority_files
from gateway.settings.identity import NegotiateSettings
from gateway.settings.model import Settings

_PRIVATE = b"PRIVATE KEY-----"


def permission_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines. Of the files of secrets, and of the configuration, the loading speaks."""
    secret = _secret_files(settings)
    for key, path in secret.items():
        yield from exposures(key, path, secret=True)
    for key, path in _other_places(settings):
        if mode_of(path) & stat.S_IROTH and path not in secret.values() and _has_key(key, path):
            reason = "has a private key besides the certificate, and every user may read it"
            yield Fault(key, None, reason, "remove the key from it, or chmod 600 it")
        yield from exposures(key, path)


def _secret_files(settings: Settings) -> dict[str, Path]:
    """Returns the files that only the gateway may read, by key."""
    paths = {
        "server.tls_key_file": settings.server.tls_key_file,
        "audit.chain_key_file": settings.audit.chain_key_file,
    }
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, NegotiateSettings):
            paths[f"identity.{number}.keytab_file"] = provider.keytab_file
    return {key: path for key, path in paths.items() if path is not None}


def _other_places(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yields the files and directories that others may read and must not change, each with its key."""
    yield from authority_files(settings)
    paths = {
        "server.tls_cert_file": settings.server.tls_cert_file,
        "branding.logo_file": settings.branding.logo_file,
        "state.dir": settings.state.dir,
        "audit.file": None if settings.audit.file == "-" else Path(settings.audit.file),
    }
    yield from ((key, path) for key, path in paths.items() if path is not None)
    for table, listen in (("server", settings.server.listen), ("admin", settings.admin.listen)):
        if listen.startswith("unix:"):  # of the socket itself server.socket_mode decides
            yield f"{table}.listen", Path(listen.removeprefix("unix:")).parent


def _has_key(key: str, path: Path) -> bool:
    """Whether *path* is a file of certificates and has a private key too, as HAProxy's have."""
    return key.endswith(("cert_file", "ca_file")) and _PRIVATE in path.read_bytes()
