"""The conditions of one rule, each with its limits, by hand: what the reference model leaves to chance."""

from dataclasses import replace
from typing import Any, Literal
from unicodedata import normalize

import pytest

from gateway.network import TrustedNetworks
from gateway.recording_details import RecordingDetails
from gateway.rules import Rule, ValtNames, any_glob, applies_to, details_mismatch, end_of_match, is_in_force, mismatch
from tests.support.plain_rules import DAY
from tests.unit.test_policy import NOW, person

Form = Literal["NFC", "NFD"]

ANYONE = Rule("anyone", "a", subjects=frozenset({"*"}))
NEVER = replace(ANYONE, name="never", allow=False)
CAMPUS = TrustedNetworks(["10.0.0.0/8"])
INSIDE, OUTSIDE = "10.1.2.3", "192.0.2.1"
RECORD = RecordingDetails(
    "r",
    name="Session 1",
    room="Room 1",
    author="ASmith",
    author_id=7,
    created=NOW - DAY,
    template={"Course": "PSY 1", "Term": "2026"},
    shared_users=frozenset({8}),
    shared_groups=frozenset({4}),
)
NAMES = ValtNames(users={"anna": "asmith", "Ben": 8, "dora": "DJones"}, groups={"Students": 4})


def named(**people: Any) -> Rule:
    return Rule("rule", "a", **people)


def failed(rule: Rule, details: RecordingDetails = RECORD, who: str = "carl", *groups: str, **options: Any) -> str:
    """Returns the names of the conditions that do not hold."""
    reason = details_mismatch(rule, person(who, *groups), details, NAMES, NOW, **options)
    start, _, conditions = (reason or "the recording does not meet ").partition("meet ")
    assert start == "the recording does not "
    assert conditions or reason is None
    return conditions


@pytest.mark.parametrize(
    ("people", "allowed", "refused"),
    [
        ({"subjects": {"anna"}}, {"anna"}, {"anna", "Anna"}),
        ({"subjects": {"ANNA"}}, set(), {"anna", "Anna"}),
        ({"groups": {"staff"}}, {"in staff"}, {"in staff", "in Staff"}),
        ({"groups": {"STAFF"}}, set(), {"in staff", "in Staff"}),
        ({"provider_subjects": {("campus", "anna")}}, {"anna"}, {"anna", "Anna"}),
        ({"provider_subjects": {("campus", "ANNA")}}, set(), {"anna", "Anna"}),
        ({"provider_subjects": {("clinic", "anna")}}, set(), set()),
        ({"subjects": {"x"}, "groups": {"x"}}, set(), set()),
        ({"subjects": {"*"}}, {"anna", "Anna", "in staff", "in Staff"}, {"anna", "Anna", "in staff", "in Staff"}),
        ({}, set(), set()),
    ],
)
def test_a_rule_names_people_exactly_and_a_refusal_in_every_spelling(
    people: dict[str, Any], allowed: set[str], refused: set[str]
) -> None:
    everybody = {
        "anna": person("anna"),
        "Anna": person("Anna"),
        "in staff": person("ben", "others", "staff"),
        "in Staff": person("ben", "others", "Staff"),
    }
    rule = named(**{name: frozenset(values) for name, values in people.items()})
    assert {name for name, who in everybody.items() if applies_to(rule, who)} == allowed
    assert {name for name, who in everybody.items() if applies_to(replace(rule, allow=False), who)} == refused


def test_only_a_rule_that_refuses_has_other_spellings_to_compare() -> None:
    rule = named(
        groups=frozenset({"Staff"}), subjects=frozenset({"Anna"}), provider_subjects=frozenset({("c", "Anna")})
    )
    assert (len(rule.folded_groups), len(rule.folded_subjects), len(rule.folded_provider_subjects)) == (0, 0, 0)
    refusing = replace(rule, allow=False)
    assert (refusing.folded_groups, refusing.folded_subjects) == (frozenset({"staff"}), frozenset({"anna"}))
    assert refusing.folded_provider_subjects == frozenset({("c", "anna")})


