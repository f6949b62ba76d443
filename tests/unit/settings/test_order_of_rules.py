"""Rules that an earlier one keeps from ever deciding, and their neighbours, which may decide."""

import json
import random
import re
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

import pytest

from tests.unit.settings.broken import JWT, KERBEROS, SERVICE_KEY, SESSION, grant
from tests.unit.settings.configurations import GOOD, load_text, write_keytab

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
        ('rooms = ["Room [1-9]"]', 'rooms = ["Room [3-5]"]', True),
        ('rooms = ["Room [!x]"]', 'rooms = ["Room [a-c]", "Room 4"]', True),
        ('names = ["Session [0-9]*"]', 'names = ["Session 1*"]', True),
        ('names = ["*[A-C]*[0-9]*"]', 'names = ["Team B? Session [12]"]', True),
        ('rooms = ["B\u00fc*"]', 'rooms = ["Bu\u0308ro 3"]', True),
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
        'rooms = ["Room [3-5]"]',
        'rooms = ["Room [!56]"]',
        'account = "trainee"\nrooms = ["Room 3"]',
        'networks = ["10.0.0.0/8"]',
        "valid_from = 2099-01-01",
    ],
)
def test_a_rule_for_what_the_earlier_one_leaves_is_no_fault(tmp_path: Path, later: str) -> None:
    rule = RULE.replace('account = "reviewer"\n', "") if "account" in later else RULE
    text = grant('rooms = ["Room 3", "Room 4"]\nvalid_until = 2098-12-31').replace("[server]", LISTEN)
    assert load_text(tmp_path, text + TRAINEE + rule + later).faults == ()


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ('rooms = ["Bu*"]', 'rooms = ["Bu\u0308ro 3"]'),
        ('rooms = ["Room [1-4]"]', 'rooms = ["Room [3-5]"]'),
        ('names = ["*a*b"]', 'names = ["*b*a"]'),
        ('names = ["[!a]*"]', 'names = ["?*"]'),
        ('names = ["?*"]', 'names = ["*"]'),
    ],
)
def test_a_glob_that_matches_more_than_the_earlier_one_is_no_fault(tmp_path: Path, earlier: str, later: str) -> None:
    assert load_text(tmp_path, grant(earlier) + RULE + later).faults == ()


@pytest.mark.parametrize(
    ("earlier", "later", "keys"),
    [
        ("valid_from = 2020-01-01", "", ["grants.1"]),
        ("valid_from = 2020-01-01", "valid_from = 2019-01-01", ["grants.1"]),
        ("valid_from = 2020-01-01", 'allow = false\nrooms = ["Room 3"]', ["grants.1"]),
        ("valid_from = 2020-01-01", 'groups = ["staff"]\nallow = false', ["grants.1.groups"]),
        ("valid_from = 2098-01-01", "", []),
        ("valid_from = 2020-01-01\nvalid_until = 2098-01-01", "", []),
        ("valid_until = 2020-01-01", "", ["grants.0.valid_until"]),
    ],
)
def test_a_rule_that_decides_nothing_since_a_day_is_a_warning_and_no_fault(
    tmp_path: Path, earlier: str, later: str, keys: list[str]
) -> None:
    rule = RULE.replace('["supervisors"]\n', '["staff", "supervisors"]\n') if "staff" in later else RULE
    text = grant(earlier) + rule + later.replace('groups = ["staff"]\n', "")
    loaded = load_text(tmp_path, text + RULE.replace("later", "last").replace("supervisors", "tutors"))
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == keys


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
    assert all("rule0, rule1, before it, decide" in fault.reason for fault in loaded.faults)


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
KEYS = ("subjects", "recordings", "rooms")


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


