"""``[state] url``: the package that it needs, an optional extra."""

import tomllib
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from gateway.settings import state_checks
from tests.support.measures import ROOT
from tests.unit.settings.configurations import GOOD, load_text

SECRET = "s" * 40
SHARED = GOOD + f'[state]\nurl = "redis://127.0.0.1:6379"\nsecret = "{SECRET}"\n'


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


def test_redis_is_required_by_an_optional_extra_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not any(package.startswith("redis") for package in project["dependencies"])
    assert [package for package in project["optional-dependencies"]["redis"] if package.startswith("redis")]
