"""``python -m tests.mutants [MODULE ...]``: mutates the modules of modules.toml, or those named, and runs their tests.

How it works: each module gets a folder of its own below mutants/, with a copy of the sources and a configuration of
mutmut, which mutates there and runs in forks. Exits with 1 if fewer than 95 of 100 mutants are killed in total, or if
those that survive are not the ones that survivors.toml lists.
"""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.mutants.survivors import listed, mutants_of, selections

_ROOT = Path(__file__).parents[2]
_WORK = _ROOT / "mutants"
_CONFTEST = """
import pytest
from hypothesis import Phase, settings

settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate], database=None, deadline=None)
settings.load_profile("mutants")


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc):
    for mark in metafunc.definition.iter_markers("parametrize"):
        mark.kwargs.pop("ids", None)


def pytest_make_parametrize_id(argname):
    return argname
"""
"""A generated test that fails has killed the mutant: the smallest example of it would take 20 seconds more. mutmut runs
tests by their names, and a name with characters of a parameter may not be one that pytest finds again."""
_COPIED = ("gateway", "tests", "config", "deploy", "docs", "pyproject.toml")
_LEAST = 95.0
"""Mutants that must be killed, of a hundred."""
_KILLED = ("killed", "timeout", "segfault")
"""A mutant that loops for ever or ends the interpreter is noticed too."""


def _prepare(module: str, tests: list[str]) -> Path:
    """Returns the folder in which mutmut mutates *module*, renewed."""
    folder = _WORK / module.removesuffix(".py").replace("/", ".")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in _COPIED:
        source = _ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        else:
            shutil.copy(source, folder / name)
    (folder / "conftest.py").write_text(_CONFTEST)
    lines = [
        "[mutmut]",
        "source_paths=gateway",
        f"only_mutate={module}",
        "use_git_change_detection=false",
        *_setting("also_copy", [*(name for name in _COPIED if name != "tests"), "conftest.py"]),
        *_setting("pytest_add_cli_args", ["-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"]),
        *_setting("pytest_add_cli_args_test_selection", tests),
    ]
    (folder / "setup.cfg").write_text("\n".join([*lines, ""]))
    return folder


def _setting(name: str, values: list[str]) -> list[str]:
    return [f"{name}=", *(f"    {value}" for value in values)]


def _mutmut(folder: Path, *arguments: str) -> str:
    """Returns what mutmut prints. Raises CalledProcessError, after printing it, if it fails."""
    # Fewer generated sequences than in the suite: each mutant runs them anew.
    environment = os.environ | {"SEQUENCES": os.environ.get("SEQUENCES", "100"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)  # it would find the sources that are not mutated
    command = [str(Path(sys.executable).parent / "mutmut"), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout[-5000:] + done.stderr[-5000:])
        done.check_returncode()
    return done.stdout


def _run(module: str, tests: list[str]) -> tuple[Counter[str], list[str]]:
    """Returns how many mutants of *module* ended how, and those that survived, as survivors.toml writes them."""
    folder = _prepare(module, tests)
    # With a pattern, mutmut first runs the unchanged module's tests by their names, as it does for each mutant.
    _mutmut(folder, "run", "--max-children", os.environ.get("CHILDREN", "1"), "*")
    results = [line.strip().split(": ") for line in _mutmut(folder, "results", "--all", "true").splitlines()]
    mutants = mutants_of((folder / "mutants" / module).read_text())
    survived = [mutants[name.rpartition(".")[2]] for name, status in results if status not in _KILLED]
    return Counter(status for _, status in results), survived


def _report(module: str, tests: list[str]) -> tuple[int, int, bool]:
    """Prints the figures of *module*; returns its mutants, the killed ones, and whether the others are the listed."""
    begin = time.monotonic()
    counts, survived = _run(module, tests)
    total, killed = counts.total(), sum(counts[status] for status in _KILLED)
    sys.stdout.write(
        f"{module:36} {total:5} mutants {killed:5} killed {counts['survived']:4} survived "
        f"{counts['no tests']:4} no test {100 * killed / total:5.1f} % {time.monotonic() - begin:5.0f} s\n"
    )
    expected = listed().get(module, {})
    unlisted = [mutant for mutant in survived if mutant not in expected]
    gone = [mutant for mutant in expected if mutant not in survived]
    for title, mutants in (("survived, not listed", unlisted), ("listed, but does not survive", gone)):
        for mutant in mutants:
            sys.stdout.write(f"  {title}: {mutant}\n")
    sys.stdout.flush()
    return total, killed, not unlisted and not gone


def main() -> int:
    chosen = sys.argv[1:]
    modules = {module: tests for module, tests in selections().items() if not chosen or module in chosen}
    if not modules:
        sys.stderr.write(f"none of {', '.join(chosen)} is in tests/mutants/modules.toml\n")
        return 2
    results = [_report(module, tests) for module, tests in modules.items()]
    total, killed = sum(result[0] for result in results), sum(result[1] for result in results)
    share = 100 * killed / total
    sys.stdout.write(f"{killed} of {total} mutants killed: {share:.1f} %\n")
    return 0 if share >= _LEAST and all(exact for _, _, exact in results) else 1


if __name__ == "__main__":
    sys.exit(main())
