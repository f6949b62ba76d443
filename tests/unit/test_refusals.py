"""Rules that refuse: nobody escapes one by a spelling, by what VALT does not state, or by a list."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import AccessDeniedError
from gateway.model import Identity
from gateway.network import TrustedNetworks
from gateway.policy import Rules
from gateway.recording_details import RecordingDetails
from gateway.rules import Rule, ValtNames
from gateway.valt import schema
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder
from tests.unit.test_policy import NOW, StubRecordings, person, rules

EVERYBODY = frozenset({"*"})
ANYONE = Rule("anyone", "a", subjects=EVERYBODY)
CONDITIONS: dict[str, dict[str, Any]] = {
    "room": {"rooms": ("Exam *",)},
    "author": {"authors": ("jsmith",)},
    "name": {"names": ("Exam *",)},
    "template": {"template": {"Course": "PSY*"}},
    "created": {"created_within": 3600.0},
    "sharing": {"shared_with_me": True},
}
"""By each detail that VALT states, a condition that needs it and that RECORD does not meet."""
RECORD: dict[str, Any] = {
    "id": "r",
    "name": "Session 1",
    "room": {"id": 1, "name": "Room 1"},
    "author": {"id": 1, "name": "somebody"},
    "created": NOW - 90 * 86_400,
    "template": [{"Course": "LAW"}],
    "sharing": {"users": [1], "groups": [2]},
}
UNREADABLE: dict[str, list[Any]] = {
    "room": [..., 17, ["Room 1"], {"id": 1}, {"name": 1}],
    "author": [..., 17, "jsmith", {"id": 1}],
    "name": [..., 17, ["Session"]],
    "template": [..., 17, [17], {"Course": ["PSY 1"]}, [{"Course": "PSY 1"}, {"Course": "LAW"}]],
    "created": [..., None, "yesterday", 1.8e12, {"at": 1}],
    "sharing": [..., 17, {"users": 7}, {"users": ["7"]}],
}
"""By detail, what VALT does not document; ... is no member at all."""


def details(**members: Any) -> RecordingDetails:
    """Returns what is read of VALT's answer about RECORD, in which *members* differ."""
    record = {name: value for name, value in (RECORD | members).items() if value is not ...}
    return schema.recording_details(json.dumps({"data": record}).encode())


def never(**conditions: Any) -> Rule:
    return Rule("never", "a", allow=False, **conditions)


@pytest.mark.promise("rules-refusals")
@pytest.mark.parametrize(
    ("refused", "spelling"),
    [
        ("anna", "Anna"),
        ("Anna", "anna"),
        ("J\u00fcrgen", "Ju\u0308rgen"),
        ("STRASSE", "stra\u00dfe"),
        ("\u017dana", "z\u030cana"),
        ("anna", "\uff41nna"),
    ],
)
async def test_a_refusal_reaches_people_and_groups_in_every_spelling(refused: str, spelling: str) -> None:
    cases: list[tuple[Rule, Identity]] = [
        (never(subjects=frozenset({refused})), person(spelling)),
        (never(groups=frozenset({refused})), person("ben", "x", spelling)),
        (never(provider_subjects=frozenset({("campus", refused)})), person(spelling)),
    ]
    for rule, who in cases:
        policy = rules(rule, ANYONE)
        with pytest.raises(AccessDeniedError, match="never"):
            await policy.decide(who, "r", "v")
        assert policy.may_list(who, "a", RecordingDetails("r"), None) is False
        assert not policy.may_see_room(who, "a", "Room 1", None)
        assert (await policy.decide(person("ben"), "r", "v")).rule == "anyone"
    elsewhere = replace(person(spelling), provider="clinic")
    assert (await rules(cases[2][0], ANYONE).decide(elsewhere, "r")).rule == "anyone"


@pytest.mark.promise("rules-refusals")
async def test_a_refusal_reaches_people_in_every_spelling_of_their_names_in_valt() -> None:
    mine, shared = never(subjects=EVERYBODY, author_is_me=True), never(subjects=EVERYBODY, shared_with_me=True)
    shares: dict[str, Any] = {"shared_users": frozenset({8}), "shared_groups": frozenset({4})}
    record = RecordingDetails("r", author="ASmith", author_id=7, **shares)
    cases = [
        (mine, person("asmith"), ValtNames()),
        (mine, person("Anna"), ValtNames({"anna": "asmith"})),
        (mine, person("Anna"), ValtNames({"anna": 7})),
        (shared, person("Ben"), ValtNames({"ben": 8})),
        (shared, person("ben", "x", "Students"), ValtNames({}, {"students": 4})),
    ]
    for rule, who, names in cases:
        policy = Rules((rule, ANYONE), StubRecordings({"r": record}), names, ManualClock(NOW), Recorder())
        with pytest.raises(AccessDeniedError, match="never"):
            await policy.decide(who, "r")
        assert policy.may_list(who, "a", record, None) is False
        assert (await policy.decide(person("carl"), "r")).rule == "anyone"
        policy = Rules((replace(rule, allow=True),), StubRecordings({"r": record}), names, ManualClock(NOW), Recorder())
        with pytest.raises(AccessDeniedError):
            await policy.decide(who, "r")  # a rule that allows compares them exactly


