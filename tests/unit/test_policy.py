"""The policy, compared with a simple reference model for generated rules, people and recordings."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from gateway.errors import (
    AccessDeniedError,
    RecordingExpiredError,
    ValtError,
    ValtUnavailableError,
    VideoNotFoundError,
)
from gateway.model import Delivery, Identity, IdentityKind
from gateway.network import TrustedNetworks
from gateway.policy import Rules
from gateway.recording_details import RecordingDetails, VideoDetails
from gateway.rules import Rule, ValtNames
from tests.support.clock import ManualClock
from tests.support.generated import sequences
from tests.support.plain_rules import DAY, plainly_fits
from tests.support.recorder import Recorder

NOW = 1_800_000_000.0
VALT_NAMES = ValtNames(users={"anna": "asmith", "carl": 7}, groups={"psychology": 4, "law": 5})


class StubRecordings:
    """VALT's recordings by id; VideoNotFoundError for any other id, and the error where one is given instead."""

    def __init__(self, recordings: Mapping[str, RecordingDetails | ValtError]) -> None:
        self._recordings = recordings
        self.calls: list[tuple[str, str]] = []

    async def get(self, account: str, recording: str) -> RecordingDetails:
        self.calls.append((account, recording))
        result = self._recordings.get(recording, VideoNotFoundError())
        if isinstance(result, Exception):
            raise result
        return result


def person(subject: str = "anna", *groups: str, recording: str | None = None, video: str | None = None) -> Identity:
    return Identity(
        subject, "https://sso", "campus", IdentityKind.JWT, frozenset(groups), recording=recording, video=video
    )


def rules(*given: Rule, recordings: StubRecordings | None = None) -> Rules:
    return Rules(given, recordings or StubRecordings({}), VALT_NAMES, ManualClock(NOW), Recorder())


async def test_the_first_rule_that_matches_decides() -> None:
    policy = rules(
        Rule("others", "b", groups=frozenset({"others"})),
        Rule("first", "a", groups=frozenset({"g"}), delivery=Delivery.REDIRECT, download=False),
        Rule("second", "b", groups=frozenset({"g"})),
    )
    grant = await policy.decide(person("anna", "g", "x"), "r", "v")

    assert (grant.rule, grant.account, grant.delivery, grant.download) == ("first", "a", "redirect", False)
    assert grant.groups == {"g"}


async def test_without_a_matching_rule_access_is_denied_without_a_call_to_valt() -> None:
    recordings = StubRecordings({})
    policy = rules(Rule("r", "a", groups=frozenset({"g"}), rooms=("*",)), recordings=recordings)
    with pytest.raises(AccessDeniedError) as denied:
        await policy.decide(person("anna", "h"), "r", "v")
    assert recordings.calls == []
    assert "none of its groups" in str(denied.value)


async def test_without_rules_access_is_denied() -> None:
    with pytest.raises(AccessDeniedError):
        await rules().decide(person(), "r", "v")


async def test_a_star_is_anyone_and_subjects_match_whole_and_case_sensitively() -> None:
    policy = rules(Rule("named", "a", subjects=frozenset({"anna"})), Rule("anyone", "b", subjects=frozenset({"*"})))
    assert (await policy.decide(person("anna"), "r", "v")).rule == "named"
    for other in ("Anna", "anna ", "ann", "anna\0", "*"):
        assert (await policy.decide(person(other), "r", "v")).rule == "anyone"


@pytest.mark.promise("rules-6")
async def test_a_rule_that_needs_no_details_costs_no_call() -> None:
    recordings = StubRecordings({})
    await rules(Rule("r", "a", subjects=frozenset({"*"})), recordings=recordings).decide(person(), "r", "v")
    assert recordings.calls == []


async def test_a_limited_identity_sees_only_its_recording_and_video() -> None:
    policy = rules(Rule("r", "a", subjects=frozenset({"*"})))
    assert await policy.decide(person(recording="r", video="v"), "r", "v")
    for recording, video in (("r", "w"), ("q", "v")):
        with pytest.raises(AccessDeniedError):
            await policy.decide(person(recording="r", video="v"), recording, video)
    with pytest.raises(AccessDeniedError):
        await policy.decide(person(recording="r"), "q")


@pytest.mark.promise("rules-5")
async def test_an_error_of_valt_neither_allows_nor_denies() -> None:
    recordings = StubRecordings({"r": ValtUnavailableError()})
    policy = rules(
        Rule("asks", "a", subjects=frozenset({"*"}), rooms=("Room 1",)),
        Rule("later", "b", subjects=frozenset({"*"})),
        recordings=recordings,
    )
    with pytest.raises(ValtUnavailableError):
        await policy.decide(person(), "r", "v")


@pytest.mark.promise("rules-8")
async def test_a_recording_that_valt_does_not_have_matches_no_rule_on_details() -> None:
    policy = rules(Rule("asks", "a", subjects=frozenset({"*"}), rooms=("*",)))
    with pytest.raises(AccessDeniedError):
        await policy.decide(person(), "r", "v")


