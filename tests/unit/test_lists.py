"""The policy for rows of lists, compared with the reference model."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from gateway.errors import ValtUnavailableError
from gateway.recording_details import RecordingDetails
from gateway.rules import Rule
from tests.support.generated import sequences
from tests.support.plain_rules import plainly_fits
from tests.unit.test_policy import (
    CLIENTS,
    DETAILS,
    GROUPS,
    NAMES,
    NOW,
    RULES,
    VALT_NAMES,
    StubRecordings,
    person,
    rules,
)

EMPTY: dict[str, dict[str, Any]] = {
    "name": {"name": None},
    "room": {"room": None},
    "author": {"author": None, "author_id": None},
    "created": {"created": None},
    "sharing": {"shared_users": frozenset(), "shared_groups": frozenset()},
}
"""What a row that omits a member has in its place."""


@pytest.mark.promise("rules-18", "rules-refusals")
@settings(max_examples=sequences(500), deadline=None)
@given(
    given_rules=st.lists(RULES, max_size=4),
    subject=NAMES,
    groups=GROUPS,
    details=DETAILS,
    client=CLIENTS,
    omitted=st.frozensets(st.sampled_from(sorted(EMPTY)), max_size=2),
)
async def test_a_row_is_listed_if_the_first_rule_that_matches_allows_it(
    given_rules: list[Rule],
    subject: str,
    groups: frozenset[str],
    details: RecordingDetails,
    client: str | None,
    omitted: frozenset[str],
) -> None:
    who = person(subject, *groups)
    row = replace(details, template={}, unstated=details.unstated | omitted)
    for name in omitted:
        row = replace(row, **EMPTY[name])
    policy = rules(*given_rules, recordings=StubRecordings({"r1": details}))
    of_all = (rule for rule in given_rules if plainly_fits(rule, who, "r1", details, VALT_NAMES, NOW, client))
    decides = next(of_all, None)
    ends_as_over = decides is not None and decides.needs_details and details.deleted_at == NOW
    for account in ("a", "b"):
        theirs = [rule for rule in given_rules if rule.account == account or not rule.allow]
        matching = (rule for rule in theirs if plainly_fits(rule, who, "r1", details, VALT_NAMES, NOW, client))
        first = next(matching, None)
        is_over = details.deleted_at == NOW and first is not None and first.needs_details
        expected = first is not None and first.allow and not is_over and not ends_as_over
        listed = policy.may_list(who, account, row, client)
        if listed is None:
            listed = await policy.may_see(who, account, "r1", client)
        assert listed == expected
        event("listed" if listed else "not listed")
        assert not expected or account in policy.accounts(who, client)
        if expected:
            assert (await policy.decide(who, "r1", client=client)).rule
            assert details.room is None or policy.may_see_room(who, account, details.room, client)


def test_a_row_that_another_rule_allows_needs_no_details() -> None:
    asks = Rule("asks", "a", subjects=frozenset({"*"}), template={"course": "PSY*"})
    row = RecordingDetails("r", room="Room 1")
    assert rules(asks).may_list(person(), "a", row, None) is None
    assert rules(asks, replace(asks, template={}, rooms=("Room ?",))).may_list(person(), "a", row, None) is True
    assert rules(replace(asks, rooms=("Room 2",))).may_list(person(), "a", row, None) is False


def test_a_limited_identity_lists_only_its_recording() -> None:
    policy = rules(Rule("all", "a", subjects=frozenset({"*"})))
    assert policy.may_list(person(recording="r"), "a", RecordingDetails("r"), None) is True
    assert policy.may_list(person(recording="r"), "a", RecordingDetails("q"), None) is False


@pytest.mark.promise("rules-5")
async def test_an_error_of_valt_is_raised_for_a_row_that_needs_details() -> None:
    asks = Rule("asks", "a", subjects=frozenset({"*"}), template={"course": "PSY*"})
    with pytest.raises(ValtUnavailableError):
        await rules(asks, recordings=StubRecordings({"r": ValtUnavailableError()})).may_see(person(), "a", "r", None)
    gone = RecordingDetails("r", template={"course": "PSY 1"}, deleted_at=NOW)
    assert await rules(asks, recordings=StubRecordings({"r": gone})).may_see(person(), "a", "r", None) is False


@pytest.mark.promise("rules-20")
def test_a_room_is_visible_if_a_rule_for_the_person_may_match_it() -> None:
    policy = rules(
        Rule("three", "a", groups=frozenset({"g"}), rooms=("Room 3*",)), Rule("any", "b", groups=frozenset({"h"}))
    )
    assert policy.may_see_room(person("anna", "g"), "a", "Room 31", None)
    assert not policy.may_see_room(person("anna", "g"), "a", "Room 1", None)
    assert not policy.may_see_room(person("anna", "g"), "b", "Room 1", None)
    assert policy.may_see_room(person("anna", "h"), "b", "Room 1", None)
    assert not policy.may_see_room(person("anna", "h", recording="r"), "b", "Room 1", None)
