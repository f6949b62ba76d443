"""The targets of the Makefile."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAMS = ROOT / "tests/programs.sh"


def make(*arguments: str) -> str:
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=alone, capture_output=True, text=True, check=True).stdout


def test_make_without_a_target_lists_the_targets() -> None:
    targets = {line.split()[1] for line in make().splitlines()}
    assert targets >= {"demo", "test", "lint", "bench", "soak", "help"}


def test_make_demo_runs_the_demo() -> None:
    assert make("--dry-run", "demo").splitlines()[-1].split() == [".venv/bin/valt-gateway", "demo"]


def test_make_soak_passes_its_minutes_on() -> None:
    assert make("--dry-run", "soak", "MINUTES=7").splitlines()[-1].endswith("-m tests.soak 7")


def test_make_test_checks_programs_then_lints_then_runs_the_tests() -> None:
    plan = make("--dry-run", "test")
    steps = ["programs.sh", "ruff check", "ruff format --check", "mypy", "lint-imports", "pytest"]
    positions = [plan.rindex(step) for step in steps]
    assert positions == sorted(positions)


def test_continuous_integration_runs_make_test() -> None:
    run = ROOT / ".ci/run"
    assert os.access(run, os.X_OK)
    assert run.read_text().splitlines()[-1] == "exec make test"


def test_missing_programs_are_named_if_they_cannot_be_installed(tmp_path: Path) -> None:
    for tool in ("sed", "sort", "grep", "tr"):
        path = shutil.which(tool)
        assert path is not None
        (tmp_path / tool).symlink_to(path)
    done = subprocess.run(
        ["/bin/bash", str(PROGRAMS)], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "missing: chromium ffmpeg" in done.stderr
    assert "vlc-plugin-base" in done.stderr
