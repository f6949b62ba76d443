"""Warnings about files that have no fault: what is lost at a restart, what can be guessed, and what is no audit."""

import os
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from gateway.settings.faults import Fault
from gateway.settings.file_access import first_bytes
from gateway.settings.file_modes import mode_of
from gateway.settings.identity import NegotiateSettings
from gateway.settings.keytab import read_principals
from gateway.settings.model import Settings
from gateway.settings.warnings.certificates import certificate_warnings
from gateway.settings.warnings.permissions import permission_warnings
from gateway.settings.warnings.secrets import secret_file_warnings

_VOLATILE = ("/run", "/var/run", "/dev/shm")  # noqa: S108 (compared with, not written to)
"""Directories in memory."""
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 (compared with, not written to)
_REMEDY_OF_MOVE = "stop the gateway, move it below /var/lib or /var/log, and name it there"
"""What it has would be lost by a new name alone, revocations above all."""
_STREAMS = ("/dev", "/proc")
"""Directories with links to what a process has open."""


def file_warnings(settings: Settings, now: datetime, folder: Path) -> Iterator[Fault]:
    """Yields the warnings, without lines. *now* decides what has expired; *folder* is the configuration's directory."""
    yield from _audit_warnings(settings.audit.file, settings.server.workers)
    yield from _volatile(settings, folder)
    yield from dict.fromkeys(permission_warnings(settings))
    yield from _realms(settings)
    yield from secret_file_warnings(settings)
    yield from certificate_warnings(settings, now)


def _realms(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each realm that a keytab has in other letters: people of that one would be refused."""
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, NegotiateSettings):
            names = read_principals(provider.keytab_file.read_bytes())
            realms = {name.rpartition("@")[2] for name in names}
            for realm in set(provider.realms) - realms:
                meant = next((one for one in realms if _resembles(realm.lower(), one.lower())), None)
                if meant is not None:
                    reason = f"has {realm}, whose people have tickets of {meant}: letter case and every part count"
                    yield Fault(f"identity.{number}.realms", None, reason, f"write it as {meant}")


def _resembles(written: str, realm: str) -> bool:
    """Whether *written*, in lower case, is *realm* but for a final dot, or its first part (NetBIOS's name)."""
    return written.rstrip(".") == realm or ("." not in written and realm.startswith(f"{written}."))


def _volatile(settings: Settings, folder: Path) -> Iterator[Fault]:
    """Yields a warning for state and audit in a directory that is empty after a restart of the machine. A pipe may be
    there: somebody else reads it."""
    audit = None if settings.audit.file == "-" else Path(settings.audit.file)
    for key, path in (("state.dir", settings.state.dir), ("audit.file", audit)):
        if path is None or stat.S_ISFIFO(mode_of(path)):
            continue
        # A link may be there, and may lead there. What a process has open may have no name.
        spellings = (os.path.normpath, os.path.realpath)[: 1 if any(map(path.is_relative_to, _STREAMS)) else 2]
        pairs = [(Path(spelling(path)), Path(spelling(folder.absolute()))) for spelling in spellings]
        cleared = [one for one in _TEMPORARY if any(_is_cleared(place, one, config) for place, config in pairs)]
        if any(place.is_relative_to(memory) for place, _ in pairs for memory in _VOLATILE):
            reason = f"is lost at a restart of the machine: {path} is in memory"
            yield Fault(key, None, reason, _REMEDY_OF_MOVE)
        elif cleared:
            reason = f"is lost when the service or the machine stops: {cleared[0]} is cleared, with PrivateTmp= too"
            yield Fault(key, None, reason, _REMEDY_OF_MOVE)


def _is_cleared(path: Path, temporary: Path, folder: Path) -> bool:
    """Whether *path* is removed with what is in *temporary*, and the gateway starts without it. A volume is not, and
    what is in the configuration's own *folder* there goes with the configuration, as in a trial."""
    below = [one for one in (path, *path.parents) if temporary in one.parents]
    return bool(below) and folder not in below and not any(map(os.path.ismount, below))


def _audit_warnings(file: str, workers: int | str) -> Iterator[Fault]:
    """Yields a warning if *file* is not an audit's: a device that keeps nothing, a file with something else, or a pipe
    that nobody of several *workers* writes to."""
    path = Path(file)
    try:
        mode = path.stat().st_mode if file != "-" else None
        begin = first_bytes(path) if mode is not None and stat.S_ISREG(mode) else b""
    except OSError:
        return
    if mode is not None and stat.S_ISCHR(mode):
        reason = "is a device: what is written to it cannot be read or verified afterwards"
        yield Fault("audit.file", None, reason, "name a file")
    elif mode is not None and stat.S_ISFIFO(mode) and workers != 1:
        reason = "is a pipe, and each worker would write into a file of its own beside it"
        yield Fault("audit.file", None, reason, 'name a file, write "-", or set server.workers = 1')
    elif begin not in (b"", b"{", b"\n"):
        reason = "is a file with something else than an audit, to which the audit would be appended"
        yield Fault("audit.file", None, reason, "name a file of its own")
