"""The lock files: the versions that the tests passed with, each with hashes, of all that an installation needs."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from package_audit import CANNOT_RUN, judge, locked_names
from tests.e2e.deploy.test_constraints import pinned
from tests.support.measures import ROOT

LOCKS = {path.stem: path.read_text() for path in (ROOT / "locks").glob("*.txt")}
ENTRY = re.compile(r"([a-z0-9-]+)==(\S+)(?: ; ([^\\\n]+?))?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")


def entries(name: str) -> dict[str, str]:
    """Returns the versions of a lock file, by name."""
    return {match[1]: match[2] for match in ENTRY.finditer(LOCKS[name])}


@pytest.mark.promise("operation-release")
@pytest.mark.parametrize("name", sorted(LOCKS))
def test_a_lock_file_has_versions_with_hashes_and_nothing_else(name: str) -> None:
    first, _, rest = LOCKS[name].partition("\n")
    assert first == "# Written by `make lock`: see lock.py."
    assert ENTRY.sub("", rest) == ""
    assert "://" not in rest
    assert list(entries(name)) == sorted(entries(name))


def test_the_locked_versions_are_those_that_the_tests_passed_with() -> None:
    versions = {name: str(version) for name, version in pinned().items()}
    for name in LOCKS:
        assert entries(name) == {one: versions[one] for one in entries(name)}, name


def test_no_package_is_in_two_lock_files_of_an_installation() -> None:
    names = [one for name in ("core", "kerberos", "otel", "redis") for one in entries(name)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.promise("operation-release")
@pytest.mark.parametrize("extra", ["", "kerberos", "otel", "redis"])
def test_all_that_an_installation_requires_is_locked(extra: str) -> None:
    locked = entries("core").keys() | (entries(extra).keys() if extra else set())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(project["optional-dependencies"][extra] if extra else ())]
    waiting, seen = [Requirement(line) for line in lines], set[tuple[str, str]]()
    while waiting:
        one = waiting.pop()
        for wanted in {"", *one.extras}:
            if (one.name, wanted) not in seen:
                seen.add((one.name, wanted))
                further = [Requirement(line) for line in distribution(one.name).requires or []]
                waiting += [more for more in further if not more.marker or more.marker.evaluate({"extra": wanted})]
    assert {canonicalize_name(name) for name, _ in seen} - locked == set()


def test_the_container_installs_only_what_is_locked() -> None:
    text = (ROOT / "deploy/Containerfile").read_text()
    installations = re.findall(r"pip (?:install|wheel) [^\n]*", text)
    assert len(installations) == 4
    assert [one for one in installations if not re.search(r"--require-hashes|--no-deps", one)] == []


def test_an_audit_without_a_network_fails_and_says_so(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    environ = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    environ |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere)
    environ |= {"no_proxy": "", "NO_PROXY": ""}
    done = subprocess.run(
        [sys.executable, str(ROOT / "package_audit.py")], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert CANNOT_RUN in done.stdout
    assert "no vulnerability" not in done.stdout


def row(name: str, *vulnerabilities: str) -> dict[str, object]:
    """Returns what pip-audit writes about a package."""
    return {"name": name, "version": "1", "vulns": [{"id": one, "fix_versions": ["2"]} for one in vulnerabilities]}


@pytest.mark.parametrize(
    ("rows", "status", "text"),
    [
        ([row("a"), row("b")], 0, "2 packages audited"),
        ([row("a"), row("b", "CVE-1")], 1, "b 1: CVE-1, fixed in 2"),
        ([row("a")], 2, "not asked about: b"),
        ([row("a"), {"name": "b", "skip_reason": "not on PyPI"}], 2, "not asked about: b"),
        ([], 2, CANNOT_RUN),
    ],
    ids=["none", "one", "not listed", "skipped", "empty"],
)
def test_an_audit_counts_only_if_it_is_about_every_package(rows: list[object], status: int, text: str) -> None:
    result = judge(json.dumps({"dependencies": rows}), {"a", "b"})
    assert result[0] == status
    assert text in result[1]
    assert judge("", {"a"}) == (2, CANNOT_RUN)


def test_the_audit_is_about_every_lock_file() -> None:
    marked = {"async-timeout", "cffi", "pycparser"}
    assert locked_names() | marked == {one for name in LOCKS for one in entries(name)}
