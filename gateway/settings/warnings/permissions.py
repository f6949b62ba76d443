"""Warnings about files that other users of the machine may read, change or replace."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.settings.faults import Fault
from gateway.settings.file_modes import exposures, is_open_to_all, is_within_reach, mode_of
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
            yield Fault(key, None, reason, "remove the key from it, or chmod o-r it")
        yield from exposures(key, path)
    yield from _open_names(settings)
    yield from _stored(settings)


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


def _open_names(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each unix socket in a directory such as /tmp: whoever takes its name before the gateway
    starts receives what the proxy sends."""
    for table, listen in (("server", settings.server.listen), ("admin", settings.admin.listen)):
        folder = Path(listen.removeprefix("unix:")).parent
        if listen.startswith("unix:") and is_open_to_all(folder):
            reason = f"is in {folder}, where every user may take its name first, and receive what is sent to it"
            yield Fault(
                f"{table}.listen", None, reason, "name a path in a directory of the service's own, as below /run"
            )


def _has_key(key: str, path: Path) -> bool:
    """Whether *path* is a file of certificates and has a private key too, as HAProxy's have."""
    return key.endswith(("cert_file", "ca_file")) and _PRIVATE in path.read_bytes()


def _stored(settings: Settings) -> Iterator[Fault]:
    """Yields a warning if every user may read or change what the gateway writes. It creates files for itself alone, so
    that another mode is that of a copy, of a rotation or of a command."""
    places = []
    if settings.state.dir is not None:
        files = _files_like(settings.state.dir, r"state\.sqlite3.*")
        places.append(("state.dir", files, "who has signed out or was locked out", "chmod o-r it"))
    if settings.audit.file != "-":
        path = Path(settings.audit.file)
        stem, suffix = re.escape(path.stem), re.escape(path.suffix)
        files = _files_like(path.parent, rf"{stem}(\.\d+)?{suffix}([.-]\d.*)?")
        places.append(("audit.file", files, "who watched what", "chmod o-r it, as what rotates it must do"))
    for key, files, what, remedy in places:
        changeable = next((file for file in files if mode_of(file) & stat.S_IWOTH), None)
        if changeable is not None:
            yield Fault(key, None, f"can be changed by every user: {changeable}", "chmod o-w it")
        readable = next((file for file in files if mode_of(file) & stat.S_IROTH and is_within_reach(file)), None)
        if readable is not None:
            yield Fault(key, None, f"lets every user read {what}: {readable}", remedy)


def _files_like(folder: Path, pattern: str) -> list[Path]:
    """Returns the files and pipes in *folder* whose whole names match *pattern*; none if it cannot be listed."""
    try:
        files = sorted(path for path in folder.iterdir() if re.fullmatch(pattern, path.name))
    except OSError:
        return []
    return [path for path in files if stat.S_ISREG(mode_of(path)) or stat.S_ISFIFO(mode_of(path))]
