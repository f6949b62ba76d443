"""Rules that an earlier one keeps from ever deciding, and their neighbours, which may decide."""

import json
import random
import re
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

import pytest

from tests.unit.settings.broken import SERVICE_KEY, grant
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
        ('rooms = ["Room *"]', 'rooms = ["Room 3*", "Room 40"]', True),
        ('rooms = ["Room ?"]', 'rooms = ["Room [1-3]"]', True),
        ('names = ["Session ?"]', 'names = ["Session [12]"]', True),
        ('names = ["*(private)*"]', 'names = ["Team [AB] (private)?"]', True),
        ("template = { course = 'PSY*' }", "template = { course = 'PSY 5*' }", True),
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
        ("archive", "service_key#archive", ["grants.1"]),
        ("Anna", "anna", []),
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


REFUSAL = '\n[[grants]]\nname = "refusal"\nallow = false\n'


@pytest.mark.parametrize(
    ("earlier", "later", "keys"),
    [
        (('["students"]', "", "*"), ('["staff"]', "", "*"), ["grants.2"]),
        (('["students"]', 'rooms = ["Room *"]', "*"), ('["staff"]', 'rooms = ["*3"]', "*"), ["grants.2"]),
        (('["students", "staff"]', "", "1*"), ('["students", "staff"]', "", "2*"), ["grants.2"]),
        (('["students"]', "", "*"), ('["staff"]', 'rooms = ["Room 4"]', "*"), []),
        (('["students"]', "", "*"), ('["tutors"]', "", "*"), []),
        (('["students", "staff"]', "", "1*"), ('["students"]', "", "2*"), []),
    ],
)
def test_a_rule_that_two_earlier_ones_keep_from_deciding_is_a_fault(
    tmp_path: Path, earlier: tuple[str, str, str], later: tuple[str, str, str], keys: list[str]
) -> None:
    text = GOOD.partition("[[grants]]")[0]
    for number, (groups, more, recordings) in enumerate((earlier, later)):
        text += f'[[grants]]\nname = "rule{number}"\ngroups = {groups}\nrecordings = ["{recordings}"]\n'
        text += f'account = "reviewer"\n{more}\n'
    text += REFUSAL + 'groups = ["staff", "students"]\nrecordings = ["17", "23"]\naccount = "reviewer"\n'
    text += 'rooms = ["Room 3"]\n' + RULE
    loaded = load_text(tmp_path, text)
    assert [fault.key for fault in loaded.faults] == keys
    assert all("rule0, rule1 match" in fault.reason for fault in loaded.faults)


@pytest.mark.parametrize(
    ("refused", "allowed", "keys"),
    [
        ('subjects = ["Anna@example.edu"]', 'subjects = ["anna@example.edu"]', ["grants.1"]),
        ('subjects = ["campus#Anna"]', 'subjects = ["campus#anna"]', ["grants.1"]),
        ('groups = ["Interns"]', 'groups = ["interns"]', ["grants.1"]),
        ('subjects = ["campus#anna"]', 'subjects = ["anna"]', []),
    ],
)
def test_a_rule_for_another_spelling_of_who_is_refused_is_a_fault(
    tmp_path: Path, refused: str, allowed: str, keys: list[str]
) -> None:
    text = GOOD.replace('groups = ["supervisors"]', f"allow = false\n{refused}")
    loaded = load_text(tmp_path, text + RULE.replace('groups = ["supervisors"]', allowed))
    assert [fault.key for fault in loaded.faults] == keys


NAMES = ("anna", "bob", "campus#anna", "*")
GLOB_TEXTS = ("1", "12", "1*", "*2", "?2", "[12]*", "*")
ROOM_TEXTS = ("", "A1", "A*", "*1", "?1", "[AB]1", "*")
RECORDINGS = ("1", "2", "12", "22", "3")
ROOMS = ("A1", "B1", "A", "C2", "")


def matches(rule: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], case: tuple[str, str, str]) -> bool:
    """The plain model of a rule: its people, ids and rooms."""
    (people, ids, rooms), (person, recording, room) = rule, case
    return (
        bool({person, f"campus#{person}", "*"} & set(people))
        and any(fnmatchcase(recording, one) for one in ids)
        and (not rooms or any(fnmatchcase(room, one) for one in rooms))
    )


