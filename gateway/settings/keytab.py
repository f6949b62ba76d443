"""Checks a Kerberos keytab: whether it can be read, and whether it has a key of the configured service.

MIT Kerberos documents the format ("Keytab file format"): a version, then entries, each preceded by its length. Only the
names of the entries are read here, and no key.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from gateway.settings.file_access import remedy_of_unreadable

_VERSION = b"\x05\x02"
_MAX_BYTES = 1 << 20
_CREATE = "create it with ktpass, msktutil or kadmin"


def keytab_fault(path: Path, service: str) -> tuple[str, str] | None:
    """Returns reason and remedy if the keytab *path* has no key of *service*, "HTTP@recordings.example.edu"."""
    try:
        if path.is_fifo():  # opening it waits until somebody writes to it
            return f"names {path}, which is a pipe", _CREATE
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES)
    except OSError as error:
        why = error.strerror or "it cannot be opened"
        return f"names {path}, which cannot be read: {why}", remedy_of_unreadable(path, _CREATE)
    try:
        principals = list(read_principals(content))
    except (ValueError, struct.error):
        return f"names {path}, which is not a keytab", _CREATE
    wanted = service.replace("@", "/", 1)
    # As tickets are compared with the service: without letter case.
    if any(principal.rpartition("@")[0].lower() == wanted.lower() for principal in principals):
        return None
    names = ", ".join(dict.fromkeys(principals)) or "none at all"
    reason = f"names {path}, which has no key of {wanted}, but of {names[:300]}"
    return reason, "add that service's key, or correct service"


def read_principals(content: bytes) -> Iterator[str]:
    """Yields the principal of each key of a keytab. Raises ValueError or struct.error if *content* is not one."""
    if not content.startswith(_VERSION):
        raise ValueError("not a keytab of version 2")
    position = len(_VERSION)
    while position < len(content):
        (length,) = struct.unpack_from(">i", content, position)
        position += 4
        if position + abs(length) > len(content):
            raise ValueError("the file ends too early")
        if length > 0:
            yield _principal(content[position : position + length])
        # a deleted entry has a negative length
        position += abs(length)
        if not length:
            return


def _principal(entry: bytes) -> str:
    """Returns the principal of an entry: how many components its name has, the realm, and the components."""
    (count,) = struct.unpack_from(">H", entry)
    position, parts = 2, []
    for _ in range(count + 1):
        (length,) = struct.unpack_from(">H", entry, position)
        part = entry[position + 2 : position + 2 + length]
        if len(part) < length:
            raise ValueError("an entry ends too early")
        parts.append(part.decode())
        position += 2 + length
    return f"{'/'.join(parts[1:])}@{parts[0]}"