@pytest.mark.parametrize(
    ("earlier", "refused", "warned"),
    [
        ('recordings = ["17"]', 'recordings = ["17", "23"]', "recordings"),
        ('recordings = ["1*"]', 'recordings = ["17", "23", "1[89]"]', "recordings"),
        ('recordings = ["17"]', 'recordings = ["1*", "23"]', None),
        ('recordings = ["17"]\nrooms = ["A"]', 'recordings = ["17", "23"]', None),
        ('recordings = ["17"]\nallow = false', 'recordings = ["17", "23"]', None),
        ('recordings = ["*"]\nrooms = ["Room 3"]', 'recordings = ["*"]\nrooms = ["Room 3", "Room 4"]', "rooms"),
        ('recordings = ["*"]\nrooms = ["Room 3"]', 'recordings = ["*"]\nrooms = ["Room *"]', None),
        (
            'recordings = ["*"]\nnetworks = ["10.0.0.0/8"]',
            'recordings = ["*"]\nnetworks = ["10.1.0.0/16", "192.168.0.0/16"]',
            "networks",
        ),
        (
            'recordings = ["*"]\nnetworks = ["10.1.0.0/16"]',
            'recordings = ["*"]\nnetworks = ["10.0.0.0/8", "192.168.0.0/16"]',
            None,
        ),
    ],
)
def test_a_refusal_of_what_an_earlier_rule_allows_all_its_people_is_a_warning(
    tmp_path: Path, earlier: str, refused: str, warned: str | None
) -> None:
    text = GOOD.replace('recordings = ["*"]', earlier).replace("[server]", LISTEN)
    text += f'{REFUSAL}groups = ["supervisors"]\naccount = "reviewer"\n{refused}\n' + RULE
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [one.key for one in loaded.warnings if one.line is not None] == ([f"grants.1.{warned}"] if warned else [])


def test_the_reason_of_a_refusal_without_effect_names_every_rule_that_decides(tmp_path: Path) -> None:
    text = grant('rooms = ["A"]') + RULE.replace("later", "second") + 'rooms = ["B"]\n'
    text += (
        f'{REFUSAL}recordings = ["*"]\naccount = "reviewer"\nrooms = ["A", "B"]\ngroups = ["staff", "supervisors"]\n'
    )
    (warning,) = load_text(tmp_path, text + RULE).warnings
    assert (
        warning.reason == "refuses nothing that it names by 'supervisors': supervisors, second, before it, decide that"
    )


def test_a_rule_that_is_reported_decides_nothing_in_generated_lists_of_rules(tmp_path: Path) -> None:
    partly: set[tuple[str, str]] = set()
    choices, reported = random.Random(16), 0  # the same lists in each run
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
            _, refusal, key = warning.key.split(".")
            for entry in re.findall("'([^']+)'", warning.reason):
                listed = [(entry,) if key == one else ("*",) for one in KEYS]
                about = (listed[0], listed[1], listed[2])
                assert int(refusal) not in {one for case, one in decisions.items() if matches(about, case)}, text
                partly.add((key, warning.reason))
        reported += len(dead)
    assert reported > 40
    assert all(sum(key == one for one, _ in partly) > 5 for key in KEYS)


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


def test_rules_for_many_weeks_that_list_the_same_rooms_are_compared_in_time(tmp_path: Path) -> None:
    rooms, names = (json.dumps([f"{kind} {number}" for number in range(12)]) for kind in ("Room", "Session"))
    text = GOOD.partition("[[grants]]")[0]
    for number in range(200):
        day = f"2090-{1 + number % 12:02}-{1 + number // 12:02}"
        text += f'[[grants]]\nname = "week{number}"\ngroups = ["students"]\nrecordings = ["*"]\naccount = "reviewer"\n'
        text += f"rooms = {rooms.replace(']', f', {json.dumps(str(number))}]')}\nnames = {names}\n"
        text += f"valid_from = {day}\nvalid_until = {day}\n" if number else ""
    assert load_text(tmp_path, text).faults == ()  # each part alone with each rule took 40 s


