"""Tables of what is known, and of the tests that hold it: kept as docstrings, and checked so that none is a dead name.

An entry is a line that begins with a number or a capital; below it stand its tests, indented, as ``file::name``, or as
a bare name where the test is of the table's own file.
"""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
_ENTRY = re.compile(r"^ ?(\d+|[A-Z]) \S.*\n((?: {5}\S+\n)+)", re.M)
_TEST = re.compile(r"^ {5}(?:(\S+)::)?(test_\w+)$", re.M)


def entries_of(table: str | None, own: Path) -> list[str]:
    """The numbers and letters of *table*'s entries, in order. AssertionError where a test that one names is none."""
    entries = _ENTRY.findall(table or "")
    for what, tests in entries:
        for line in tests.splitlines():
            named = _TEST.fullmatch(line)
            assert named is not None, f"{what}: {line}"
            text = (TESTS / named[1] if named[1] else own).read_text(encoding="utf-8")
            assert re.search(rf"^(?:async )?def {named[2]}\(", text, re.M), f"{what}: {line}"
    return [what for what, _ in entries]
