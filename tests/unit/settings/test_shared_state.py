"""``[state] url``: the package that it needs, an optional extra."""

import tomllib
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from gateway.settings import state_checks
from gateway.settings.loading import load
from tests.support.measures import ROOT
from tests.unit.settings.configurations import GOOD, load_text, private

SECRET = "k3JHf8fhKJH38fhjh38fhKJHF38fhkjhf83hKJ3"
REDIS = f'url = "redis://127.0.0.1:6379"\nsecret = "{SECRET}"\n'
SHARED = f"{GOOD}[state]\n{REDIS}"


def without_redis(name: str) -> ModuleSpec | None:
    return None if name == "redis" else ModuleSpec(name, None)


def test_without_the_package_redis_a_url_is_a_fault_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_text(tmp_path, SHARED).faults == ()
    monkeypatch.setattr(state_checks, "find_spec", without_redis)
    assert [str(fault) for fault in load_text(tmp_path, SHARED).faults] == [
        'state.url (line 23): needs the package redis. Pip install "valt-gateway[redis]".'
    ]
    assert load_text(tmp_path, GOOD).faults == ()


@pytest.mark.parametrize(
    ("state", "part"),
    [
        (f'dir = "state"\n{REDIS}', "revoke --list"),
        ('dir = "state"\nprefix = "film:"', "revoke --list"),
        ('dir = "/run/valt-gateway/state"', "move it"),
        ('dir = "memory"', "move it"),
        ('dir = "~/state"', "move the directory"),
        (f'prefix = " film:"\n{REDIS}', "revoke --list"),
    ],
)
def test_a_remedy_that_names_another_state_says_what_to_move_or_repeat(tmp_path: Path, state: str, part: str) -> None:
    private(tmp_path / "gateway.toml", f"{GOOD}[state]\n{state}")
    loaded = load(tmp_path / "gateway.toml", {}, check_files=True)
    (finding,) = (*loaded.faults, *loaded.warnings)
    assert part in finding.remedy


def test_redis_is_required_by_an_optional_extra_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not any(package.startswith("redis") for package in project["dependencies"])
    assert [package for package in project["optional-dependencies"]["redis"] if package.startswith("redis")]