@pytest.mark.parametrize(
    ("key", "entry"), [("names", "K1{}{:02}*"), ("names", "*K{}{:02}*"), ("networks", "10.{}.{}.0/24")]
)
def test_rules_of_one_group_that_list_others_each_are_compared_in_time(tmp_path: Path, key: str, entry: str) -> None:
    text = GOOD.partition("[[grants]]")[0].replace("[server]", '[server]\nlisten = "0.0.0.0:8080"')
    for number in range(100):
        entries = [entry.format(number, one) for one in range(10)]
        text += f'[[grants]]\nname = "trainee{number}"\ngroups = ["trainee{number}", "supervisors"]\n'
        text += f'recordings = ["*"]\naccount = "reviewer"\n{key} = {json.dumps(entries)}\n'
    loaded = load_text(tmp_path, text)
    assert (loaded.faults, loaded.warnings) == ((), ())


def test_a_refusal_after_many_rules_with_globs_is_still_compared(tmp_path: Path) -> None:
    text = GOOD.partition("[[grants]]")[0]
    for number in range(101, 141):
        globs = json.dumps([f"*PSY {number}*", f"*Psy {number}*", f"*psy{number}*"])
        text += f'[[grants]]\nname = "psy{number}"\ngroups = ["supervisors"]\nrecordings = ["*"]\n'
        text += f'account = "reviewer"\nnames = {globs}\n'
    for name, allow, glob in (("sessions", "true", "*Session*"), ("secret", "false", "*Session confidential*")):
        text += f'[[grants]]\nname = "{name}"\nallow = {allow}\ngroups = ["supervisors"]\nrecordings = ["*"]\n'
        text += f'account = "reviewer"\nnames = ["{glob}"]\n'
    assert [fault.key for fault in load_text(tmp_path, text).faults] == ["grants.41"]


def test_rules_that_list_the_same_people_are_compared_in_time(tmp_path: Path) -> None:
    people = json.dumps([f"student{number}@example.edu" for number in range(300)])
    text = GOOD.partition("[[grants]]")[0]
    for number in range(20):
        text += f'[[grants]]\nname = "room{number}"\nsubjects = {people}\nrecordings = ["*"]\n'
        text += f'rooms = ["Room {number}"]\naccount = "reviewer"\n'
    loaded = load_text(tmp_path, text)
    assert (loaded.faults, loaded.warnings) == ((), ())


ADDRESSES = GOOD.replace('audience = "', 'subject_claim = "email"\naudience = "')
KEYS_ALONE = GOOD.replace(JWT, "")
REALM = f"{KERBEROS}strip_realm = false\n{SESSION}"
REALMS_ALONE = GOOD.replace(JWT, REALM)


@pytest.mark.parametrize(
    ("head", "allowed", "refused", "keys"),
    [
        (GOOD, 'groups = ["robots"]', 'subjects = ["service_key#archive"]', ["grants.1"]),
        (GOOD, 'groups = ["robots"]', 'subjects = ["service_key#Archive"]', ["grants.1"]),
        (GOOD, 'groups = ["others"]', 'subjects = ["service_key#archive"]', []),
        (GOOD, 'groups = ["Robots"]', 'subjects = ["service_key#archive"]', []),
        (GOOD, 'groups = ["robots"]', 'subjects = ["archive"]', []),
        (GOOD, 'subjects = ["service_key#archive"]', 'groups = ["robots"]', []),
        (ADDRESSES, 'groups = ["robots"]', 'subjects = ["archive"]', ["grants.1"]),
        (ADDRESSES, 'groups = ["robots"]', 'subjects = ["archive", "anna@example.edu"]', []),
        (REALMS_ALONE, 'groups = ["robots"]', 'subjects = ["archive"]', ["grants.1"]),
        (REALMS_ALONE, 'groups = ["robots"]', 'subjects = ["archive", "anna@EXAMPLE.EDU"]', []),
        (
            ADDRESSES.replace("[[grants]]", f"{REALM}[[grants]]"),
            'groups = ["robots"]',
            'subjects = ["archive"]',
            ["grants.1"],
        ),
        (GOOD.replace("[[grants]]", f"{REALM}[[grants]]"), 'groups = ["robots"]', 'subjects = ["archive"]', []),
        (GOOD.replace(JWT, KERBEROS + SESSION), 'groups = ["robots"]', 'subjects = ["archive"]', []),
        (KEYS_ALONE, 'groups = ["robots"]', 'subjects = ["archive"]', ["grants.1"]),
        (KEYS_ALONE, 'subjects = ["service_key#archive"]', 'groups = ["robots"]', ["grants.1"]),
        (KEYS_ALONE, 'subjects = ["service_key#archive"]', 'groups = ["supervisors"]', []),
        (KEYS_ALONE, 'groups = ["robots"]', 'subjects = ["*"]', []),
        (KEYS_ALONE, 'groups = ["supervisors"]', 'subjects = ["*"]', ["grants.1"]),
    ],
)
def test_a_refusal_of_a_key_that_an_earlier_rule_allows_by_another_name_is_a_fault(
    tmp_path: Path, head: str, allowed: str, refused: str, keys: list[str]
) -> None:
    text = head.replace('groups = ["supervisors"]', allowed) + f"{REFUSAL}{refused}\n"
    text += 'recordings = ["*"]\naccount = "reviewer"\n'
    text += SERVICE_KEY.format("archive") + 'groups = ["supervisors", "robots"]\n'
    text += SERVICE_KEY.format("batch").replace("0" * 64, "1" * 64) + 'groups = ["supervisors"]\n'
    write_keytab(tmp_path, "HTTP/recordings.example.edu@EXAMPLE.EDU")
    faults = load_text(tmp_path, text).faults
    assert [fault.key for fault in faults] == keys
    assert all("never refuses what it names" in fault.reason for fault in faults)


