"""Tables in docstrings that name, below each promise, the tests that hold it."""

from pathlib import Path

_TESTS = Path(__file__).parents[1]


def missing(table: str) -> list[str]:
    """Those that *table* names and that do not exist. A test is named ``     file.py::test_name``, a line each."""
    named = [line.strip() for line in table.splitlines() if line.startswith("     ")]
    return [name for name in named if not _stands(*name.partition("::")[::2])]


def _stands(file: str, name: str) -> bool:
    path = _TESTS / file
    return path.is_file() and f"def {name}(" in path.read_text(encoding="utf-8")
