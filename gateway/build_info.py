"""What is running: the version, the commit that it was built from and its date, and the schema of the state.

How it works: hatch_build.py puts build.json beside this module when a wheel is built. An editable install has none,
because its source changes after the build.
"""

import json
import os
import platform
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

STATE_SCHEMA = 1
"""Version of the schema of the file in ``[state] dir``, SQLite's ``user_version``. A file of a later version is
refused, one of an earlier version is upgraded when it is opened. docs/upgrade.md says how to go back."""

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


def version_of_process() -> dict[str, str]:
    """Returns the versions of the gateway and of Python, for ``/version``."""
    return {"version": build_info().version, "python": platform.python_version()}


def state_schema_fault(schema: int) -> str | None:
    """Returns why a state file whose ``user_version`` is *schema* cannot be used, or None if it can."""
    if schema <= STATE_SCHEMA:
        return None
    return f"a later version has written it (schema {schema}; this version knows {STATE_SCHEMA})"
