"""Removes old files of the audit, and records in the newest one that they were removed."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from gateway.observe.audit_chain import Head, last_line_of, new_chain, seal, unseal
from gateway.observe.audit_fields import admin_fields, chain_fields
from gateway.observe.audit_verify import DAMAGED, original_name, read_lines
from gateway.observe.json_lines import json_line

_FILES_IN_LINE = 100


class Expired(NamedTuple):
    """A file to remove: the times of its first and last line, its number of lines, and the last line's head."""

    path: Path
    first: str
    last: str
    lines: int
    head: Head | None


def expired_files(files: list[Path], before: str) -> list[Expired]:
    """Returns those of *files* of which every line is older than *before*, RFC 3339 in UTC.

    Only rotated files are returned, because the gateway has the others open; and none without lines, or whose first or
    last line cannot be read. Raises OSError, which names the file, if one cannot be read to its end.
    """
    expired = []
    for path in files:
        summary = _summary(path) if original_name(str(path)) != path.name else None
        if summary is not None and summary.last < before:
            expired.append(summary)
    return expired


def require_regular(path: Path) -> None:
    """Raises OSError if there is a pipe or a device at *path*, or nothing: to open it could wait for ever."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # to open a directory is an error of its own
        raise OSError(errno.EINVAL, "not a regular file", str(path))


def append_admin(path: Path, key: bytes | None, action: str, time: float, details: dict[str, object]) -> None:
    """Appends an ``admin`` line to the audit that *path* is, as a run of its own. The gateway may write meanwhile.

    Raises OSError if the file does not exist, cannot be written or is no regular file.
    """
    require_regular(path)
    first, head = seal(json_line(chain_fields(last_line_of(str(path)), time)), new_chain(), key)
    second, _ = seal(json_line(admin_fields(action, time, details)), head, key)
    with path.open("rb") as file:
        torn = file.seek(0, os.SEEK_END) > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read() != b"\n"
    data = (b"\n" if torn else b"") + first + second
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        written = os.write(descriptor, data)
        if written < len(data):
            if os.fstat(descriptor).st_size == size + written:
                os.ftruncate(descriptor, size)  # the gateway's next line would follow the part of this one
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def batches(expired: list[Expired]) -> Iterator[list[Expired]]:
    """Yields *expired* in parts of which each has room in one line: the gateway looks for the last line in the last
    64 KiB of a file."""
    for begin in range(0, len(expired), _FILES_IN_LINE):
        yield expired[begin : begin + _FILES_IN_LINE]


def removal_details(expired: list[Expired], before: str) -> dict[str, object]:
    """Returns what the ``admin`` line says of the files that are about to be removed."""
    files = [
        {
            "file": each.path.name,
            "lines": each.lines,
            "first": each.first,
            "last": each.last,
            "head": each.head and {"chain": each.head.chain, "seq": each.head.seq, "hash": each.head.digest},
        }
        for each in expired
    ]
    return {"before": before, "files": files}


def _summary(path: Path) -> Expired | None:
    first, last, count = b"", b"", 0
    try:
        for line in read_lines(path):
            first, last, count = first or line, line, count + 1
    except DAMAGED as error:
        raise OSError(errno.EINVAL, "the compressed file is damaged", str(path)) from error
    times = [_time(first), _time(last)]
    if None in times:
        return None
    sealed = unseal(last.rstrip(b"\n"))
    return Expired(path, str(times[0]), str(times[1]), count, None if sealed is None else sealed.head)


def _time(line: bytes) -> str | None:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    time = fields.get("time") if isinstance(fields, dict) else None
    return time if isinstance(time, str) else None
