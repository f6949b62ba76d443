"""constraints.txt pins an exact version of every required package."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[3]


def pinned() -> dict[str, Version]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    exact = [re.fullmatch(r"([a-z0-9-]+)==((?:[0-9]+!)?[0-9.]+(?:(?:post|b|rc)[0-9]+)?)", line) for line in lines]
    assert None not in exact, "every line is name==version, and nothing else"
    return {match[1]: Version(match[2]) for match in exact if match is not None}


def direct_requirements() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    return [
        Requirement(line)
        for line in (*project["dependencies"], *optional["kerberos"], *optional["otel"], *optional["test"])
    ]


def needed() -> set[str]:
    """Returns the names of the required packages and of all that they require on this machine."""
    waiting, seen = direct_requirements(), set[tuple[str, str]]()
    while waiting:
        requirement = waiting.pop()
        for extra in requirement.extras or {""}:
            package = (canonicalize_name(requirement.name), extra)
            if package not in seen:
                seen.add(package)
                further = [Requirement(line) for line in distribution(requirement.name).requires or []]
                waiting += [one for one in further if one.marker is None or one.marker.evaluate({"extra": extra})]
    return {name for name, _ in seen}


def test_every_pinned_version_satisfies_its_requirement() -> None:
    versions = pinned()
    short = [str(one) for one in direct_requirements() if versions[canonicalize_name(one.name)] not in one.specifier]
    assert short == []


def test_every_required_package_is_pinned() -> None:
    # The virtual environment brings pip, which pip-audit names; it installs everything else.
    assert sorted(needed() - {"pip"} - pinned().keys()) == []
