"""A copy of the package that processes run instead of this one, in versions that tests give it."""

import re
import shutil
from pathlib import Path

import gateway as package

_INSTALLED = re.compile(r'return BuildInfo\((version\("valt-gateway"\)|"[^"]*"), ')


def install(code: Path, version: str) -> None:
    """Installs the package in the folder *code*, or what is there in another version: its build_info.py differs."""
    if not code.exists():
        shutil.copytree(Path(package.__file__).parent, code / "gateway", ignore=shutil.ignore_patterns("__pycache__"))
    module = code / "gateway/build_info.py"
    text, count = _INSTALLED.subn(f'return BuildInfo("{version}", ', module.read_text())
    assert count == 1, "build_info.py takes the version from elsewhere"
    new = module.with_suffix(".new")
    new.write_text(f"{text}# {version}\n")  # of another size: Python compiles anew what differs in that or in seconds
    new.replace(module)  # a worker that starts reads one or the other
