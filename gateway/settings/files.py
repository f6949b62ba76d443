"""Checks of the files and directories that a running gateway needs: certificates, the state and the audit.

They are checked before the start, so that a missing file is reported with its key and not as an error of a library.
Nothing is created or changed.
"""

import errno
import os
import sqlite3
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.build_info import state_schema_fault
from gateway.settings.faults import Fault
from gateway.settings.file_modes import is_no_socket
from gateway.settings.identity import NegotiateSettings, RemoteProvider
from gateway.settings.keytab import keytab_fault
from gateway.settings.model import Settings
from gateway.settings.paths import remedy_of_missing
from gateway.settings.state_checks import parse_address
from gateway.settings.worker_shares import audit_file_of_worker

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_STATE_FILE = "state.sqlite3"
_NO_ACCESS = "no permission, or a read-only file system"


def faults_of(settings: Settings, *, running: bool = False) -> list[Fault]:
    """Returns the faults, without lines. *running*: whether a running gateway reads the settings, which has its state,
    audit and sockets open: their faults must not keep it from applying new rules."""
    readable = [*certificate_faults(settings), *_authorities(settings), *_keytabs(settings)]
    opened = () if running else (state_faults(settings.state.dir), audit_faults(settings), socket_faults(settings))
    return [*readable, *chain.from_iterable(opened)]


def socket_faults(settings: Settings) -> Iterator[Fault]:
    """Yields a fault for each unix socket whose path is that of something else."""
    for table, listen in (("server", settings.server.listen), ("admin", settings.admin.listen)):
        path = Path(listen.removeprefix("unix:"))
        if listen.startswith("unix:") and is_no_socket(path):
            yield Fault(f"{table}.listen", None, f"names {path}, which is no socket", "name a path for a socket alone")


def certificate_faults(settings: Settings) -> Iterator[Fault]:
    """Yields the faults of the public listener's certificate."""
    certificate, key = settings.server.tls_cert_file, settings.server.tls_key_file
    if certificate is None or key is None:
        return
    faults = [
        Fault(f"server.{name}", None, f"names {path}, which cannot be read: {why}", remedy_of_missing(path))
        for name, path in (("tls_cert_file", certificate), ("tls_key_file", key))
        if (why := _why_unreadable(path)) is not None
    ]
    yield from faults
    if not faults:
        try:
            # The empty password keeps OpenSSL from asking for the one of an encrypted key.
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password="")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH" and _has_certificate_of_key(certificate, key):
                reason = "has the certificate of tls_key_file below another one"
                yield Fault("server.tls_cert_file", None, reason, "put the server's own certificate first")
            elif error.reason == "KEY_VALUES_MISMATCH":
                yield Fault("server.tls_key_file", None, "is not the key of tls_cert_file", "name the matching key")
            else:
                reason = f"and tls_key_file cannot be used: {error.reason or error.strerror or 'not PEM'}"
                yield Fault("server.tls_cert_file", None, reason, "write both as PEM, the key without a password")


def _has_certificate_of_key(certificate: Path, key: Path) -> bool:
    """Whether one of the certificates in the PEM file *certificate* is that of the private *key*, a PEM file too."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        own = load_pem_private_key(key.read_bytes(), password=None).public_key()
    except (TypeError, ValueError):  # OpenSSL reads some that are encrypted with an empty password
        return False
    return any(one.public_key() == own for one in read_certificates(certificate))


def read_certificates(path: Path) -> "Sequence[Certificate]":
    """Returns the certificates in the PEM file *path*, none if they are in another form that OpenSSL can read."""
    from cryptography import x509  # it takes a while to load, and few gateways have a certificate of their own

    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        return ()


def _authorities(settings: Settings) -> Iterator[Fault]:
    """Yields the faults of the files with certificate authorities."""
    for key, path in authority_files(settings):
        why = _why_no_authority(path)
        if why is not None:
            remedy = "name a PEM file of certificates, readable for the gateway"
            yield Fault(key, None, f"names {path}, which cannot be used: {why}", remedy)


def authority_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yields the files with certificate authorities, each with its dotted key."""
    paths = {"valt.ca_file": settings.valt.ca_file}
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, RemoteProvider):
            paths[f"identity.{number}.ca_file"] = provider.ca_file
    redis = parse_address(settings.state)
    if redis is not None and redis.ca_file is not None:
        paths["state.url"] = Path(redis.ca_file)
    yield from ((key, path) for key, path in paths.items() if path is not None)


def _keytabs(settings: Settings) -> Iterator[Fault]:
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, NegotiateSettings):
            fault = keytab_fault(provider.keytab_file, provider.service)
            if fault is not None:
                yield Fault(f"identity.{number}.keytab_file", None, *fault)


def _why_no_authority(path: Path) -> str | None:
    why = _why_unreadable(path)
    if why is None:
        try:
            ssl.create_default_context(cafile=path)
        except ssl.SSLError as error:
            why = f"it has no certificate ({error.reason or error.strerror})"
    return why


