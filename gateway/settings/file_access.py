"""What the gateway itself may read and write, by the rights of the user that runs the check. Nothing is created."""

import errno
import os
import re
from pathlib import Path

_NO_ACCESS = "no permission, or a read-only file system"
_UNEXPANDED = re.compile(r"[~$].*|.*(%(?![0-9A-Fa-f]{2})[A-Za-z]|\{\w*\}).*", re.DOTALL)
"""What a shell, systemd, a date or a template would have replaced in a part of a path; %C3 is percent-encoding."""


def is_unexpanded(path: Path) -> bool:
    """Whether *path* has what only another program replaces."""
    return any(_UNEXPANDED.fullmatch(part) for part in path.parts)


def remedy_of_unreadable(path: Path, create: str = "create it") -> str:
    """Returns what to do about a file that should be at *path* and cannot be read: *create* only if it is not there,
    because a new key in the place of one that is used makes what is signed with that void."""
    root, *parts = path.parts
    if is_unexpanded(path):
        return "write the whole path: ~, $, % and {} are not expanded"
    if root == "/" and parts[:2] == ["run", "credentials"] and len(parts) == 4:
        unit, name = parts[2:]
        return f"add LoadCredential={name}:FILE to {unit} and restart it, or outside it use --without-secrets"
    try:
        if path.is_dir():
            return "name a file in it"
        is_there = exists(path)
    except OSError as error:
        is_there = error.errno == errno.EACCES
    return "let the user of the service read it" if is_there else f"{create}, readable for the gateway"


def exists(path: Path) -> bool:
    """Whether *path* exists. Raises OSError if that cannot be found out; Path.exists says False for some reasons."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def first_bytes(path: Path, number: int = 1) -> bytes:
    """Returns the first *number* bytes of *path*, or as many as it has. Raises OSError, for a pipe too: opening one
    waits until somebody writes to it."""
    if path.is_fifo():
        raise OSError(errno.EINVAL, "it is a pipe")
    with path.open("rb") as file:
        return file.read(number)


def why_unreadable(path: Path) -> str | None:
    try:
        first_bytes(path)
    except OSError as error:
        return error.strerror or "it cannot be opened"
    return None


def why_unwritable(path: Path, mode: int) -> str | None:
    """Returns why the existing file *path* cannot be used with the access *mode* of os.access."""
    if path.is_dir() or path.is_socket():
        return "it is a directory" if path.is_dir() else "it is a socket"
    return None if os.access(path, mode, effective_ids=True) else _NO_ACCESS


def why_unwritable_folder(folder: Path) -> str | None:
    """Returns why no file can be created in *folder*."""
    if not folder.is_dir():
        return "not a directory" if folder.exists() else "no such directory"
    return None if os.access(folder, os.W_OK | os.X_OK, effective_ids=True) else _NO_ACCESS


def why_dangling(folder: Path) -> str | None:
    """Returns why no directory can be created as *folder*: a link to nothing stands there."""
    return "it is a link to what does not exist" if folder.is_symlink() and not folder.exists() else None


def nearest_existing(folder: Path) -> Path:
    """Returns *folder*, or the nearest directory above it that exists, or is a link to nothing."""
    while not folder.exists() and not folder.is_symlink() and folder != folder.parent:
        folder = folder.parent
    return folder