@pytest.mark.parametrize(
    ("allow", "client", "expected"),
    [
        (True, INSIDE, True),
        (True, OUTSIDE, False),
        (True, "nonsense", False),
        (True, None, False),
        (False, INSIDE, True),
        (False, OUTSIDE, False),
        (False, "nonsense", True),
        (False, None, False),
    ],
)
def test_an_unreadable_address_gives_no_right_and_undoes_no_refusal(
    allow: bool, client: str | None, expected: bool
) -> None:
    rule = replace(ANYONE, networks=CAMPUS, allow=allow)
    assert is_in_force(rule, client, NOW) is expected
    reason = None if expected else "the client's address is in none of its networks"
    assert mismatch(rule, person(), "r", client, NOW) == reason
    assert is_in_force(ANYONE, client, NOW)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ({"valid_from": NOW}, True),
        ({"valid_from": NOW + 1}, False),
        ({"valid_until": NOW}, False),
        ({"valid_until": NOW + 1}, True),
        ({"valid_from": NOW, "valid_until": NOW + 1}, True),
        ({"valid_from": NOW + 1, "valid_until": NOW + 2}, False),
        ({"valid_from": NOW - 2, "valid_until": NOW - 1}, False),
    ],
)
def test_a_rule_is_in_force_from_its_first_second_to_before_its_last(days: dict[str, Any], expected: bool) -> None:
    for networks, client in ((None, OUTSIDE), (CAMPUS, INSIDE)):
        rule = replace(ANYONE, networks=networks, **days)
        assert is_in_force(rule, client, NOW) is expected
        reason = None if expected else "today is not between valid_from and valid_until"
        assert mismatch(rule, person(), "r", client, NOW) == reason
    assert not is_in_force(replace(ANYONE, networks=CAMPUS, **days), OUTSIDE, NOW)


def test_a_mismatch_names_the_first_reason() -> None:
    rule = replace(ANYONE, subjects=frozenset({"anna"}), recordings=("r?",), networks=CAMPUS, valid_until=NOW)
    nobody = "the person is not among its subjects and in none of its groups"
    assert mismatch(rule, person("ben"), "q", OUTSIDE, NOW) == nobody
    assert mismatch(rule, person(), "q", OUTSIDE, NOW) == "the recording's id is not among its recordings"
    assert mismatch(rule, person(), "r1", OUTSIDE, NOW) == "the client's address is in none of its networks"
    assert mismatch(rule, person(), "r1", INSIDE, NOW) == "today is not between valid_from and valid_until"
    assert mismatch(rule, person(), "r1", INSIDE, NOW - 1) is None


def test_only_a_rule_with_networks_or_days_depends_on_them() -> None:
    limits: tuple[dict[str, Any], ...] = ({"networks": CAMPUS}, {"valid_from": 0.0}, {"valid_until": NOW})
    assert not ANYONE.is_limited
    for limit in limits:
        assert replace(ANYONE, **limit).is_limited is True


@pytest.mark.parametrize(
    ("conditions", "needed"),
    [
        ({}, set()),
        ({"rooms": ("x",)}, {"room"}),
        ({"authors": ("x",)}, {"author"}),
        ({"names": ("x",)}, {"name"}),
        ({"template": {"x": "y"}}, {"template"}),
        ({"created_within": 0.0}, {"created"}),
        ({"author_is_me": True}, {"author"}),
        ({"shared_with_me": True}, {"sharing"}),
        ({"rooms": ("x",), "names": ("x",)}, {"room", "name"}),
    ],
)
def test_a_rule_knows_which_details_its_conditions_need(conditions: dict[str, Any], needed: set[str]) -> None:
    rule = replace(ANYONE, **conditions)
    assert set(rule.needed_details) == needed
    assert rule.needs_details is bool(needed)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, ""),
        ({"rooms": ("Room ?",)}, ""),
        ({"rooms": ("Room 2", "Room 1")}, ""),
        ({"rooms": ("Room",)}, "rooms"),
        ({"authors": ("AS*",)}, ""),
        ({"authors": ("asmith",)}, "authors"),
        ({"names": ("Session *",)}, ""),
        ({"names": ("Room 1",)}, "names"),
        ({"template": {"Course": "PSY*", "Term": "2026"}}, ""),
        ({"template": {"Course": "PSY*", "Term": "2025"}}, "template"),
        ({"template": {"Room": "*"}}, "template"),
        ({"created_within": DAY}, ""),
        ({"created_within": DAY - 1}, "created_within"),
        ({"author_is_me": True}, "author_is_me"),
        ({"shared_with_me": True}, "shared_with_me"),
        ({"rooms": ("x",), "names": ("x",)}, "rooms, names"),
    ],
)
def test_conditions_on_details_that_do_not_hold_are_named(conditions: dict[str, Any], expected: str) -> None:
    assert failed(replace(ANYONE, **conditions)) == expected


