"""The policy for rows of lists, compared with the reference model."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ValtUnavailableError
from gateway.policy import Rule
from gateway.recording_details import RecordingDetails
from tests.support.plain_rules import plainly_fits
from tests.unit.test_policy import DETAILS, GROUPS, NAMES, NOW, RULES, VALT_NAMES, StubRecordings, person, rules


@pytest.mark.promise("rules-18")
@given(given_rules=st.lists(RULES, max_size=3), subject=NAMES, groups=GROUPS, details=DETAILS)
async def test_a_row_is_listed_if_a_rule_of_its_account_matches_the_recording(
    given_rules: list[Rule], subject: str, groups: frozenset[str], details: RecordingDetails
) -> None:
    who = person(subject, *groups)
    policy = rules(*given_rules, recordings=StubRecordings({"r1": details}))
    for account in ("a", "b"):
        theirs = [rule for rule in given_rules if rule.account == account]
        expected = any(plainly_fits(rule, who, "r1", details, VALT_NAMES, NOW) for rule in theirs)
        listed = policy.may_list(who, account, replace(details, template={}))
        if listed is None:
            listed = await policy.may_see(who, account, "r1")
        assert listed == expected
        assert not expected or account in policy.accounts(who)


def test_a_row_that_another_rule_allows_needs_no_details() -> None:
    asks = Rule("asks", "a", subjects=frozenset({"*"}), template={"course": "PSY*"})
    row = RecordingDetails("r", room="Room 1")
    assert rules(asks).may_list(person(), "a", row) is None
    assert rules(asks, replace(asks, template={}, rooms=("Room ?",))).may_list(person(), "a", row) is True
    assert rules(replace(asks, rooms=("Room 2",))).may_list(person(), "a", row) is False


def test_a_limited_identity_lists_only_its_recording() -> None:
    policy = rules(Rule("all", "a", subjects=frozenset({"*"})))
    assert policy.may_list(person(recording="r"), "a", RecordingDetails("r")) is True
    assert policy.may_list(person(recording="r"), "a", RecordingDetails("q")) is False


@pytest.mark.promise("rules-5")
async def test_an_error_of_valt_is_raised_for_a_row_that_needs_details() -> None:
    asks = Rule("asks", "a", subjects=frozenset({"*"}), template={"course": "PSY*"})
    with pytest.raises(ValtUnavailableError):
        await rules(asks, recordings=StubRecordings({"r": ValtUnavailableError()})).may_see(person(), "a", "r")
    gone = RecordingDetails("r", template={"course": "PSY 1"}, deleted_at=NOW)
    assert await rules(asks, recordings=StubRecordings({"r": gone})).may_see(person(), "a", "r") is False


@pytest.mark.promise("rules-20")
def test_a_room_is_visible_if_a_rule_for_the_person_may_match_it() -> None:
    policy = rules(
        Rule("three", "a", groups=frozenset({"g"}), rooms=("Room 3*",)), Rule("any", "b", groups=frozenset({"h"}))
    )
    assert policy.may_see_room(person("anna", "g"), "a", "Room 31")
    assert not policy.may_see_room(person("anna", "g"), "a", "Room 1")
    assert not policy.may_see_room(person("anna", "g"), "b", "Room 1")
    assert policy.may_see_room(person("anna", "h"), "b", "Room 1")
    assert not policy.may_see_room(person("anna", "h", recording="r"), "b", "Room 1")
