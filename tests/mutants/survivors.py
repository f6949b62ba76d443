"""The lists of this package: the modules with their tests, and the mutants that are known to survive."""

import tomllib
from pathlib import Path

_FOLDER = Path(__file__).parent


def selections() -> dict[str, list[str]]:
    """Returns the test files of each module that is mutated, by the module's path."""
    return tomllib.loads((_FOLDER / "modules.toml").read_text())


def listed() -> dict[str, dict[str, str]]:
    """Returns the reason why each listed mutant survives, by module and mutant."""
    return tomllib.loads((_FOLDER / "survivors.toml").read_text())


def mutant_of(text: str) -> str:
    """Returns ``function: line -> mutated line`` from what ``mutmut show`` prints.

    Mutants have numbers too, which change with every change of the module.
    """
    name = text.split()[1].partition("__mutmut_")[0].rpartition(".")[2]
    function = name.removeprefix("x").removeprefix("_").removeprefix("ǁ").replace("ǁ", ".")
    changes = [line for line in text.splitlines() if line[:1] in ("-", "+") and line[:3] not in ("---", "+++")]
    old, new = (" ".join(line[1:].strip() for line in changes if line[0] == sign) for sign in "-+")
    return f"{function}: {old} -> {new}"
