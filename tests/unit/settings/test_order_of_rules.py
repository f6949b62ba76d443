"""Rules that an earlier one keeps from ever deciding, and their neighbours, which may decide."""

from pathlib import Path

import pytest

from tests.unit.settings.broken import grant
from tests.unit.settings.configurations import GOOD, load_text

pytestmark = pytest.mark.promise("security-S16")

TRAINEE = '\n[valt.accounts.trainee]\nusername = "svc-trainee"\npassword = "planted"\n'
RULE = '\n[[grants]]\nname = "later"\nrecordings = ["*"]\naccount = "reviewer"\ngroups = ["supervisors"]\n'
LISTEN = '[server]\nlisten = "[::]:8080"\ntrusted_proxies = ["fd00::5"]'


@pytest.mark.parametrize(
    ("earlier", "later", "opposite_may_decide"),
    [
        ('networks = ["10.0.0.0/8"]', 'networks = ["10.1.0.0/16"]', True),
        ('networks = ["fd00::/8", "unix"]', 'networks = ["fd00:1::/32"]', True),
        ('networks = ["10.0.0.0/8", "unix"]', 'networks = ["unix", "10.0.0.7"]', True),
        ('rooms = ["Room 3", "Room 4"]', 'rooms = ["Room 3"]', True),
        ('rooms = ["Room *"]', 'rooms = ["Room 3"]\nauthors = ["asmith"]', True),
        ('names = ["*"]', 'names = ["Session 1"]', True),
        ("template = { course = 'PSY' }", "template = { course = 'PSY', term = '2' }", True),
        ('created_within = "30d"', 'created_within = "7d"', True),
        ("author_is_me = true", 'author_is_me = true\nrooms = ["A"]', True),
        ("valid_until = 2099-12-31", "valid_until = 2098-12-31", True),
        ("valid_from = 2026-01-01", "valid_from = 2026-06-01\nvalid_until = 2099-01-01", True),
        ("", "valid_from = 2026-06-01", True),
    ],
)
def test_a_rule_that_never_decides_is_a_fault_and_the_opposite_order_is_none(
    tmp_path: Path, earlier: str, later: str, opposite_may_decide: bool
) -> None:
    def faults(first: str, second: str) -> list[str]:
        text = grant(first).replace("[server]", LISTEN) + RULE + second
        return [fault.key for fault in load_text(tmp_path, text).faults if fault.line is not None]

    assert faults(earlier, later) == ["grants.1"]
    assert (faults(later, earlier) == []) == opposite_may_decide


@pytest.mark.parametrize(
    ("first", "second", "keys"),
    [
        ("anna", "campus#anna", ["grants.1"]),
        ("campus#anna", "campus#anna", ["grants.1"]),
        ("campus#anna", "anna", []),
        ("anna", "another#anna", []),
        ("*", "campus#anna", ["grants.1"]),
    ],
)
def test_a_person_of_one_provider_is_one_of_all(tmp_path: Path, first: str, second: str, keys: list[str]) -> None:
    text = GOOD + RULE.replace("groups", "subjects").replace("supervisors", second)
    loaded = load_text(tmp_path, text.replace('groups = ["supervisors"]', f'subjects = ["{first}"]'))
    assert [fault.key for fault in loaded.faults] == keys


@pytest.mark.parametrize(
    "later",
    [
        'rooms = ["Room 5"]',
        'account = "trainee"\nrooms = ["Room 3"]',
        'networks = ["10.0.0.0/8"]',
        "valid_from = 2099-01-01",
    ],
)
def test_a_rule_for_what_the_earlier_one_leaves_is_no_fault(tmp_path: Path, later: str) -> None:
    rule = RULE.replace('account = "reviewer"\n', "") if "account" in later else RULE
    text = grant('rooms = ["Room 3", "Room 4"]\nvalid_until = 2098-12-31').replace("[server]", LISTEN)
    assert load_text(tmp_path, text + TRAINEE + rule + later).faults == ()


def test_networks_that_fit_together_are_not_taken_for_the_whole(tmp_path: Path) -> None:
    text = grant('networks = ["10.0.0.0/9", "10.128.0.0/9"]').replace("[server]", LISTEN) + RULE
    assert load_text(tmp_path, text + 'networks = ["10.0.0.0/8"]').faults == ()