@pytest.mark.parametrize("ours", ["NFC", "NFD"])
@pytest.mark.parametrize("theirs", ["NFC", "NFD"])
@pytest.mark.parametrize("allow", [True, False])
def test_a_field_of_the_template_has_its_label_in_either_spelling(ours: Form, theirs: Form, allow: bool) -> None:
    rule = replace(ANYONE, allow=allow, template={normalize(ours, "Prüfung"): normalize(ours, "Übung")})
    assert failed(rule, replace(RECORD, template={normalize(theirs, "Prüfung"): normalize(theirs, "Übung")})) == ""
    assert failed(rule, replace(RECORD, template={normalize(theirs, "Prüfung"): "Essay"})) == "template"


def test_what_a_recording_does_not_have_meets_no_condition() -> None:
    conditions: dict[str, Any] = {
        "rooms": ("*",),
        "authors": ("*",),
        "names": ("*",),
        "template": {"x": "*"},
        "created_within": 1e12,
    }
    every = "rooms, authors, names, template, created_within"
    assert failed(replace(ANYONE, **conditions), RecordingDetails("r")) == every
    assert failed(replace(ANYONE, **conditions), RecordingDetails("r"), ignored=("room", "created")) == (
        "authors, names, template"
    )


@pytest.mark.parametrize(
    ("who", "details", "allowed", "refused"),
    [
        ("anna", replace(RECORD, author="asmith"), True, True),
        ("asmith", replace(RECORD, author="asmith"), True, True),
        ("anna", RECORD, False, True),
        ("ANNA", RECORD, False, True),
        ("ASmith", RECORD, True, True),
        ("Ben", replace(RECORD, author_id=8), True, True),
        ("ben", replace(RECORD, author_id=8), False, True),
        ("Ben", RECORD, False, False),
        ("dora", replace(RECORD, author="DJones"), True, True),
        ("dora", replace(RECORD, author="djones"), False, True),
        ("carl", RECORD, False, False),
        ("carl", replace(RECORD, author=None, author_id=None), False, False),
    ],
)
def test_the_author_is_the_person_by_their_name_or_id_in_valt(
    who: str, details: RecordingDetails, allowed: bool, refused: bool
) -> None:
    assert (failed(replace(ANYONE, author_is_me=True), details, who) == "") is allowed
    assert (failed(replace(NEVER, author_is_me=True), details, who) == "") is refused


@pytest.mark.parametrize(
    ("who", "groups", "allowed", "refused"),
    [
        ("Ben", (), True, True),
        ("ben", (), False, True),
        ("anna", (), False, False),
        ("anna", ("Students",), True, True),
        ("anna", ("x", "students"), False, True),
        ("anna", ("Staff",), False, False),
    ],
)
def test_a_recording_is_shared_with_a_person_or_one_of_their_groups(
    who: str, groups: tuple[str, ...], allowed: bool, refused: bool
) -> None:
    assert (failed(replace(ANYONE, shared_with_me=True), RECORD, who, *groups) == "") is allowed
    assert (failed(replace(NEVER, shared_with_me=True), RECORD, who, *groups) == "") is refused


@pytest.mark.parametrize(
    ("globs", "text", "expected"),
    [
        (("*",), "anything", True),
        (("x", "*"), "", True),
        (("*",), None, False),
        (("a",), None, False),
        (("a*",), "abc", True),
        (("a*",), "ABC", False),
        (("a",), "ab", False),
        (("b",), "ab", False),
        (("a", "b"), "b", True),
        ((), "a", False),
        ((), "", False),
        (("[ab]?",), "b1", True),
        (("J\u00fcrgen",), "Ju\u0308rgen", True),
        (("Ju\u0308rgen",), "J\u00fcrgen", True),
    ],
)
def test_a_glob_matches_the_whole_text_in_either_spelling(
    globs: tuple[str, ...], text: str | None, expected: bool
) -> None:
    assert any_glob(globs, text) is expected


@pytest.mark.parametrize(
    ("within", "details", "end"),
    [
        (None, {}, None),
        (None, {"deleted_at": NOW + 5}, NOW + 5),
        (2 * DAY, {}, NOW + DAY),
        (2 * DAY, {"created": None}, None),
        (2 * DAY, {"deleted_at": NOW + 5}, NOW + 5),
        (2 * DAY, {"deleted_at": NOW + 2 * DAY}, NOW + DAY),
        (2 * DAY, {"deleted_at": NOW + 5, "created": None}, NOW + 5),
    ],
)
def test_a_recording_fits_until_its_retention_or_the_rules_time_is_over(
    within: float | None, details: dict[str, float | None], end: float | None
) -> None:
    assert end_of_match(replace(ANYONE, created_within=within), replace(RECORD, **details)) == end  # type: ignore[arg-type]
