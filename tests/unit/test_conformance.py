"""Each line of docs/conformance.md names tests that exist, or says why it does not apply."""

import re

import pytest

from tests.support.cases import is_test
from tests.support.measures import ROOT

LINES = (ROOT / "docs/conformance.md").read_text(encoding="utf-8").splitlines()
ROWS = [line for line in LINES if line.startswith("| ") and not line.startswith("| section ")]


def test_every_section_has_lines() -> None:
    headings = [number for number, line in enumerate(LINES) if line.startswith("## ")]
    sections = [LINES[start:end] for start, end in zip(headings, [*headings[1:], len(LINES)], strict=True)]
    assert len(sections) >= 10
    assert all(len(set(section) & set(ROWS)) >= 4 for section in sections)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_a_line_has_tests_that_exist_or_a_reason(row: str) -> None:
    _, section, requirement, cell, _ = (part.strip() for part in row.split("|"))
    assert section
    assert requirement
    if not cell.startswith("Does not apply: "):
        tests = re.findall(r"`([^`]+)`", cell)
        assert tests
        assert [test for test in tests if not is_test(test)] == []
