"""Checks of the files and directories that a running gateway needs: certificates, the state and the audit.

They are checked before the start, so that a missing file is reported with its key and not as an error of a library.
Nothing that stays is created or changed.
"""

import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cpus import worker_count
from gateway.settings.faults import Fault
from gateway.settings.file_access import (
    exists,
    remedy_of_unreadable,
    why_unreadable,
    why_unwritable,
    why_unwritable_folder,
)
from gateway.settings.file_modes import is_no_socket
from gateway.settings.identity import NegotiateSettings, RemoteProvider
from gateway.settings.keytab import keytab_fault
from gateway.settings.model import Settings
from gateway.settings.state_checks import parse_address
from gateway.settings.state_files import STATE_FILE, state_faults
from gateway.settings.worker_shares import audit_file_of_worker

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_CERTIFICATE, _KEY = b"CERTIFICATE-----", b"PRIVATE KEY-----"
"""What the first line of each in a PEM file ends in."""


def faults_of(settings: Settings, *, running: bool = False) -> list[Fault]:
    """Returns the faults, without lines. *running*: whether a running gateway reads the settings, which has its state,
    audit and sockets open: their faults must not keep it from applying new rules."""
    readable = [*certificate_faults(settings), *_authorities(settings), *_keytabs(settings)]
    opened = (
        ()
        if running
        else (
            *(state_faults(settings.state.dir), audit_faults(settings), socket_faults(settings)),
            temporary_directory_faults(settings),
        )
    )
    return [*readable, *chain.from_iterable(opened)]


def socket_faults(settings: Settings) -> Iterator[Fault]:
    """Yields a fault for each unix socket whose path is that of something else."""
    for table, listen in (("server", settings.server.listen), ("admin", settings.admin.listen)):
        path = Path(listen.removeprefix("unix:"))
        if listen.startswith("unix:") and is_no_socket(path):
            yield Fault(f"{table}.listen", None, f"names {path}, which is no socket", "name a path for a socket alone")
    listeners = (settings.server.listen, settings.admin.listen)
    paths = {os.path.normpath(listen.removeprefix("unix:")) for listen in listeners if listen.startswith("unix:")}
    if len(paths) == len(listeners) > len(set(map(os.path.realpath, paths))):
        reason = "leads to the public listener's socket by links"
        yield Fault("admin.listen", None, reason, "name another path")


def temporary_directory_faults(settings: Settings) -> Iterator[Fault]:
    """Yields a fault if there are to be several workers and no directory for the files that they share."""
    if worker_count(settings.server.workers) > 1:
        try:
            tempfile.gettempdir()  # which writes a file, and removes it
        except FileNotFoundError:
            reason = "needs a temporary directory, and none can be written"
            yield Fault("server.workers", None, reason, "set TMPDIR to a directory with room")


def certificate_faults(settings: Settings) -> Iterator[Fault]:
    """Yields the faults of the public listener's certificate."""
    certificate, key = settings.server.tls_cert_file, settings.server.tls_key_file
    if certificate is None or key is None:
        return
    faults = [
        Fault(f"server.{name}", None, f"names {path}, which cannot be read: {why}", remedy_of_unreadable(path))
        for name, path in (("tls_cert_file", certificate), ("tls_key_file", key))
        if (why := why_unreadable(path)) is not None
    ]
    yield from faults
    if not faults:
        try:
            # The empty password keeps OpenSSL from asking for the one of an encrypted key.
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password="")
        except ssl.SSLError as error:
            yield _fault_of_pair(certificate, key, error)


def _fault_of_pair(certificate: Path, key: Path, error: ssl.SSLError) -> Fault:
    """Returns the fault of two files that OpenSSL does not take together."""
    place, (first, second) = "server.tls_cert_file", (path.read_bytes() for path in (certificate, key))
    why = error.reason or error.strerror or "not PEM"
    if error.reason == "KEY_VALUES_MISMATCH" and _has_certificate_of_key(certificate, key):
        reason = "has the certificate of tls_key_file below another one"
        return Fault(place, None, reason, "put the server's own certificate first")
    if error.reason == "KEY_VALUES_MISMATCH":
        return Fault("server.tls_key_file", None, "is not the key of tls_cert_file", "name the matching key")
    if _KEY in first and _CERTIFICATE not in first:
        is_swapped = _CERTIFICATE in second and _KEY not in second
        return Fault(place, None, "has a private key alone", "swap the two" if is_swapped else "name the certificate")
    if _CERTIFICATE in second and _KEY not in second:
        return Fault("server.tls_key_file", None, "has a certificate and no private key", "name the key")
    if why.endswith(("KEY_TOO_SMALL", "MD_TOO_WEAK")):
        remedy = "have one issued for RSA of 2048 bits or more, or an EC key, signed with SHA-256"
        return Fault(place, None, f"is too weak for OpenSSL: {why}", remedy)
    return Fault(
        place, None, f"and tls_key_file cannot be used: {why}", "write both as PEM, the key without a password"
    )


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
    why = why_unreadable(path)
    if why is None:
        try:
            ssl.create_default_context(cafile=path)
        except ssl.SSLError as error:
            why = f"it has no certificate ({error.reason or error.strerror})"
    return why


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
        why = why_unwritable(path, os.W_OK) if exists(path) else why_unwritable_folder(path.resolve().parent)
    except OSError as error:  # a directory above it may not be entered, or links lead in a circle
        why = error.strerror
    if why is not None:
        reason, remedy = f"names {path}, which cannot be written: {why}", "let the service write the file"
        yield Fault("audit.file", None, reason, f"create the directory, and {remedy}", ("server.workers",))


def _is_of_state(path: Path, folder: Path) -> bool:
    """Whether *path* is the state's *folder*, or its database with what SQLite creates beside it."""
    folder = Path(os.path.normpath(folder))
    return path == folder or (path.parent == folder and path.name.startswith(STATE_FILE))
