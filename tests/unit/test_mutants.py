"""The lists of `make mutants` are those of the code as it is. The mutants themselves are not part of the tests."""

import ast
from pathlib import Path

import pytest

from tests.mutants.survivors import listed, mutants_of, selections

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("module", "tests"), selections().items(), ids=selections())
def test_the_modules_that_are_mutated_exist_and_so_do_their_tests(module: str, tests: list[str]) -> None:
    assert [name for name in (module, *tests) if not (ROOT / name).is_file()] == []


def test_a_mutant_that_is_listed_as_surviving_is_of_code_that_exists() -> None:
    gone = [
        (module, mutant) for module, mutants in listed().items() for mutant in mutants if not _exists(module, mutant)
    ]
    assert gone == []


def _exists(module: str, mutant: str) -> bool:
    """Whether *module* has the function of *mutant*, and the function the line that it changes."""
    function, _, change = mutant.partition(": ")
    source = (ROOT / module).read_text()
    bodies = [
        " ".join(line.strip() for line in (ast.get_source_segment(source, node) or "").splitlines())
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function.rpartition(".")[2]
    ]
    return module in selections() and any(change.partition(" -> ")[0] in body for body in bodies)


def test_each_mutant_that_is_listed_as_surviving_has_a_reason() -> None:
    assert [reason for mutants in listed().values() for reason in mutants.values() if len(reason) < 20] == []


def test_a_mutant_is_identified_by_function_and_changed_line_not_by_its_number() -> None:
    mutated = """
class Rules:
    async def xǁRulesǁmay_see__mutmut_orig(self, a: int, b: int) -> bool:
        a += 1
        return a < b

    async def xǁRulesǁmay_see__mutmut_12(self, a: int, b: int) -> bool:
        a += 1
        return a <= b


def x__end_of__mutmut_orig(
    a: int,
) -> int:
    return a + 1


def x__end_of__mutmut_1(
    a: int,
) -> int:
    return a - 1


def x__end_of__mutmut_2(
    a: int = 2,
) -> int:
    return a + 1
"""
    assert mutants_of(mutated) == {
        "xǁRulesǁmay_see__mutmut_12": "Rules.may_see: return a < b -> return a <= b",
        "x__end_of__mutmut_1": "_end_of: return a + 1 -> return a - 1",
        "x__end_of__mutmut_2": "_end_of: a: int, -> a: int = 2,",
    }