@pytest.mark.promise("rules-3")
async def test_details_are_requested_with_the_rules_own_account() -> None:
    recordings = StubRecordings({"r": RecordingDetails("r", room="Room 1")})
    await rules(Rule("asks", "limited", subjects=frozenset({"*"}), rooms=("Room ?",)), recordings=recordings).decide(
        person(), "r", "v"
    )
    assert recordings.calls == [("limited", "r")]


@pytest.mark.promise("rules-7")
async def test_a_recording_whose_retention_is_over_has_expired() -> None:
    recordings = StubRecordings({"r": RecordingDetails("r", room="Room 1", deleted_at=NOW - 1)})
    with pytest.raises(RecordingExpiredError):
        await rules(Rule("asks", "a", subjects=frozenset({"*"}), rooms=("*",)), recordings=recordings).decide(
            person(), "r", "v"
        )


async def test_an_explanation_states_a_reason_for_every_rule() -> None:
    recordings = StubRecordings({"r": RecordingDetails("r", room="Room 2")})
    policy = rules(
        Rule("law", "a", groups=frozenset({"law"})),
        Rule("room 1", "a", subjects=frozenset({"*"}), rooms=("Room 1",)),
        Rule("anyone", "a", subjects=frozenset({"*"})),
        Rule("never reached", "a", subjects=frozenset({"*"})),
        recordings=recordings,
    )
    verdicts = await policy.explain(person(), "r")
    assert [(verdict.rule.name, verdict.matches, verdict.reason) for verdict in verdicts] == [
        ("law", False, "the person is not among its subjects and in none of its groups"),
        ("room 1", False, "the recording does not meet rooms"),
        ("anyone", True, "the rule matches"),
    ]


async def test_a_rule_that_refuses_ends_the_search_for_a_rule() -> None:
    policy = rules(
        Rule("staff", "a", groups=frozenset({"staff"})),
        Rule("never", "a", subjects=frozenset({"*"}), recordings=("secret-*",), allow=False),
        Rule("anyone", "a", subjects=frozenset({"*"})),
    )
    assert (await policy.decide(person("anna", "staff"), "secret-1")).rule == "staff"
    assert (await policy.decide(person("anna"), "open-1")).rule == "anyone"
    with pytest.raises(AccessDeniedError, match="never: the rule matches and refuses"):
        await policy.decide(person("anna"), "secret-1")


async def test_a_refusal_that_cannot_be_determined_neither_allows_nor_denies() -> None:
    policy = rules(
        Rule("never", "a", subjects=frozenset({"*"}), rooms=("Room 1",), allow=False),
        Rule("anyone", "b", subjects=frozenset({"*"})),
        recordings=StubRecordings({"r": ValtUnavailableError()}),
    )
    with pytest.raises(ValtUnavailableError):
        await policy.decide(person(), "r")


@pytest.mark.promise("security-S14")
async def test_a_person_of_one_provider_is_not_the_same_persons_name_at_another() -> None:
    policy = rules(Rule("campus", "a", provider_subjects=frozenset({("campus", "anna")})))
    anna = person("anna")
    assert (await policy.decide(anna, "r")).rule == "campus"
    with pytest.raises(AccessDeniedError):
        await policy.decide(replace(anna, provider="clinic"), "r")


NAMES = st.sampled_from(["anna", "Anna", "berta", "BERTA", "carl", "Carl"])
GROUPS = st.frozensets(st.sampled_from(["psychology", "law", "Law", "staff", "STAFF"]), max_size=2)
GLOBS = st.lists(st.sampled_from(["*", "Room 1", "Room ?", "r*", "r1", "asmith", "[ab]*"]), max_size=2).map(tuple)
_EVERY_CONDITION = st.builds(
    Rule,
    name=st.sampled_from(["one", "two", "three"]),
    account=st.sampled_from(["a", "b"]),
    groups=GROUPS,
    subjects=st.frozensets(st.sampled_from(["anna", "\uff21NNA", "berta", "*"]), max_size=2),
    recordings=st.lists(st.sampled_from(["*", "r1", "r?", "q*"]), max_size=2).map(tuple),
    rooms=GLOBS,
    authors=GLOBS,
    names=GLOBS,
    template=st.dictionaries(st.sampled_from(["course"]), st.sampled_from(["PSY*", "LAW 1"]), max_size=1),
    created_within=st.none() | st.sampled_from([DAY, 90 * DAY]),
    author_is_me=st.booleans(),
    shared_with_me=st.booleans(),
    allow=st.booleans(),
    provider_subjects=st.frozensets(
        st.sampled_from([("campus", "anna"), ("campus", "ANNA"), ("clinic", "anna")]), max_size=2
    ),
    networks=st.none() | st.sampled_from([TrustedNetworks(["10.0.0.0/8"]), TrustedNetworks(["unix"])]),
    valid_from=st.none() | st.sampled_from([NOW - DAY, NOW, NOW + 1]),
    valid_until=st.none() | st.sampled_from([NOW - 1, NOW, NOW + DAY]),
)
_UNCONDITIONAL = Rule("one", "a")
_CONDITIONS = (
    *("rooms", "authors", "names", "template", "created_within", "author_is_me", "shared_with_me", "networks"),
    *("valid_from", "valid_until"),
)


