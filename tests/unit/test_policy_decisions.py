"""What a decision of the policy says and reports: the grant's members, the reasons, the events, and when it is due."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.errors import AccessDeniedError, RecordingExpiredError, ValtUnavailableError
from gateway.events import Event, GrantDecided
from gateway.model import Delivery, Grant, Identity
from gateway.network import TrustedNetworks
from gateway.policy import Rules, Verdict
from gateway.ports import E
from gateway.recording_details import RecordingDetails, VideoDetails
from gateway.rules import Rule, ValtNames
from tests.support.clock import ManualClock
from tests.support.plain_rules import DAY
from tests.support.recorder import Recorder
from tests.unit.test_policy import NOW, StubRecordings, person, rules

EVERYBODY = frozenset({"*"})
ANYONE = Rule("anyone", "a", subjects=EVERYBODY)
IN_ROOM_1 = replace(ANYONE, name="room 1", rooms=("Room 1",))
ON_CAMPUS = replace(ANYONE, name="campus", networks=TrustedNetworks(["10.0.0.0/8"]))
INSIDE, OUTSIDE = "10.1.2.3", "192.0.2.1"
RECORD = RecordingDetails("r", room="Room 1", author="asmith", created=NOW - DAY, videos=(VideoDetails("v", "Camera"),))


class Decisions:
    """A policy on a clock that can be moved, with the events that it reports."""

    def __init__(self, *given: Rule, **recordings: RecordingDetails | ValtUnavailableError) -> None:
        self.clock, self.recorder = ManualClock(NOW), Recorder()
        self.policy = Rules(given, StubRecordings(recordings), ValtNames(), self.clock, self.recorder)

    @property
    def events(self) -> list[Event]:
        return self.recorder.events

    async def denial(self, identity: Identity, recording: str = "r", video: str | None = None) -> str:
        """Returns the reason of an AccessDeniedError."""
        with pytest.raises(AccessDeniedError) as denied:
            await self.policy.decide(identity, recording, video)
        return str(denied.value)


async def test_a_grant_states_who_may_see_what_through_which_rule_from_where_and_when() -> None:
    rule = replace(ANYONE, groups=frozenset({"g", "h"}), delivery=Delivery.REDIRECT, download=False)
    who, decisions = person("anna", "g", "x"), Decisions(rule)
    granted = await decisions.policy.decide(who, "r", "v", INSIDE)
    assert granted == Grant(who, "r", "v", "a", Delivery.REDIRECT, "anyone", False, frozenset({"g"}), INSIDE, NOW, None)
    assert decisions.events == [GrantDecided("anyone", "allowed")]


async def test_a_grant_ends_when_the_recording_is_too_old_for_its_rule_or_over() -> None:
    young = replace(ANYONE, created_within=2 * DAY)
    for rule, record, until in (
        (young, RECORD, NOW + DAY),
        (young, replace(RECORD, deleted_at=NOW + 5), NOW + 5),
        (young, replace(RECORD, deleted_at=NOW + 2 * DAY), NOW + DAY),
        (IN_ROOM_1, RECORD, None),
        (IN_ROOM_1, replace(RECORD, deleted_at=NOW + 5), NOW + 5),
        (replace(young, allow=False), replace(RECORD, created=None), None),
    ):
        decisions = Decisions(replace(rule, allow=True), r=record)
        if record.created is not None:
            assert (await decisions.policy.decide(person(), "r")).until == until
        else:
            assert await decisions.denial(person()) == "anyone: the recording does not meet created_within"


async def test_a_denial_says_why_each_rule_does_not_match() -> None:
    assert await Decisions().denial(person()) == "there is no rule"
    decisions = Decisions(replace(ANYONE, name="one", subjects=frozenset()), replace(ANYONE, recordings=("q",)))
    assert await decisions.denial(person()) == (
        "one: the person is not among its subjects and in none of its groups; "
        "anyone: the recording's id is not among its recordings"
    )
    assert decisions.events == [GrantDecided("", "denied")]


async def test_a_denial_of_a_limited_identity_says_that_its_limit_is_the_reason() -> None:
    decisions = Decisions(ANYONE, r=RECORD, q=replace(RECORD, recording="q", videos=()))
    limit = "the ticket or session is for another recording or video"
    assert await decisions.denial(person(recording="q")) == limit
    assert await decisions.denial(person(video="w"), "r", "v") == limit
    not_held = "the recording does not hold the video that the ticket or session is for"
    assert await decisions.denial(person(video="v"), "q", "v") == not_held
    no_recording = "VALT has no such recording, or does not show it to the rule's account"
    assert await decisions.denial(person(video="v"), "gone", "v") == no_recording
    assert decisions.events == [GrantDecided("", "denied")] * 4


async def test_a_video_is_confirmed_through_the_rules_own_account() -> None:
    recordings = StubRecordings({"r": RECORD, "over": replace(RECORD, deleted_at=NOW)})
    policy = rules(ANYONE, recordings=recordings)
    await policy.decide(person(video="v"), "r", "v")
    assert recordings.calls == [("a", "r")]
    with pytest.raises(RecordingExpiredError, match=r"^retention\.until has passed$"):
        await policy.decide(person(video="v"), "over", "v")


async def test_a_grant_for_a_video_alone_ends_with_the_recordings_retention() -> None:
    decisions = Decisions(ANYONE, r=replace(RECORD, deleted_at=NOW + 60), q=RECORD)
    granted = await decisions.policy.decide(person(video="v"), "r", "v")
    assert granted.until == NOW + 60
    decisions.clock.pass_(60)
    assert decisions.policy.is_due(granted)
    assert (await decisions.policy.decide(person(video="v"), "q", "v")).until is None


async def test_a_refusal_is_reported_with_the_name_of_its_rule() -> None:
    decisions = Decisions(replace(ANYONE, name="never", allow=False), ANYONE)
    assert await decisions.denial(person()) == "never: the rule matches and refuses"
    assert decisions.events == [GrantDecided("never", "denied")]


async def test_a_refusal_for_want_of_details_names_the_details() -> None:
    never = replace(IN_ROOM_1, name="never", names=("x",), authors=("asmith",), allow=False)
    record = replace(RECORD, room=None, unstated=frozenset({"room", "name", "created"}))
    reason = "never: the rule matches and refuses: VALT does not state name, room"
    assert await Decisions(never, r=record).denial(person()) == reason
    stated = replace(RECORD, name="x", unstated=frozenset({"created"}))
    assert await Decisions(never, r=stated).denial(person()) == "never: the rule matches and refuses"


async def test_a_rule_that_allows_does_not_match_what_valt_does_not_state() -> None:
    record = replace(RECORD, room=None, unstated=frozenset({"room"}))
    assert await Decisions(IN_ROOM_1, r=record).denial(person()) == "room 1: the recording does not meet rooms"


async def test_an_error_and_an_expiry_are_reported_for_the_rule_that_needed_the_details() -> None:
    down, over = Decisions(IN_ROOM_1, r=ValtUnavailableError()), Decisions(IN_ROOM_1, r=replace(RECORD, deleted_at=NOW))
    with pytest.raises(ValtUnavailableError):
        await down.policy.decide(person(), "r")
    assert down.events == [GrantDecided("room 1", "unknown")]
    with pytest.raises(RecordingExpiredError, match=r"^retention\.until has passed$"):
        await over.policy.decide(person(), "r")
    assert over.events == [GrantDecided("room 1", "denied")]


async def test_verdicts_state_rule_result_reason_error_and_details() -> None:
    error, over = ValtUnavailableError("no route"), replace(RECORD, deleted_at=NOW)
    policy = Decisions(r=RECORD, over=over, down=error).policy
    never = replace(IN_ROOM_1, name="never", allow=False)
    missing = "VALT has no such recording, or does not show it to the rule's account"
    unreachable = "VALT could not be asked for the recording's details: no route"
    for rule, recording, expected in (
        (ANYONE, "r", Verdict(ANYONE, True, "the rule matches")),
        (IN_ROOM_1, "r", Verdict(IN_ROOM_1, True, "the rule matches", None, RECORD)),
        (never, "r", Verdict(never, True, "the rule matches and refuses", None, RECORD)),
        (never, "over", Verdict(never, True, "the rule matches and refuses", None, over)),
        (IN_ROOM_1, "gone", Verdict(IN_ROOM_1, False, missing)),
        (IN_ROOM_1, "down", Verdict(IN_ROOM_1, None, unreachable, error)),
    ):
        assert await policy.evaluate(rule, person(), recording, None) == expected
    expired = await policy.evaluate(IN_ROOM_1, person(), "over", None)
    reason = "the rule matches, and the recording's retention is over"
    assert (expired.rule, expired.matches, expired.reason, expired.details) == (IN_ROOM_1, True, reason, over)
    assert isinstance(expired.error, RecordingExpiredError)
    assert str(expired.error) == "retention.until has passed"


async def test_an_explanation_ends_at_the_first_rule_that_decides_or_cannot_be_decided() -> None:
    policy = Decisions(replace(IN_ROOM_1, rooms=("Room 2",)), IN_ROOM_1, ANYONE, r=RECORD).policy
    assert [verdict.matches for verdict in await policy.explain(person(), "r")] == [False, True]
    policy = Decisions(IN_ROOM_1, ANYONE, r=ValtUnavailableError()).policy
    assert [verdict.matches for verdict in await policy.explain(person(), "r")] == [None]


async def test_the_clients_address_counts_in_every_decision() -> None:
    policy = rules(ON_CAMPUS)
    who, row = person(), RecordingDetails("r")
    assert (await policy.decide(who, "r", "v", INSIDE)).rule == "campus"
    with pytest.raises(AccessDeniedError, match="the client's address is in none of its networks"):
        await policy.decide(who, "r", "v", OUTSIDE)
    for client in (INSIDE, OUTSIDE):
        allowed = client == INSIDE
        assert policy.accounts(who, client) == (["a"] if allowed else [])
        assert policy.may_see_room(who, "a", "Room 1", client) is allowed
        assert policy.may_list(who, "a", row, client) is allowed
        assert await policy.may_see(who, "a", "r", client) is allowed
        assert [verdict.matches for verdict in await policy.explain(who, "r", client)] == [allowed]
        assert (await policy.evaluate(ON_CAMPUS, who, "r", client)).matches is allowed


def test_a_grant_is_due_again_when_its_end_has_come() -> None:
    decisions = Decisions(ANYONE)
    granted = Grant(person(), "r", "v", "a", Delivery.PROXY, "anyone", decided_at=NOW, until=NOW + 5)
    assert not decisions.policy.is_due(granted)
    decisions.clock.pass_(4.9)
    assert not decisions.policy.is_due(granted)
    decisions.clock.pass_(0.1)
    assert decisions.policy.is_due(granted)
    assert not decisions.policy.is_due(replace(granted, until=None))


def test_a_grant_is_due_again_when_a_rules_day_begins_or_ends() -> None:
    decisions = Decisions(replace(ANYONE, valid_from=NOW + 20), replace(ANYONE, valid_until=NOW + 10), ANYONE)
    granted = Grant(person(), "r", "v", "a", Delivery.PROXY, "anyone", decided_at=NOW)
    for seconds, is_due in ((9.9, False), (0.1, True), (5, True), (5, True), (100, True)):
        decisions.clock.pass_(seconds)
        assert decisions.policy.is_due(granted) is is_due
        assert not decisions.policy.is_due(replace(granted, decided_at=decisions.clock.now()))
    decisions.clock.step(-200)
    assert not decisions.policy.is_due(granted)


def test_policies_decide_alike_that_have_the_same_rules_and_names_in_valt() -> None:
    same = replace(ON_CAMPUS, networks=TrustedNetworks(["10.0.0.0/8"]))
    assert rules(ANYONE, ON_CAMPUS).decides_like(rules(ANYONE, same))
    assert not rules(ANYONE, ON_CAMPUS).decides_like(rules(ON_CAMPUS, ANYONE))
    assert not rules(ON_CAMPUS).decides_like(rules(replace(same, networks=TrustedNetworks(["10.0.0.0/9"]))))
    renamed = Rules((ANYONE,), StubRecordings({}), ValtNames({"anna": "amiller"}), ManualClock(NOW), Recorder())
    assert not rules(ANYONE).decides_like(renamed)
    assert not renamed.decides_like(rules(ANYONE))
    by_users = [
        Rules((ANYONE,), StubRecordings({}), ValtNames(server=url, logins={"a": user}), ManualClock(NOW), Recorder())
        for url, user in (("https://a", "svc"), ("https://a", "svc"), ("https://a", "other"), ("https://b", "svc"))
    ]
    assert [by_users[0].decides_like(other) for other in by_users] == [True, True, False, False]


def test_a_room_is_hidden_by_a_rule_that_refuses_all_its_recordings_and_by_no_other() -> None:
    never = replace(ANYONE, name="never", account="other", rooms=("Room 1",), allow=False)

    def sees(*given: Rule, room: str = "Room 1") -> bool:
        return rules(*given).may_see_room(person(), "a", room, None)

    assert not sees(never, ANYONE)
    assert not sees(replace(never, rooms=()), ANYONE)
    assert sees(never, ANYONE, room="Room 2")
    assert sees(ANYONE, never)
    assert sees(replace(never, recordings=("q*",)), ANYONE)
    assert sees(replace(never, names=("x",)), ANYONE)
    assert sees(replace(never, recordings=("q*",), names=("x",)), ANYONE)
    assert not sees(replace(ANYONE, account="b"))
    assert sees(replace(IN_ROOM_1, rooms=("Room 2",)), IN_ROOM_1)
    assert not sees()


def test_a_row_that_a_refusal_of_another_account_may_concern_needs_a_look_at_valt() -> None:
    never = replace(ANYONE, name="never", account="b", rooms=("Room 1",), allow=False)
    assert rules(never, ANYONE).may_list(person(), "a", RECORD, None) is None
    assert rules(replace(never, account="a"), ANYONE).may_list(person(), "a", RECORD, None) is False
    assert rules(replace(never, account="a", template={"x": "y"}), ANYONE).may_list(person(), "a", RECORD, None) is None
    assert rules(replace(never, rooms=("Room 2",)), ANYONE).may_list(person(), "a", RECORD, None) is True


async def test_a_recording_is_seen_only_through_the_account_of_a_rule_that_allows_it() -> None:
    policy = rules(IN_ROOM_1, recordings=StubRecordings({"r": RECORD, "q": replace(RECORD, room="Room 2")}))
    assert await policy.may_see(person(), "a", "r", None) is True
    assert await policy.may_see(person(), "b", "r", None) is False
    assert await policy.may_see(person(), "a", "q", None) is False
    never = replace(IN_ROOM_1, account="b", allow=False)
    assert (
        await rules(never, ANYONE, recordings=StubRecordings({"r": RECORD})).may_see(person(), "a", "r", None) is False
    )


async def test_what_is_over_for_an_earlier_rule_of_another_account_is_not_seen() -> None:
    over = replace(RECORD, deleted_at=NOW)
    earlier = replace(IN_ROOM_1, account="b", recordings=("r",), networks=ON_CAMPUS.networks)
    policy = rules(earlier, ANYONE, recordings=StubRecordings({"r": over}))
    assert await policy.may_see(person(), "a", "r", INSIDE) is False
    assert await policy.may_see(person(), "a", "r", OUTSIDE) is True
    recordings = StubRecordings({"r": RECORD})
    assert await rules(earlier, ANYONE, recordings=recordings).may_see(person(), "a", "r", INSIDE) is True
    assert recordings.calls == [("b", "r")]
    assert await rules(earlier, IN_ROOM_1, recordings=recordings).may_see(person(), "a", "r", INSIDE) is True
    assert recordings.calls[1:] == [("a", "r")], "its own account's details say whether it is over"
    assert policy.may_list(person(), "a", over, OUTSIDE) is True
    assert rules(replace(IN_ROOM_1, account="b")).may_list(person(), "a", RECORD, None) is False
    assert rules(replace(ANYONE, account="b")).may_list(person(), "a", over, None) is False


class ByKind(Recorder):
    """An observer with a function for one kind of event, as the real one has."""

    def reporter(self, kind: type[E]) -> Callable[[E], None]:
        return self.on_event if kind is GrantDecided else self.reject

    def reject(self, event: Event) -> None:
        raise AssertionError(event)


async def test_decisions_go_to_the_function_for_their_kind_of_event() -> None:
    observer = ByKind()
    policy = Rules((ANYONE,), StubRecordings({}), ValtNames(), ManualClock(NOW), observer)
    await policy.decide(person(), "r")
    assert observer.events == [GrantDecided("anyone", "allowed")]


async def test_a_denial_lists_eight_rules_one_by_one_and_more_by_their_number() -> None:
    others = [Rule(f"other-{number}", "a", groups=frozenset({"others"})) for number in range(9)]
    each = "; ".join(
        f"other-{number}: the person is not among its subjects and in none of its groups" for number in range(8)
    )
    assert await Decisions(*others[:8]).denial(person()) == each
    assert await Decisions(*others).denial(person()) == "9 rules name neither the person nor one of their groups"


def test_of_many_rules_those_that_name_the_person_count_in_lists_too() -> None:
    others = [Rule(f"other-{number}", "others", groups=frozenset({"others"})) for number in range(9)]
    policy = rules(*others, IN_ROOM_1)
    assert policy.accounts(person(), None) == ["a"]
    assert policy.accounts(person("anna", "others"), None) == ["others", "a"]
    assert policy.may_see_room(person(), "a", "Room 1", None)
    assert not policy.may_see_room(person(), "others", "Room 1", None)
