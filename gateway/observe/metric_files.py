"""Room on the disk for a worker's files of metrics, which prometheus_client maps into memory.

How it works: prometheus_client makes its files longer without allocating blocks, and on a full disk the first access to
such a page ends the process by SIGBUS. So each file is given its blocks before prometheus_client opens it and before a
value that does not fit is added to it. prometheus_client takes a file with the length that it has, and doubles that.
"""

import os
import sys
import tempfile
from pathlib import Path

_INITIAL_LENGTH = 1 << 16
"""Bytes of a new file, as prometheus_client has it."""
_HEADER = 8
"""Bytes before the first value. The first four are the length that is in use, in the machine's byte order."""

_ROOM_OF_WORKER = 1 << 20
"""Bytes that a worker's files need, or a little more: it depends on the rules and the providers."""


def check_room(directory: Path, workers: int) -> None:
    """Raises OSError, which names *directory*, if it has no room for the files of so many *workers*."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            os.posix_fallocate(file.fileno(), 0, workers * _ROOM_OF_WORKER)
    except OSError as error:
        why = f"{error.strerror} (TMPDIR has {workers} MiB of metrics)"
        raise OSError(error.errno, why, str(directory)) from error


class MetricFiles:
    """The files in *directory* of the worker *number*."""

    def __init__(self, directory: Path, number: int) -> None:
        self._directory = directory
        self._number = number
        self._descriptors: dict[Path, int] = {}

    def reserve(self, kind: str, length: int) -> None:
        """Allocates what the file of the metrics of *kind* needs to take another *length* bytes.

        *kind* is a metric's type, with the mode of a gauge after an underscore. Raises OSError, which names the file,
        if there is no room; the file is as it was."""
        path = self._directory / f"{kind}_{self._number}.db"
        try:
            self._allocate(path, length)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error

    def _allocate(self, path: Path, length: int) -> None:
        is_new = path not in self._descriptors
        if is_new:
            self._descriptors[path] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        descriptor = self._descriptors[path]
        present = os.fstat(descriptor).st_size
        used = int.from_bytes(os.pread(descriptor, _HEADER // 2, 0), sys.byteorder) or _HEADER
        wanted = max(present, _INITIAL_LENGTH)
        while used + length > wanted:
            wanted *= 2
        if is_new or wanted > present:
            try:
                os.posix_fallocate(descriptor, 0, wanted)  # also of what is there, by a version that did not allocate
            except OSError:
                os.ftruncate(descriptor, present)
                if is_new:
                    os.close(self._descriptors.pop(path))
                raise