def _with_conditions(rule: Rule, conditions: frozenset[str]) -> Rule:
    """Returns *rule* without its other conditions: a rule with ten of them matches one request in a thousand."""
    removed = {name: getattr(_UNCONDITIONAL, name) for name in _CONDITIONS if name not in conditions}
    return replace(rule, **removed)


RULES = st.builds(
    _with_conditions,
    _EVERY_CONDITION,
    st.frozensets(st.sampled_from(_CONDITIONS), max_size=2) | st.just(frozenset(_CONDITIONS)),
)
CLIENTS = st.sampled_from([None, "10.1.2.3", "::ffff:10.1.2.3", "192.0.2.1", "nonsense"])
_NOTHING: dict[str, Any] = {"name": None, "room": None, "author": None, "created": None, "template": {}}
DETAILS = st.builds(
    RecordingDetails,
    recording=st.sampled_from(["r1"]),
    name=st.none() | st.sampled_from(["r1", "Room 1"]),
    room=st.none() | st.sampled_from(["Room 1", "Room 22"]),
    author=st.none() | st.sampled_from(["asmith", "ASmith", "berta"]),
    author_id=st.none() | st.sampled_from([7, 8]),
    created=st.none() | st.sampled_from([NOW - 2 * DAY, NOW - 100 * DAY, NOW + DAY]),
    template=st.dictionaries(st.sampled_from(["course", "x"]), st.sampled_from(["PSY 512", "LAW 1"]), max_size=2),
    shared_users=st.frozensets(st.sampled_from([7, 8]), max_size=2),
    shared_groups=st.frozensets(st.sampled_from([4, 5, 6]), max_size=2),
    unstated=st.frozensets(st.sampled_from(["name", "room", "author", "created", "template", "sharing"]), max_size=2),
    deleted_at=st.none() | st.sampled_from([NOW + 1, NOW]),
).map(lambda details: replace(details, **{name: _NOTHING[name] for name in details.unstated if name in _NOTHING}))


@pytest.mark.promise("rules-1")
@settings(max_examples=sequences(500), deadline=None)
@given(
    given_rules=st.lists(RULES, max_size=4),
    subject=NAMES,
    groups=GROUPS,
    details=st.none() | DETAILS,
    client=CLIENTS,
)
async def test_the_rules_agree_with_the_reference_model(
    given_rules: list[Rule], subject: str, groups: frozenset[str], details: RecordingDetails | None, client: str | None
) -> None:
    who = person(subject, *groups)
    matching = (rule for rule in given_rules if plainly_fits(rule, who, "r1", details, VALT_NAMES, NOW, client))
    first = next(matching, None)
    expected = first if first is not None and first.allow else None
    is_over = details is not None and details.deleted_at == NOW and first is not None and first.needs_details
    policy = rules(*given_rules, recordings=StubRecordings({} if details is None else {"r1": details}))
    try:
        grant = await policy.decide(who, "r1", "v", client)
    except AccessDeniedError:
        assert expected is None
        event("refused")
    except RecordingExpiredError:
        event("over")
        assert expected is not None
        assert is_over
    else:
        event("allowed")
        assert expected is not None
        assert not is_over
        assert (grant.rule, grant.account, grant.client) == (expected.name, expected.account, client)
    verdicts = await policy.explain(who, "r1", client)
    decided = next((verdict.rule for verdict in verdicts if verdict.matches), None)
    assert decided == first


@pytest.mark.promise("security-S2")
async def test_a_video_without_a_recording_needs_valt_to_confirm_that_it_is_there() -> None:
    holds = RecordingDetails("r", videos=(VideoDetails("v", "Camera"),))
    over = replace(holds, recording="over", deleted_at=NOW)
    recordings = StubRecordings({"r": holds, "over": over, "down": ValtUnavailableError()})
    policy = rules(Rule("all", "a", subjects=frozenset({"*"})), recordings=recordings)
    who = person(video="v")
    assert (await policy.decide(who, "r", "v")).rule == "all"
    for recording, video, error in (
        ("r", "w", AccessDeniedError),
        ("r", None, AccessDeniedError),
        ("q", "v", AccessDeniedError),
        ("over", "v", RecordingExpiredError),
        ("down", "v", ValtUnavailableError),
    ):
        with pytest.raises(error):
            await policy.decide(who, recording, video)
    assert policy.may_list(who, "a", holds, None) is False
    assert not policy.may_see_room(who, "a", "Room 1", None)
    calls = len(recordings.calls)
    await policy.decide(person(recording="r", video="v"), "r", "v")
    assert len(recordings.calls) == calls
