"""Whether the audit can be written, and how much room its disk has."""

import os
import shutil
import stat
from pathlib import Path

from gateway.cpus import worker_count
from gateway.doctor.check import Check, broken, doubtful, good
from gateway.doctor.state import write_error
from gateway.settings.files import audit_faults
from gateway.settings.model import Settings
from gateway.settings.worker_shares import audit_file_of_worker

_NAME = "audit"
_LITTLE = 1 << 30
"""Bytes. A line has 700, so that there is room for a million and a half."""
_NONE = 16 << 20


def check_audit(settings: Settings) -> Check:
    """Returns whether lines can be added to the audit. Nothing is added: what is there stays as it is."""
    file = settings.audit.file
    if file == "-":
        return good(_NAME, "it is standard output, which whoever started the gateway reads")
    for fault in audit_faults(settings):
        return broken(_NAME, f"{fault.key} {fault.reason}", fault.remedy)
    path = Path(file if worker_count(settings.server.workers) == 1 else audit_file_of_worker(file, 1))
    try:
        status = path.stat() if path.exists() else None
        if status is not None:
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError as error:
        remedy = "let the service write the file; a named pipe needs a reader"
        return broken(_NAME, f"{path} cannot be opened: {error.strerror}", remedy)
    if status is not None and not stat.S_ISREG(status.st_mode):
        return good(_NAME, f"{path}, no regular file, can be opened")
    return _check_disk(path.resolve().parent, path)


def _check_disk(folder: Path, path: Path) -> Check:
    """Returns whether the disk of the audit file *path* has room."""
    free = shutil.disk_usage(folder).free
    remedy = "make room, rotate and compress the audit, or name a file on another disk"
    error = write_error(folder)
    if error is not None and not isinstance(error, PermissionError):  # the service may own the file alone
        return broken(_NAME, f"nothing can be written to the disk of {path}: {error.strerror}", remedy)
    room = f"{free / (1 << 30):.1f} GiB are free"
    if free < _NONE:
        return broken(_NAME, f"the disk of {path} is full: {room}", remedy)
    if free < _LITTLE:
        return doubtful(_NAME, f"the disk of {path} is nearly full: {room}", remedy)
    return good(_NAME, f"{path} can be written; {room}")
