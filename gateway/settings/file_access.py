"""What the gateway itself may read and write, by the rights of the user that runs the check. Nothing is created."""

import errno
import os
from pathlib import Path

_NO_ACCESS = "no permission, or a read-only file system"


def exists(path: Path) -> bool:
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


def why_unreadable(path: Path) -> str | None:
    try:
        first_byte(path)
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
