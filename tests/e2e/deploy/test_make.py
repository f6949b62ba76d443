"""The commands of a fresh clone."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAMS = ROOT / "tests/programs.sh"


def make(*arguments: str) -> str:
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=alone, capture_output=True, text=True, check=True).stdout


def test_make_alone_says_what_can_be_made() -> None:
    told = {line.split()[1] for line in make().splitlines()}
    assert told >= {"demo", "test", "lint", "bench", "soak", "help"}


def test_make_soak_takes_its_minutes() -> None:
    assert make("--dry-run", "soak", "MINUTES=7").splitlines()[-1].endswith("-m tests.soak 7")


def test_make_test_looks_for_programs_first_then_at_style_types_and_imports_then_runs_the_tests() -> None:
    plan = make("--dry-run", "test")
    steps = ["programs.sh", "ruff check", "ruff format --check", "mypy", "lint-imports", "pytest"]
    found = [plan.rindex(step) for step in steps]
    assert found == sorted(found)


def test_what_runs_elsewhere_is_what_runs_at_a_desk() -> None:
    run = ROOT / ".ci/run"
    assert os.access(run, os.X_OK)
    assert run.read_text().splitlines()[-1] == "exec make test"


def test_a_machine_that_cannot_install_is_told_what_is_missing(tmp_path: Path) -> None:
    for tool in ("sed", "sort", "grep", "tr"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    done = subprocess.run(
        ["/bin/bash", str(PROGRAMS)], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "missing: chromium ffmpeg" in done.stderr
    assert "vlc-plugin-base" in done.stderr
