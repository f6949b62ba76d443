"""Build hook: adds gateway/build.json, the commit that is built and the date of that commit, to wheels and source
distributions.

The commit comes from the source distribution that is built, else from VALT_GATEWAY_COMMIT (container builds, which have
no repository), else from git. SOURCE_DATE_EPOCH replaces the commit's date. What is not known is left out.
"""

import json
import os
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILE = "gateway/build.json"


class CommitHook(BuildHookInterface[Any]):
    """Adds the file, except to editable installs: their source changes after the build."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        file = Path(self.root) / FILE
        if not file.exists():
            handle, name = tempfile.mkstemp()
            os.close(handle)
            file = self._written = Path(name)
            file.chmod(0o644)
            file.write_text(json.dumps(build(Path(self.root))), encoding="utf-8")
        build_data["force_include"][str(file)] = FILE

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        if hasattr(self, "_written"):
            self._written.unlink()


def build(root: Path) -> dict[str, str]:
    """Returns ``commit``, with ``-dirty`` if files were changed since, and its ``date`` (RFC 3339, UTC), if known."""
    commit, seconds = os.environ.get("VALT_GATEWAY_COMMIT"), os.environ.get("SOURCE_DATE_EPOCH")
    top = git(root, "rev-parse", "--show-toplevel")
    if not commit and top and Path(top).resolve() == root.resolve():
        commit = git(root, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
        seconds = seconds or git(root, "show", "--no-patch", "--format=%ct", "HEAD")
    date = datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z") if seconds else None
    return {name: value for name, value in (("commit", commit), ("date", date)) if value}


def git(root: Path, *arguments: str) -> str | None:
    """Returns the output of git in *root*; None if git is not installed or *root* is in no repository."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
