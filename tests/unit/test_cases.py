"""The table of hostile cases is complete, and names tests that exist."""

import pytest

from tests.fuzz.targets import TARGETS
from tests.support.cases import NUMBERS, Case, catalogue, is_test, report

CASES = catalogue()
READER = "fuzz/test_targets.py::test_a_reader_of_foreign_bytes_holds_its_promise["


def test_every_number_has_a_case() -> None:
    assert [case.number for case in CASES] == list(NUMBERS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_a_case_has_tests_or_a_reason(case: Case) -> None:
    assert case.tests or case.argued or case.open
    assert not (case.argued and case.open)
    assert [test for test in case.tests if not is_test(test)] == []


def test_each_reader_of_foreign_bytes_that_clients_or_servers_send_is_a_cases() -> None:
    readers = {f"{READER}{target.name.replace(' ', '-')}]" for target in TARGETS}
    named = {test for case in CASES for test in case.tests if test.startswith(READER)}
    assert named <= readers
    # What the operator writes, and what no case is about.
    others = {"keytab", "Redis-URL", "Accept", "traceparent", "VALT's-rooms", "VALT's-comments", "MP4-index"}
    assert readers - named == {f"{READER}{name}]" for name in others}


def test_a_case_may_name_a_test_with_its_parameters() -> None:
    case = Case(1, "A promise", ("a.py::test_one[b]",))
    assert case.result({"a.py::test_one": {"passed", "failed"}, "a.py::test_one[b]": {"passed"}}) == "held"


def test_a_case_is_held_only_if_all_its_tests_passed() -> None:
    case = Case(1, "A promise", ("a.py::test_one", "a.py::test_other"))
    assert case.result({"a.py::test_one": {"passed"}, "a.py::test_other": {"passed"}}) == "held"
    assert case.result({"a.py::test_one": {"passed", "failed"}, "a.py::test_other": {"passed"}}) == "broken"
    assert case.result({"a.py::test_one": {"passed"}}) == "not run"


def test_the_report_has_a_line_for_each_case_and_the_totals() -> None:
    lines = report([]).splitlines()
    numbers = [int(line[:4]) for line in lines if line[:4].strip().isdigit()]
    assert numbers == list(NUMBERS)
    assert "argued" in lines[-1]
