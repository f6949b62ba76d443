"""How many worker processes the machine has room for."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

_MOST = 32
"""Workers at most if the number is not configured."""


def worker_count(configured: int | Literal["auto"], root: Path = Path("/")) -> int:
    """Returns *configured*, or for ``auto`` as many as this process may use CPUs: those of its affinity mask, at most
    the quota of its control group rounded up, at most 32. *root* is where /proc and /sys are."""
    if configured != "auto":
        return configured
    limits = [quota for quota in _quotas(root) if quota > 0]
    return max(1, min([len(os.sched_getaffinity(0)), _MOST, *(math.ceil(quota) for quota in limits)]))


def _quotas(root: Path) -> Iterator[float]:
    """Yields the CPUs that each control group of this process, and each above it, allows; version 2 and version 1."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, name = line.split(":", 2)
        unified = controllers == ""
        if not unified and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("" if unified else "cpu")
        group = Path(name.lstrip("/"))
        # In a container the group's name may be that of the host, which its own mount does not have.
        for folder in dict.fromkeys([mount / group, *(mount / parent for parent in group.parents), mount]):
            yield from _quota(folder, unified=unified)


def _quota(folder: Path, *, unified: bool) -> Iterator[float]:
    if unified:
        words = _read(folder / "cpu.max").split()
    else:
        words = [_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    if len(words) == 2 and all(word.isdigit() for word in words) and int(words[1]):
        yield int(words[0]) / int(words[1])


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