def test_a_bracket_that_does_not_close_is_no_single_character(tmp_path: Path) -> None:
    text = grant('names = ["Session ?"]') + RULE + 'names = ["Session []"]\n'
    assert load_text(tmp_path, text).faults == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('names = ["*1*"]', 'names = ["[9-0]*"]'),
        ('rooms = ["Room 1?"]', 'rooms = ["Room [1-0]"]'),
        ('authors = ["[a-Z]*"]', 'authors = ["[z-a]?", "*[9-0]"]'),
        ('template = { course = "?" }', 'template = { course = "[a-Z]" }'),
    ],
)
def test_a_class_that_stands_for_no_character_is_compared_without_a_fault(
    tmp_path: Path, first: str, second: str
) -> None:
    assert load_text(tmp_path, f"{grant(first)}{RULE}{second}\n").faults == ()


@pytest.mark.parametrize(
    ("earlier", "refused", "is_hidden"),
    [
        ('rooms = ["*"]', 'recordings = ["17"]', True),
        ('names = ["*"]\nauthors = ["Smith", "*"]', 'names = ["*confidential*"]', True),
        ('networks = ["0.0.0.0/0", "::/0"]', 'rooms = ["Board room"]', True),
        ('rooms = ["*"]', 'networks = ["10.9.0.0/16"]', True),
        ('rooms = ["*"]', 'recordings = ["*"]', False),
        ('rooms = ["Room *"]', 'recordings = ["17"]', False),
        ('networks = ["0.0.0.0/0"]', 'recordings = ["17"]', False),
        ('rooms = ["*"]\nrecordings = ["18"]', 'recordings = ["17"]', False),
        ('rooms = ["*"]\nallow = false', 'recordings = ["17"]', False),
    ],
)
def test_a_refusal_after_a_condition_that_nearly_everything_meets_is_a_warning(
    tmp_path: Path, earlier: str, refused: str, is_hidden: bool
) -> None:
    text = GOOD.partition("[[grants]]")[0].replace("[server]", LISTEN)
    for name, lines in (("sup", earlier), ("refusal", f"allow = false\n{refused}"), ("last", "author_is_me = true")):
        recordings = "" if "recordings" in lines else 'recordings = ["*"]\n'
        group = "trainees" if name == "last" else "supervisors"
        text += f'[[grants]]\nname = "{name}"\ngroups = ["{group}"]\naccount = "reviewer"\n{recordings}{lines}\n'
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    hidden = [one for one in loaded.warnings if one.key == "grants.1" and one.line is not None]
    assert bool(hidden) == is_hidden
    assert all("only where sup, before it, fails a condition" in one.reason for one in hidden)
