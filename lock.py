"""Writes the lock files into locks/ (`make lock`): exact versions and hashes of all that an installation needs.

How it works: constraints.txt states the versions, with which the tests passed. uv finds what is needed of them, on
every platform and from Python 3.11 on, and the hashes of all files that the index has of it. core.txt is what the
gateway needs; kerberos.txt, otel.txt and redis.txt what each extra needs besides, and build.txt what builds the wheel.
pip accepts nothing else with ``--require-hashes``, and nothing whose hash differs. No file names an index.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent
FOLDER = ROOT / "locks"
EXTRAS = ("kerberos", "otel", "redis")
_ENTRY = re.compile(r"^([a-z0-9-]+)==.*(?:\n    --hash=.*)+\n", re.MULTILINE)


def compile_lock(source: Path, *options: str) -> dict[str, str]:
    """Returns the entries of the lock of *source*, by name."""
    program = Path(sys.executable).with_name("uv")
    constant = (
        "--universal",
        "--python-version",
        "3.11",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--quiet",
    )
    constraints = ("--constraint", str(ROOT / "constraints.txt"))
    command = [str(program), "pip", "compile", *constant, *constraints, *options, str(source)]
    text = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return {match[1]: match[0] for match in _ENTRY.finditer(text)}


def locks() -> dict[str, str]:
    """Returns the content of each lock file, by its name."""
    project = ROOT / "pyproject.toml"
    core = compile_lock(project)
    entries = {"core": core}
    for extra in EXTRAS:
        whole = compile_lock(project, "--extra", extra)
        entries[extra] = {name: entry for name, entry in whole.items() if name not in core}
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "build.in")
        requirements.write_text("\n".join(tomllib.loads(project.read_text())["build-system"]["requires"]))
        entries["build"] = compile_lock(requirements)
    return {name: "".join(entries[name][one] for one in sorted(entries[name])) for name in entries}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in locks().items():
        (FOLDER / f"{name}.txt").write_text(f"# Written by `make lock`: see lock.py.\n{text}")


if __name__ == "__main__":
    main()
