"""The wheel and the source distribution contain what they promise, and are built byte for byte again."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.build_info import build_info, read_build_info
from gateway.cli.situations import SITUATIONS, files_of
from hatch_build import build
from tests.support.measures import ROOT

COMMIT = "0123456789abcdef0123456789abcdef01234567"
STATED = {"VALT_GATEWAY_COMMIT": COMMIT, "SOURCE_DATE_EPOCH": "1798761600"}
DATE = "2027-01-01T00:00:00Z"


def python(*arguments: str | Path, cwd: Path = ROOT, environ: Mapping[str, str] = STATED) -> str:
    """Returns the standard output of Python with *arguments*, and of nothing of this clone unless *cwd* is in it."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", *STATED)}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=clean | dict(environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Distributions:
    """*wheel* was built from *source*, the source distribution; *installed* has the wheel's packages."""

    source: Path
    wheel: Path
    installed: Path

    def gateway(self, *arguments: str | Path, cwd: Path) -> str:
        return python("-m", "gateway", *arguments, cwd=cwd, environ={"PYTHONPATH": str(self.installed)})


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    folder, installed = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("installed")
    python("-m", "build", "--no-isolation", "--outdir", folder)
    (source,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    python("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target", installed, wheel)
    return Distributions(source, wheel, installed)


def test_the_wheel_has_the_package_and_the_examples_and_nothing_else(distributions: Distributions) -> None:
    names = zipfile.ZipFile(distributions.wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "gateway",
        f"valt_gateway-{build_info().version}.dist-info",
    }
    tracked = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "gateway").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "shipped" not in path.parts
    }
    shipped = {
        f"gateway/shipped/{path.relative_to(ROOT).as_posix()}"
        for folder in ("config", "deploy")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }
    assert {name for name in names if name.startswith("gateway/")} == tracked | shipped | {"gateway/build.json"}


def test_the_source_distribution_has_what_building_and_testing_need(distributions: Distributions) -> None:
    with tarfile.open(distributions.source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]
    for needed in (
        "pyproject.toml",
        "hatch_build.py",
        "constraints.txt",
        "locks/core.txt",
        "lock.py",
        "package_audit.py",
        "Makefile",
        "LICENSE",
        "README.md",
        ".ci/run",
    ):
        assert needed in names
    for folder in ("config", "deploy", "docs", "media", "tests", "gateway"):
        assert any(name.startswith(f"{folder}/") for name in names)


@pytest.mark.promise("operation-package-2")
def test_a_wheel_from_the_clone_equals_the_one_from_the_source_distribution(
    distributions: Distributions, tmp_path: Path
) -> None:
    python("-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path)
    (again,) = tmp_path.glob("*.whl")
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (again, distributions.wheel)]
    assert again.name == distributions.wheel.name
    assert digests[0] == digests[1]


@pytest.mark.promise("operation-package-1")
@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_installed_package_writes_each_situation_and_accepts_it(
    distributions: Distributions, tmp_path: Path, situation: str
) -> None:
    distributions.gateway("init", situation, "--to", "written", cwd=tmp_path)
    for target, file in files_of(SITUATIONS[situation]):
        assert (tmp_path / "written" / target).read_bytes() == file.read_bytes()
    configurations = list((tmp_path / "written").glob("*.toml"))
    assert configurations
    for config in configurations:
        distributions.gateway("check-config", "--without-secrets", "--config", config, cwd=tmp_path)


@pytest.mark.promise("operation-package-2")
def test_the_installed_package_prints_version_commit_and_date(distributions: Distributions, tmp_path: Path) -> None:
    info = read_build_info(distributions.installed / "gateway/build.json")
    assert (info.commit, info.date) == (COMMIT, DATE)
    printed = distributions.gateway("version", cwd=tmp_path)
    assert printed == f"{info.version} (commit {COMMIT}, {DATE})\n"
    assert distributions.gateway("--version", cwd=tmp_path) == f"{info.version}\n"


def test_the_metrics_name_the_commit_that_was_built(distributions: Distributions, tmp_path: Path) -> None:
    program = (
        "from gateway.build_info import build_info; from gateway.observe.metrics import Metrics\n"
        "info = build_info(); print(Metrics(version=info.version, commit=info.commit).render()[0].decode())"
    )
    metrics = python("-c", program, cwd=tmp_path, environ={"PYTHONPATH": str(distributions.installed)})
    (line,) = [line for line in metrics.splitlines() if line.startswith("valt_gateway_build_info{")]
    assert f'commit="{COMMIT}"' in line


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.edu")
    date = {"GIT_COMMITTER_DATE": "2027-01-01T01:00:00+01:00"}
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, env=os.environ | date, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, and an environment that states nothing about it."""
    for name in STATED:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "file").write_text("one\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--no-verify", "--message=one")
    return tmp_path


def test_a_clone_states_the_commit_and_its_date(clone: Path) -> None:
    commit = git(clone, "rev-parse", "HEAD")
    assert build(clone) == {"commit": commit, "date": DATE}
    (clone / "file").write_text("two\n")
    assert build(clone) == {"commit": f"{commit}-dirty", "date": DATE}


def test_the_environment_states_commit_and_date_instead(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALT_GATEWAY_COMMIT", COMMIT)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert build(clone) == {"commit": COMMIT, "date": "1970-01-01T00:00:00Z"}


def test_a_folder_inside_another_repository_has_no_commit(clone: Path) -> None:
    (clone / "unpacked").mkdir()
    assert build(clone / "unpacked") == {}


def test_without_a_stated_commit_the_version_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VALT_GATEWAY_COMMIT", raising=False)
    assert str(read_build_info(tmp_path / "none.json")) == read_build_info(tmp_path / "none.json").version
    (tmp_path / "build.json").write_text(json.dumps({"commit": COMMIT}))
    assert str(read_build_info(tmp_path / "build.json")).endswith(f" (commit {COMMIT})")
