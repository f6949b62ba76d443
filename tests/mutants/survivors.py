"""The lists of this package: the modules with their tests, and the mutants that are known to survive."""

import ast
import difflib
import tomllib
from pathlib import Path

_FOLDER = Path(__file__).parent


def selections() -> dict[str, list[str]]:
    """Returns the test files of each module that is mutated, by the module's path."""
    return tomllib.loads((_FOLDER / "modules.toml").read_text())


def listed() -> dict[str, dict[str, str]]:
    """Returns the reason why each listed mutant survives, by module and mutant."""
    return tomllib.loads((_FOLDER / "survivors.toml").read_text())


def mutants_of(mutated: str) -> dict[str, str]:
    """Returns ``function: line -> mutated line`` of each mutant in *mutated*, a module as mutmut writes it, by the name
    of the mutant's function.

    Those names end with a number, and the numbers change with every change of the module.
    """
    lines = mutated.splitlines()
    texts = {
        node.name: [
            line.strip().replace(node.name, _function(node.name)) for line in lines[node.lineno - 1 : node.end_lineno]
        ]
        for node in ast.walk(ast.parse(mutated))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "__mutmut_" in node.name
    }
    return {
        name: _describe(name, texts[f"{name.rpartition('__mutmut_')[0]}__mutmut_orig"], text)
        for name, text in texts.items()
        if not name.endswith("_orig")
    }


def _function(name: str) -> str:
    """Returns the function of a mutant, without its class."""
    return name.rpartition("__mutmut_")[0].removeprefix("x").removeprefix("_").rpartition("ǁ")[2]


def _describe(name: str, original: list[str], mutated: list[str]) -> str:
    function = name.rpartition("__mutmut_")[0].removeprefix("x").removeprefix("_").removeprefix("ǁ").replace("ǁ", ".")
    changes = [line for line in difflib.ndiff(original, mutated) if line[0] in "-+"]
    old, new = (" ".join(line[2:] for line in changes if line[0] == sign) for sign in "-+")
    return f"{function}: {old} -> {new}"