@pytest.mark.promise("rules-refusals")
@pytest.mark.parametrize(
    ("client", "expected"), [("10.1.2.3", "never"), ("unknown", "never"), ("::1", None), (None, None)]
)
async def test_a_clients_address_that_cannot_be_read_undoes_no_refusal(
    client: str | None, expected: str | None
) -> None:
    elsewhere = TrustedNetworks(["10.0.0.0/8"])
    policy = rules(never(subjects=EVERYBODY, networks=elsewhere), ANYONE)
    if expected is None:
        assert (await policy.decide(person(), "r", client=client)).rule == "anyone"
    else:
        with pytest.raises(AccessDeniedError, match=expected):
            await policy.decide(person(), "r", client=client)
    assert policy.may_list(person(), "a", RecordingDetails("r"), client) is (expected is None)
    inside = rules(Rule("inside", "a", subjects=EVERYBODY, networks=elsewhere))
    assert (inside.accounts(person(), client) == ["a"]) is (client == "10.1.2.3")


async def test_a_rule_that_allows_compares_names_exactly() -> None:
    policy = rules(Rule("named", "a", subjects=frozenset({"anna"}), groups=frozenset({"staff"})))
    for who in (person("Anna"), person("\uff41nna"), person("ben", "Staff")):
        with pytest.raises(AccessDeniedError):
            await policy.decide(who, "r", "v")


@pytest.mark.promise("rules-refusals")
@pytest.mark.parametrize(
    ("detail", "value"), [(detail, one) for detail, values in UNREADABLE.items() for one in values]
)
async def test_what_valt_does_not_state_undoes_no_refusal_and_gives_no_right(detail: str, value: Any) -> None:
    condition, answer = CONDITIONS[detail], details(**{detail: value})
    refuses, allows = never(subjects=EVERYBODY, **condition), Rule("some", "a", subjects=EVERYBODY, **condition)
    recordings = StubRecordings({"r": answer})
    with pytest.raises(AccessDeniedError, match=f"never: .*VALT does not state {detail}"):
        await rules(refuses, ANYONE, recordings=recordings).decide(person(), "r", "v")
    # A list asks for the details of what its rows do not state.
    listed = rules(refuses, ANYONE, recordings=recordings).may_list(person(), "a", answer, None)
    assert listed is None
    assert await rules(refuses, ANYONE, recordings=recordings).may_see(person(), "a", "r", None) is False
    assert rules(allows, recordings=recordings).may_list(person(), "a", answer, None) is None
    if detail != "template":  # of two fields with one label the last may be the one that is meant
        with pytest.raises(AccessDeniedError):
            await rules(allows, recordings=recordings).decide(person(), "r", "v")


@pytest.mark.parametrize("detail", CONDITIONS)
async def test_a_recording_that_does_not_meet_a_refusal_is_not_refused(detail: str) -> None:
    stated = StubRecordings({"r": details(), "null": details(**{} if detail == "created" else {detail: None})})
    policy = rules(never(subjects=EVERYBODY, **CONDITIONS[detail]), ANYONE, recordings=stated)
    assert (await policy.decide(person(), "r")).rule == (await policy.decide(person(), "null")).rule == "anyone"


@pytest.mark.promise("rules-refusals")
async def test_a_refusal_does_not_tell_that_a_recording_is_over() -> None:
    over = details(retention={"type": "until", "until": NOW - 1})
    policy = rules(never(subjects=EVERYBODY, rooms=("Room 1",)), ANYONE, recordings=StubRecordings({"r": over}))
    with pytest.raises(AccessDeniedError):
        await policy.decide(person(), "r")


@pytest.mark.promise("rules-refusals")
def test_a_list_omits_a_recording_whose_retention_is_over_for_its_rule() -> None:
    policy = rules(Rule("asks", "a", subjects=EVERYBODY, rooms=("Room 1",)))
    assert policy.may_list(person(), "a", details(), None) is True
    assert policy.may_list(person(), "a", details(retention={"type": "until", "until": NOW}), None) is False


async def test_a_glob_matches_either_spelling_of_an_umlaut() -> None:
    composed, decomposed = details(name="\u00dcbung 1"), details(name="U\u0308bung 1")
    for glob in ("\u00dcbung *", "U\u0308bung *", "?bung 1"):
        rule = Rule("some", "a", subjects=EVERYBODY, names=(glob,))
        policy = rules(rule, recordings=StubRecordings({"1": composed, "2": decomposed}))
        assert (await policy.decide(person(), "1")).rule == (await policy.decide(person(), "2")).rule == "some"
