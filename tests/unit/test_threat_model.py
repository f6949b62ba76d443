"""Each row of the tables of docs/security.md names tests that exist; the last section tells what was tried."""

import re

import pytest

from tests.support.cases import is_test
from tests.support.measures import ROOT

TEXT = (ROOT / "docs/security.md").read_text(encoding="utf-8")
MODEL, _, TRIED = TEXT.partition("\n## How it was tried\n")
LINES = MODEL.splitlines()
TABLES = [number for number, line in enumerate(LINES) if line.startswith("|---")]
ROWS = [line for number, line in enumerate(LINES) if line.startswith("| ") and number + 1 not in TABLES]


def test_the_threat_model_has_every_part_that_a_review_asks_for() -> None:
    sections = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert {"Assets", "Actors", "Assumptions", "What the operator must do", "What is not covered"} <= set(sections)
    assert sum(section.startswith("Boundary: ") for section in sections) == 5
    assert sections[-1] == "How it was tried"
    assert len(ROWS) >= 80
    assert "\n### " in TRIED


def test_every_table_ends_with_its_tests() -> None:
    assert [LINES[number - 1] for number in TABLES if not LINES[number - 1].endswith("| test |")] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_a_row_of_the_threat_model_names_tests_that_exist(row: str) -> None:
    *_, cell, end = (part.strip() for part in row.split("|"))
    assert end == ""
    tests = re.findall(r"`([^`]+)`", cell)
    assert tests
    assert [test for test in tests if not is_test(test)] == []


def test_a_boundary_names_for_each_threat_what_remains() -> None:
    boundaries = re.findall(r"^## Boundary: .*?(?=^## )", MODEL, re.MULTILINE | re.DOTALL)
    rows = [row for section in boundaries for row in section.splitlines() if row in ROWS]
    assert len(rows) >= 50
    assert [row for row in rows if len(row.split("|")) != 6 or not row.split("|")[3].strip()] == []