@pytest.mark.parametrize(
    ("earlier", "refused", "warned"),
    [
        ('groups = ["students"]', 'groups = ["students", "staff"]', "groups"),
        ('subjects = ["anna"]', 'groups = ["staff"]\nsubjects = ["anna"]', "subjects"),
        ('groups = ["students"]\nrooms = ["Room 3"]', 'groups = ["students", "staff"]', None),
        ('groups = ["tutors"]', 'groups = ["students", "staff"]', None),
        ('allow = false\ngroups = ["students"]', 'groups = ["students", "staff"]', None),
        ('groups = ["tutors"]', 'subjects = ["*"]', None),
    ],
)
def test_a_refusal_of_somebody_whom_an_earlier_rule_allows_all_is_a_warning(
    tmp_path: Path, earlier: str, refused: str, warned: str | None
) -> None:
    text = GOOD.replace('groups = ["supervisors"]', earlier)
    text += REFUSAL + f'{refused}\nrecordings = ["17"]\naccount = "reviewer"\n' + RULE
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [one.key for one in loaded.warnings if one.line is not None] == ([f"grants.1.{warned}"] if warned else [])


def test_a_rule_that_is_reported_decides_nothing_in_generated_lists_of_rules(tmp_path: Path) -> None:
    choices, reported, partly = random.Random(16), 0, 0  # the same lists in each run
    head = GOOD.partition("[[grants]]")[0]
    cases = list(product(("anna", "bob", "carl"), RECORDINGS, ROOMS))
    for _ in range(400):
        rules, text = [], head
        for number in range(4):
            people = choices.sample(NAMES[:3], choices.randint(1, 2)) if choices.random() < 0.8 else ["*"]
            ids = choices.sample(GLOB_TEXTS, choices.randint(1, 2))
            rooms = [one for one in choices.sample(ROOM_TEXTS, choices.randint(1, 2)) if one]
            rules.append((tuple(people), tuple(ids), tuple(rooms)))
            text += f'[[grants]]\nname = "rule{number}"\nsubjects = {json.dumps(people)}\naccount = "reviewer"\n'
            text += f"recordings = {json.dumps(ids)}\n" + (f"rooms = {json.dumps(rooms)}\n" if rooms else "")
            text += choices.choice(("allow = false\n", ""))
        loaded = load_text(tmp_path, text)
        dead = {int(fault.key.split(".")[1]) for fault in loaded.faults}
        decisions = {case: next((n for n, rule in enumerate(rules) if matches(rule, case)), None) for case in cases}
        assert dead.isdisjoint(decisions.values()), text
        for warning in loaded.warnings:
            named = re.match(r"refuses '([^']+)' nothing", warning.reason)
            if named is not None:
                person, number = named[1].rpartition("#")[2], int(warning.key.split(".")[1])
                assert number not in {one for case, one in decisions.items() if case[0] == person}, text
                partly += 1
        reported += len(dead)
    assert reported > 40
    assert partly > 5


def test_rules_that_list_more_and_more_recordings_are_compared_in_time(tmp_path: Path) -> None:
    text = GOOD.partition("[[grants]]")[0]
    for number in range(100):
        recordings = json.dumps([str(one + 1) for one in range(number + 1)])
        text += f'[[grants]]\nname = "week{number}"\ngroups = ["students"]\nrecordings = {recordings}\n'
        text += 'account = "reviewer"\n'
    loaded = load_text(tmp_path, text)
    assert (loaded.faults, loaded.warnings) == ((), ())
    last = text.rpartition("[[grants]]")[2].replace("week99", "again")
    assert [fault.key for fault in load_text(tmp_path, f"{text}[[grants]]{last}").faults] == ["grants.100"]


def test_rules_that_list_the_same_people_are_compared_in_time(tmp_path: Path) -> None:
    people = json.dumps([f"student{number}@example.edu" for number in range(300)])
    text = GOOD.partition("[[grants]]")[0]
    for number in range(20):
        text += f'[[grants]]\nname = "room{number}"\nsubjects = {people}\nrecordings = ["*"]\n'
        text += f'rooms = ["Room {number}"]\naccount = "reviewer"\n'
    loaded = load_text(tmp_path, text)
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.parametrize(("group", "keys"), [("robots", ["grants.1"]), ("others", [])])
def test_a_refusal_of_a_key_that_an_earlier_rule_allows_by_its_group_is_a_fault(
    tmp_path: Path, group: str, keys: list[str]
) -> None:
    text = GOOD.replace('["supervisors"]', '["robots"]') + REFUSAL + 'subjects = ["service_key#archive"]\n'
    text += 'recordings = ["*"]\naccount = "reviewer"\n' + RULE
    loaded = load_text(tmp_path, text + SERVICE_KEY.format("archive") + f'groups = ["supervisors", "{group}"]\n')
    assert [fault.key for fault in loaded.faults] == keys


def test_a_bracket_that_does_not_close_is_no_single_character(tmp_path: Path) -> None:
    text = grant('names = ["Session ?"]') + RULE + 'names = ["Session []"]\n'
    assert load_text(tmp_path, text).faults == ()
