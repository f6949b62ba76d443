"""Who else may read, change or replace a file, by its own mode and those of the directories above it.

How it works: the bits decide, whoever runs the check, root too. What every user may change is reported wherever it is,
as sshd's StrictModes does; that every user may read it counts only if they can get there. Nothing is opened.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.settings.faults import Fault

_MAX_LINKS = 40
"""Links that Linux follows in one path."""
_SHARED = frozenset(
    {
        *("/", "/tmp", "/var/tmp", "/dev/shm", "/run", "/run/lock"),  # noqa: S108 (compared with, not written to)
        *("/home", "/mnt", "/opt", "/srv", "/var", "/var/lib", "/var/log", "/var/spool"),
    }
)
"""Directories of the whole machine that often are file systems of their own: a volume elsewhere is the gateway's."""


def is_no_socket(path: Path) -> bool:
    """Whether something else than a socket is certainly at *path*, which perhaps cannot be looked at."""
    try:
        return not stat.S_ISSOCK(path.stat().st_mode)
    except OSError:  # it does not exist, or the start says why it cannot be opened
        return False


def mode_of(path: Path) -> int:
    """Returns the mode of *path*; 0 if it is a device, will be created, or cannot be looked at. A volume is counted as
    nobody's: only the gateway mounts it, and Kubernetes has all users write to an `emptyDir`. So is a directory in
    which nobody removes what others own."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return 0
    is_safe = stat.S_ISDIR(mode) and (mode & stat.S_ISVTX or os.path.ismount(path))
    return 0 if is_safe or stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else mode


def exposures(key: str, path: Path, *, secret: bool = False) -> Iterator[Fault]:
    """Yields a warning of *key* if every user may read *path*, which is *secret*, and for what they may change: it, or
    a directory in which they may put another file in its place."""
    is_readable = secret and bool(mode_of(path) & stat.S_IROTH)
    if is_readable:
        yield Fault(key, None, "names a file that every user may read", "chmod o-rw it")
    for place in changeable(path):
        if place.is_dir():
            reason = f"uses a directory in which every user may replace files: {place}"
            yield Fault(key, None, reason, "chmod o-w it")
        elif not is_readable:
            yield Fault(key, None, f"can be changed by every user: {place}", "chmod o-w it")


def changeable(path: Path) -> list[Path]:
    """Returns what every user may change of *path*, of the directories above it, and of those above what links on the
    way lead to: whoever replaces a link replaces the file."""
    places = dict.fromkeys(os.path.realpath(one) for name in _names(path.absolute()) for one in (name, *name.parents))
    return [place for place in map(Path, places) if mode_of(place) & stat.S_IWOTH]


def is_open_to_all(folder: Path) -> bool:
    """Whether every user may create files in the directory *folder*, and nobody may remove those of others: /tmp."""
    try:
        mode = folder.stat().st_mode
    except OSError:
        return False
    return bool(mode & stat.S_ISVTX and mode & stat.S_IWOTH) and not _is_volume(folder)


def is_within_reach(path: Path) -> bool:
    """Whether every user may enter the directory of *path*, a volume excepted, and all above it."""
    folder, *above = Path(os.path.realpath(path)).parents
    try:
        may_enter = all(one.stat().st_mode & stat.S_IXOTH for one in (folder, *above))
    except OSError:
        return False
    return may_enter and not _is_volume(folder)


def _is_volume(folder: Path) -> bool:
    """Whether *folder* is a file system that is mounted for the gateway alone. The bits do not tell: Kubernetes creates
    an `emptyDir` in memory with those of /tmp."""
    return os.path.ismount(folder) and os.path.realpath(folder) not in _SHARED


def _names(path: Path) -> Iterator[Path]:
    """Yields *path*, and the path that each link on the way makes of it, until there is none."""
    for _ in range(_MAX_LINKS):
        yield path
        link = next((one for one in (*reversed(path.parents), path) if os.path.islink(one)), None)  # noqa: PTH114
        if link is None:
            return
        try:
            path = link.parent / link.readlink() / path.relative_to(link)
        except OSError:  # it has been replaced since
            return
