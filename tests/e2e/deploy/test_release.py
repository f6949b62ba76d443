"""A release: its hashes, bill of materials, licences, man pages and completion."""

import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import release
from gateway.cli.main import main as program
from tests.e2e.deploy.test_constraints import pinned
from tests.e2e.deploy.test_locks import entries


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the directory of a release of this clone."""
    written = tmp_path_factory.mktemp("release")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1798761600")
        patch.setenv("PYTHONPATH", "")
        done = CliRunner().invoke(release.main, [str(written)])
    assert done.exit_code == 0, (done.output, done.exception)
    return written


@pytest.fixture(scope="module")
def bill(folder: Path) -> dict[str, str]:
    """Returns the versions that the bill of materials states, by canonical name."""
    document = json.loads((folder / "valt-gateway.cdx.json").read_text())
    assert document["bomFormat"] == "CycloneDX"
    return {canonicalize_name(one["name"]): one["version"] for one in document["components"]}


def test_every_file_has_a_hash_that_sha256sum_confirms(folder: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    listed = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert listed == present - {"SHA256SUMS"}


def direct_requirements(folder: Path) -> list[Requirement]:
    """Returns what the wheel states that it requires, with the extras that operators install."""
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    lines = [Requirement(line) for line in metadata.get_all("Requires-Dist") or []]
    return [
        one for one in lines if one.marker is None or re.search(r'extra == "(kerberos|otel|redis)"', str(one.marker))
    ]


@pytest.mark.promise("operation-release")
def test_the_bill_of_materials_has_the_required_packages_as_installed(folder: Path, bill: dict[str, str]) -> None:
    versions = {name: str(version) for name, version in pinned().items()}
    assert bill == {name: versions[name] for name in bill}
    for requirement in direct_requirements(folder):
        assert bill[canonicalize_name(requirement.name)] in requirement.specifier
    assert {"pytest", "ruff", "hatchling", "valt-gateway"} & bill.keys() == set()


def test_the_bill_of_materials_is_what_the_lock_files_install(bill: dict[str, str]) -> None:
    locked = {one: version for name in ("core", "kerberos", "otel", "redis") for one, version in entries(name).items()}
    for_old_pythons = {"async-timeout"} - bill.keys()
    assert bill == {name: version for name, version in locked.items() if name not in for_old_pythons}


def test_the_bill_of_materials_is_closed_under_what_packages_require(folder: Path, bill: dict[str, str]) -> None:
    document = json.loads((folder / "valt-gateway.cdx.json").read_text())
    edges = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    waiting, reached = [document["metadata"]["component"]["bom-ref"]], set[str]()
    while waiting:
        new = set(edges[waiting.pop()]) - reached
        reached |= new
        waiting += new
    assert {one["bom-ref"] for one in document["components"]} == reached
    assert len(reached) == len(bill)


def test_the_licence_of_everything_that_is_required_is_listed(folder: Path, bill: dict[str, str]) -> None:
    text = (folder / "THIRD-PARTY-LICENCES.txt").read_text()
    lines = [line for line in text.partition("\n\n")[0].splitlines() if ": " in line]
    assert {line.split(" ")[0] for line in lines} == bill.keys()
    assert [line for line in lines if line.endswith("not stated")] == []
    assert "Permission is hereby granted" in text


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yields the name of the page and the command itself, for *group* and everything in it."""
    yield name, group
    context = click.Context(group)
    for one in group.list_commands(context):
        entry = group.get_command(context, one)
        assert entry is not None
        if isinstance(entry, click.Group):
            yield from commands(entry, f"{name}-{one}")
        else:
            yield f"{name}-{one}", entry


@pytest.mark.promise("operation-release")
def test_every_command_has_a_man_page_with_all_its_options(folder: Path) -> None:
    pages = {path.stem: path.read_text() for path in (folder / "man").glob("*.1")}
    expected = dict(commands(program, "valt-gateway"))
    assert pages.keys() == expected.keys()
    for name, one in expected.items():
        text = pages[name].replace("\\-", "-")
        options = {
            option for parameter in one.params if isinstance(parameter, click.Option) for option in parameter.opts
        }
        assert {option for option in options if option not in text} == set(), name


def test_a_command_has_its_short_help_option_after_its_page_was_written(folder: Path) -> None:
    assert (folder / "man/valt-gateway-serve.1").exists()
    for name in program.list_commands(click.Context(program)):
        assert CliRunner().invoke(program, [name, "-h"]).exit_code == 0, name


def test_man_reads_every_page_without_a_warning(folder: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"}
    for page in (folder / "man").glob("*.1"):
        command = ["man", "--warnings", "--local-file", str(page)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
        assert done.stderr == "", page.name
        assert "NAME" in done.stdout


def test_the_pages_have_the_date_of_the_commit(folder: Path) -> None:
    assert "2027-01-01" in (folder / "man/valt-gateway.1").read_text()


def test_bash_completes_commands_and_situations(folder: Path) -> None:
    script = (folder / "completion/valt-gateway.bash").read_text()
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert "_VALT_GATEWAY_COMPLETE=bash_complete" in script
    assert (folder / "completion/_valt-gateway").read_text().startswith("#compdef valt-gateway")
    assert "complete --no-files --command valt-gateway" in (folder / "completion/valt-gateway.fish").read_text()
    assert completed("valt-gateway che") == ["check-config"]
    assert completed("valt-gateway init behind-") == ["behind-shibboleth", "behind-oauth2-proxy"]


def completed(words: str) -> list[str]:
    """Returns what the shell is offered after *words*."""
    environ = {
        "_VALT_GATEWAY_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = CliRunner().invoke(program, prog_name="valt-gateway", env=environ)
    return [line.partition(",")[2] for line in done.output.splitlines()]


def test_a_release_is_not_written_over_another_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(release.main, [str(tmp_path)])
    assert done.exit_code == 1
    assert "is not empty" in done.output
