"""The hostile cases of cases.toml: selects their tests, and prints a line for each case with its result."""

import ast
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.measures import syntax_tree

TESTS = Path(__file__).parents[1]
NUMBERS = range(1, 162)


@dataclass(frozen=True, slots=True)
class Case:
    """*tests* are node ids below tests/, with or without parameters; *argued* is why the case cannot arise, *open* what
    is missing."""

    number: int
    promise: str
    tests: tuple[str, ...] = ()
    argued: str = ""
    open: str = ""

    def result(self, outcomes: Mapping[str, set[str]]) -> str:
        """Returns ``held``, ``argued``, ``open``, ``broken`` or ``not run``. *outcomes*: those of each test."""
        if self.argued or self.open:
            return "argued" if self.argued else "open"
        results = {outcome for test in self.tests for outcome in outcomes.get(test, {"not run"})}
        if results == {"passed"}:
            return "held"
        return "broken" if "failed" in results else "not run"


def catalogue() -> list[Case]:
    """Returns the cases in the order of their numbers."""
    tables = tomllib.loads((TESTS / "cases.toml").read_text(encoding="utf-8"))
    cases = [Case(int(number), **table | {"tests": tuple(table.get("tests", ()))}) for number, table in tables.items()]
    return sorted(cases, key=lambda case: case.number)


def is_test(name: str) -> bool:
    """Whether *name*, as ``unit/test_cases.py::test_every_number_has_a_case``, is a function of a file below tests/.

    Its parameters are not looked at."""
    file, _, function = name.partition("[")[0].partition("::")
    if not (TESTS / file).is_file():
        return False
    nodes = ast.walk(syntax_tree(TESTS / file))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function for node in nodes)


def function_of(nodeid: str) -> str:
    """Returns the test function of a node id, below tests/ and without parameters."""
    return nodeid.partition("[")[0].removeprefix("tests/")


def names_of(nodeid: str) -> tuple[str, str]:
    """Returns how a case may name the test of a node id: without parameters, or with them."""
    return function_of(nodeid), nodeid.removeprefix("tests/")


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves only the tests of the cases in *items*."""
    wanted = {test for case in catalogue() for test in case.tests}
    others = [item for item in items if wanted.isdisjoint(names_of(item.nodeid))]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if not wanted.isdisjoint(names_of(item.nodeid))]


def report(outcomes: Iterable[tuple[str, str]]) -> str:
    """Returns a line for each case and the totals. *outcomes*: node id and outcome of each test that ran."""
    by_test: dict[str, set[str]] = {}
    for nodeid, outcome in outcomes:
        for name in names_of(nodeid):
            by_test.setdefault(name, set()).add(outcome)
    lines, totals = [], dict.fromkeys(("held", "argued", "open", "broken", "not run"), 0)
    for case in catalogue():
        result = case.result(by_test)
        totals[result] += 1
        lines.append(f"{case.number:4}  {result:8}  {case.promise}")
        lines += [f"                {line}" for line in (case.argued, case.open, *case.tests) if line]
    return "\n".join([*lines, ", ".join(f"{count} {result}" for result, count in totals.items() if count)])