def state_faults(folder: Path | None) -> Iterator[Fault]:
    """Yields the faults of the state directory, which the gateway creates if it is missing, and of its database."""
    if folder is None:
        return
    database = folder / _STATE_FILE
    try:
        why = _why_dangling(folder) or _why_unwritable_folder(_nearest_existing(folder))
        exists = database.exists()
    except OSError as error:  # a directory above it may not be entered
        why, exists = error.strerror, False
    if why is not None:
        remedy = "name a directory that the service may write"
        yield Fault("state.dir", None, f"names {folder}, which cannot be written: {why}", remedy)
    elif exists and (why := _why_unusable(database)) is not None:
        remedy = "restore it from a backup, or remove it: revocations and used tickets are lost then"
        yield Fault("state.dir", None, f"has a file {database} that cannot be used: {why}", remedy)


def _why_unusable(database: Path) -> str | None:
    why = _why_unwritable(database, os.R_OK | os.W_OK)
    if why is not None:
        return why
    # Where no gateway has the database open, "immutable" keeps SQLite from creating files beside it.
    mode = "mode=ro" if database.with_name(f"{database.name}-wal").exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?{mode}", uri=True, timeout=1.0)) as connection:
            (result,) = connection.execute("pragma quick_check(1)").fetchone()
            if result != "ok":
                return f"it is damaged ({result})"
            (schema,) = connection.execute("pragma user_version").fetchone()
            return state_schema_fault(schema)
    except sqlite3.OperationalError as error:
        return None if "locked" in str(error) else str(error)
    except sqlite3.DatabaseError as error:
        return f"it is damaged ({error})"


def audit_faults(settings: Settings) -> Iterator[Fault]:
    """Yields the faults of the audit file, which the gateway creates if it is missing."""
    if settings.audit.file == "-":
        return
    if settings.audit.file.endswith("/"):
        yield Fault("audit.file", None, "ends in a slash, as a directory does", "name a file in it")
        return
    folder = settings.state.dir
    if folder is not None and _is_of_state(Path(os.path.normpath(settings.audit.file)), folder):
        yield Fault("audit.file", None, "is what the state uses itself, by state.dir", "name a file of its own")
        return
    path = Path(settings.audit.file if settings.server.workers == 1 else audit_file_of_worker(settings.audit.file, 1))
    try:
        why = _why_unwritable(path, os.W_OK) if _exists(path) else _why_unwritable_folder(path.resolve().parent)
    except OSError as error:  # a directory above it may not be entered, or links lead in a circle
        why = error.strerror
    if why is not None:
        remedy = "create the directory, and let the service write the file"
        yield Fault("audit.file", None, f"names {path}, which cannot be written: {why}", remedy)


def _is_of_state(path: Path, folder: Path) -> bool:
    """Whether *path* is the state's *folder*, or its database with what SQLite creates beside it."""
    folder = Path(os.path.normpath(folder))
    return path == folder or (path.parent == folder and path.name.startswith(_STATE_FILE))


def _exists(path: Path) -> bool:
    """Whether *path* exists. Raises OSError if that cannot be found out; Path.exists says False for some reasons."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def first_byte(path: Path) -> bytes:
    """Returns the first byte of *path*, or nothing if it is empty. Raises OSError, for a pipe too: opening one waits
    until somebody writes to it."""
    if path.is_fifo():
        raise OSError(errno.EINVAL, "it is a pipe")
    with path.open("rb") as file:
        return file.read(1)


def _why_unreadable(path: Path) -> str | None:
    try:
        first_byte(path)
    except OSError as error:
        return error.strerror or "it cannot be opened"
    return None


def _why_unwritable(path: Path, mode: int) -> str | None:
    """Returns why the existing file *path* cannot be used with the access *mode* of os.access."""
    if path.is_dir() or path.is_socket():
        return "it is a directory" if path.is_dir() else "it is a socket"
    return None if os.access(path, mode, effective_ids=True) else _NO_ACCESS


def _why_unwritable_folder(folder: Path) -> str | None:
    """Returns why no file can be created in *folder*."""
    if not folder.is_dir():
        return "not a directory" if folder.exists() else "no such directory"
    return None if os.access(folder, os.W_OK | os.X_OK, effective_ids=True) else _NO_ACCESS


def _why_dangling(folder: Path) -> str | None:
    """Returns why no directory can be created as *folder*: a link to nothing stands there."""
    return "it is a link to what does not exist" if folder.is_symlink() and not folder.exists() else None


def _nearest_existing(folder: Path) -> Path:
    """Returns *folder*, or the nearest directory above it that exists, or is a link to nothing."""
    while not folder.exists() and not folder.is_symlink() and folder != folder.parent:
        folder = folder.parent
    return folder
