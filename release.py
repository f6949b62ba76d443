"""Writes a release into a directory (`make dist`): wheel, source distribution, bill of materials, licences, lock files,
man pages, shell completion, and the hashes of them all.

How it works: dates are the commit's (SOURCE_DATE_EPOCH), so that a release is built byte for byte again. The bill of
materials has what the wheel requires, with all extras, in the versions of this environment, which are those of
constraints.txt: the tests passed with them.
"""

import copy
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class
from click_man.core import write_man_pages  # type: ignore[import-untyped]
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gateway.cli.main import main as command
from hatch_build import git

ROOT = Path(__file__).parent
NAME = "valt-gateway"
EXTRAS = ("kerberos", "otel", "redis")
"""The optional dependencies that operators install; the others are for development."""
_COMPLETIONS = {"bash": f"{NAME}.bash", "zsh": f"_{NAME}", "fish": f"{NAME}.fish"}


def build(folder: Path) -> None:
    """Writes the wheel and the source distribution into *folder*."""
    options = ("--no-isolation", "--outdir", str(folder))
    subprocess.run([sys.executable, "-m", "build", *options], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def requirements(wheel: Path) -> dict[str, importlib.metadata.Distribution]:
    """Returns everything that *wheel* requires here, directly or not, by its canonical name."""
    (metadata,) = importlib.metadata.distributions(path=[str(wheel)])
    waiting = [(Requirement(line), {*EXTRAS, ""}) for line in metadata.requires or []]
    needed: dict[str, importlib.metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement, extras = waiting.pop()
        if requirement.marker is not None and not any(requirement.marker.evaluate({"extra": one}) for one in extras):
            continue
        name, wanted = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, wanted) not in seen:
            seen.add((name, wanted))
            needed[name] = importlib.metadata.distribution(name)
            waiting += [(Requirement(line), {*wanted, ""}) for line in needed[name].requires or []]
    return needed


def bill_of_materials(needed: dict[str, importlib.metadata.Distribution]) -> dict[str, Any]:
    """Returns the bill of materials (CycloneDX) of this environment, reduced to *needed*."""
    program = Path(sys.executable).with_name("cyclonedx-py")
    # Validation takes 13 s of processor time, and the result is reduced after it.
    options = ("--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--no-validate")
    done = subprocess.run([program, "environment", *options, sys.executable], check=True, capture_output=True)
    bill: dict[str, Any] = json.loads(done.stdout)
    bill["components"] = [one for one in bill["components"] if canonicalize_name(one["name"]) in needed]
    names = {one["bom-ref"] for one in bill["components"]}
    bill["dependencies"] = [
        one | {"dependsOn": [name for name in one.get("dependsOn", []) if name in names]}
        for one in bill["dependencies"]
        if one["ref"] in names | {bill["metadata"]["component"]["bom-ref"]}
    ]
    return bill


def licences(needed: dict[str, importlib.metadata.Distribution]) -> str:
    """Returns name, version and licence of each of *needed*, and then the texts of the licences."""
    lines, texts = [], []
    for name, one in sorted(needed.items()):
        lines.append(f"{name} {one.version}: {_licence(one.metadata)}")
        files = [path for path in one.files or [] if re.search(r"dist-info/.*(LICEN[CS]E|COPYING|NOTICE)", str(path))]
        texts += [f"\n{'=' * 20} {name}: {path.name}\n\n{path.read_text(encoding='utf-8')}" for path in sorted(files)]
    return "\n".join([*lines, *texts])


def _licence(metadata: importlib.metadata.PackageMetadata) -> str:
    classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License :")]
    classified = ", ".join(line.rpartition(" :: ")[2] for line in classifiers)
    stated = [(metadata.get_all(field) or [""])[0] for field in ("License-Expression", "License")]
    return stated[0] or classified or (stated[1] or "not stated").splitlines()[0]


def man_pages(folder: Path) -> None:
    """Writes a page for the program and one for each command."""
    folder.mkdir(parents=True, exist_ok=True)
    # click-man sees only commands that are loaded already.
    loaded, context = copy.copy(command), click.Context(command)
    # Without the settings a command would remember, for as long as the process runs, that it has no -h.
    settings = click.Context(loaded, **command.context_settings)
    names = {name: command.get_command(context, name) for name in command.list_commands(context)}
    loaded.commands = {name: one for name, one in names.items() if one is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # click-man 0.6 calls what click 9 will not have
        write_man_pages(
            NAME, loaded, parent_ctx=settings, version=importlib.metadata.version(NAME), target_dir=str(folder)
        )


def completions(folder: Path) -> None:
    """Writes the completion for each shell, under the name by which the shell looks for it."""
    folder.mkdir(parents=True, exist_ok=True)
    for shell, file in _COMPLETIONS.items():
        complete = get_completion_class(shell)
        if complete is None:
            raise LookupError(f"click has no completion for {shell}")
        (folder / file).write_text(complete(command, {}, NAME, "_VALT_GATEWAY_COMPLETE").source(), encoding="utf-8")


def hashes(folder: Path) -> str:
    """Returns the SHA-256 of every file below *folder*, as sha256sum --check reads it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in files
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(folder: Path) -> None:
    """Write a release into FOLDER, which must be empty or missing."""
    if folder.exists() and any(folder.iterdir()):
        raise click.ClickException(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("SOURCE_DATE_EPOCH", git(ROOT, "show", "--no-patch", "--format=%ct", "HEAD") or "0")
    build(folder)
    (wheel,) = folder.glob("*.whl")
    needed = requirements(wheel)
    bill = json.dumps(bill_of_materials(needed), indent=2, sort_keys=True)
    (folder / f"{NAME}.cdx.json").write_text(f"{bill}\n", encoding="utf-8")
    (folder / "THIRD-PARTY-LICENCES.txt").write_text(licences(needed), encoding="utf-8")
    shutil.copytree(ROOT / "locks", folder / "locks")
    man_pages(folder / "man")
    completions(folder / "completion")
    (folder / "SHA256SUMS").write_text(hashes(folder), encoding="utf-8")
    click.echo(f"{folder}: {len(list(folder.rglob('*')))} files")


if __name__ == "__main__":
    main()
