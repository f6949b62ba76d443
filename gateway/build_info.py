"""What is running: the version, the commit that it was built from, and the date of that commit.

How it works: hatch_build.py puts build.json beside this module when a wheel is built. An editable install has none,
because its source changes after the build.
"""

import json
import os
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

_FILE = Path(__file__).with_name("build.json")


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """*commit* ends in ``-dirty`` if files differed from it, and is ``unknown`` if nothing states it. *date* is the
    commit's, RFC 3339 in UTC, or None."""

    version: str
    commit: str = "unknown"
    date: str | None = None

    def __str__(self) -> str:
        if self.commit == "unknown":
            return self.version
        return f"{self.version} (commit {self.commit}{f', {self.date}' if self.date else ''})"


@cache
def build_info() -> BuildInfo:
    """Returns what was built; where no build.json states the commit, VALT_GATEWAY_COMMIT does."""
    return read_build_info(_FILE)


def read_build_info(file: Path) -> BuildInfo:
    """Returns the installed version with the commit and date that *file* states, if it exists."""
    stated: dict[str, str] = json.loads(file.read_bytes()) if file.exists() else {}
    commit = stated.get("commit") or os.environ.get("VALT_GATEWAY_COMMIT") or "unknown"
    return BuildInfo(version("valt-gateway"), commit, stated.get("date"))
