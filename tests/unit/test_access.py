"""The steps of a request to a recording, in their order, with what each step passes to the next. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.access import Access, details_to_show
from gateway.errors import (
    AccessDeniedError,
    BusyError,
    InvalidCredentialsError,
    RecordingExpiredError,
    TooManyRequestsError,
    ValtUnavailableError,
    VideoNotFoundError,
)
from gateway.model import Credentials, Delivery, Grant, Identity, IdentityKind, Link, Secret, Stage, Video
from gateway.ports import Policy
from gateway.recording_details import RecordingDetails
from gateway.request_record import RequestRecord, current_identity
from tests.support.clock import ManualClock

TARGET = Video("r1", "v1")
ANNA = Identity("anna", "https://sso.example.edu", "campus", IdentityKind.SESSION)
BEN = replace(ANNA, subject="ben")
REPLACED = r"^the rules were replaced while the request waited$"
CREDENTIALS = Credentials(peer="192.0.2.9")
CACHED, FETCHED = (Link(Secret(f"https://media.example.edu/{name}"), None, None) for name in ("cached", "fetched"))


@dataclass
class World:
    """All that the steps ask: what each of them answers, and in *calls* what they were called with."""

    identities: tuple[Identity, ...] = (ANNA,)
    answers: dict[str, Grant | AccessDeniedError] = field(default_factory=dict)
    """The policy's, by subject."""
    link: Link | Exception = FETCHED
    is_cached: bool = False
    per_minute: int = 0
    is_exhausted: bool = False
    is_revoked: bool = False
    rules: str = "old"
    is_due_again: bool = False
    on_decide: Callable[[], None] | None = None
    clock: ManualClock = field(default_factory=ManualClock)
    calls: list[tuple[object, ...]] = field(default_factory=list)

    async def identify(self, credentials: Credentials) -> tuple[Identity, ...]:
        self.calls.append(("identify", credentials))
        return self.identities

    def confirm(self, identity: Identity, since: float) -> None:
        self.calls.append(("confirm", identity, since))
        if self.is_revoked:
            raise InvalidCredentialsError

    def count(self, identity: Identity) -> None:
        self.calls.append(("count", identity))
        if self.is_exhausted:
            raise TooManyRequestsError

    async def decide(
        self, identity: Identity, recording: str, video: str | None = None, client: str | None = None
    ) -> Grant:
        self.calls.append(("decide", identity, current_identity.get(), recording, video, client))
        if self.on_decide is not None:
            self.on_decide()
        answer = self.answers[identity.subject]
        if isinstance(answer, AccessDeniedError):
            raise answer
        return answer

    def is_due(self, grant: Grant) -> bool:
        self.calls.append(("is_due", grant))
        return self.is_due_again

    def decides_like(self, other: Policy) -> bool:
        return isinstance(other, World) and self.rules == other.rules

    def cached(self, account: str, video: Video, *, min_life: float = 0.0) -> Link | None:
        self.calls.append(("cached", account, video, min_life))
        return CACHED if self.is_cached else None

    async def get(self, account: str, video: Video, *, min_life: float = 0.0) -> Link:
        self.calls.append(("get", account, video, min_life))
        if isinstance(self.link, Exception):
            raise self.link
        return self.link

    async def renew(self, account: str, video: Video, stale: Link) -> Link:
        raise NotImplementedError

    def access(self) -> Access:
        return Access(self, self, self, self, self.clock, min_life=30.0)

    def of(self, kind: str) -> list[tuple[object, ...]]:
        return [call[1:] for call in self.calls if call[0] == kind]


def grant(identity: Identity = ANNA, *, download: bool = True, delivery: Delivery = Delivery.PROXY) -> Grant:
    return Grant(identity, "r1", "v1", "account-a", delivery, "rule-a", download)


def record() -> RequestRecord:
    return RequestRecord("id", "GET", "/v", "203.0.113.7", ManualClock().monotonic, 0.0)


async def test_a_request_passes_identity_grant_and_link_in_this_order() -> None:
    world, log, allowed = World(answers={"anna": grant()}), record(), grant()
    world.answers["anna"] = allowed
    assert await world.access().authorize(CREDENTIALS, TARGET, log) == (allowed, FETCHED)
    assert world.calls == [
        ("identify", CREDENTIALS),
        ("decide", ANNA, ANNA, "r1", "v1", "203.0.113.7"),
        ("cached", "account-a", TARGET, 0.0),
        ("get", "account-a", TARGET, 0.0),
    ]
    assert [stage for stage, _ in log.stages] == [Stage.IDENTITY, Stage.GRANT, Stage.LINK]
    assert (log.identity, log.grant, log.stage) == (ANNA, allowed, None)


async def test_a_cached_link_is_used_without_a_request_to_valt() -> None:
    world = World(answers={"anna": grant()}, is_cached=True)
    assert (await world.access().authorize(CREDENTIALS, TARGET, record()))[1] is CACHED
    assert world.of("get") == []


async def test_a_link_to_which_the_client_is_redirected_stays_valid_for_a_while() -> None:
    world = World(answers={"anna": grant(delivery=Delivery.REDIRECT)})
    await world.access().authorize(CREDENTIALS, TARGET, record())
    assert world.of("cached") == world.of("get") == [("account-a", TARGET, 30.0)]


@pytest.mark.parametrize("subjects", [("anna",), ("anna", "ben")])
async def test_a_download_that_the_rule_does_not_allow_is_denied(subjects: tuple[str, ...]) -> None:
    identities = tuple(replace(ANNA, subject=subject) for subject in subjects)
    world = World(identities, {one.subject: grant(one, download=False) for one in identities})
    log = record()
    with pytest.raises(AccessDeniedError) as refused:
        await world.access().authorize(CREDENTIALS, TARGET, log, download=True)
    assert str(refused.value) == "rule 'rule-a' allows no download"
    assert world.of("get") == []
    assert log.identity == ANNA


@pytest.mark.parametrize("download", [True, False])
async def test_a_grant_records_whether_a_download_was_requested(download: bool) -> None:
    world = World(answers={"anna": grant()})
    allowed, _ = await world.access().authorize(CREDENTIALS, TARGET, record(), download=download)
    assert allowed.attachment is download
    assert (await world.access().decide(CREDENTIALS, "r1", None, record(), download=download)).attachment is download
    assert (await world.access().authorize(CREDENTIALS, TARGET, record()))[0].attachment is False
    assert (await world.access().decide(CREDENTIALS, "r1", "v1", record())).attachment is False


async def test_a_decision_for_a_recording_as_a_whole_asks_for_no_link() -> None:
    world, log = World(answers={"anna": grant()}), record()
    await world.access().decide(CREDENTIALS, "r1", None, log)
    assert world.of("decide") == [(ANNA, ANNA, "r1", None, "203.0.113.7")]
    assert world.of("cached") == world.of("get") == []
    assert [stage for stage, _ in log.stages] == [Stage.IDENTITY, Stage.GRANT]
    assert log.stage is None


async def test_requests_are_counted_for_the_first_identity_if_there_is_a_limit() -> None:
    world = World((ANNA, BEN), {"anna": grant(), "ben": grant(BEN)}, per_minute=60)
    await world.access().decide(CREDENTIALS, "r1", "v1", record())
    assert world.of("count") == [(ANNA,)]
    unlimited = replace(world, per_minute=0, calls=[])
    await unlimited.access().decide(CREDENTIALS, "r1", "v1", record())
    assert unlimited.of("count") == []


async def test_a_request_beyond_the_limit_is_not_decided() -> None:
    world, log = World(answers={"anna": grant()}, per_minute=1, is_exhausted=True), record()
    with pytest.raises(TooManyRequestsError):
        await world.access().authorize(CREDENTIALS, TARGET, log)
    assert world.of("decide") == []
    assert log.identity == ANNA


async def test_of_several_sessions_the_first_that_has_a_grant_decides() -> None:
    theirs = grant(BEN)
    world, log = World((ANNA, BEN), {"anna": AccessDeniedError("not hers"), "ben": theirs}), record()
    assert await world.access().decide(CREDENTIALS, "r1", "v1", log) is theirs
    assert world.of("decide") == [
        (ANNA, ANNA, "r1", "v1", "203.0.113.7"),
        (BEN, BEN, "r1", "v1", "203.0.113.7"),
    ]
    assert (log.identity, log.grant, current_identity.get()) == (BEN, theirs, BEN)


async def test_of_several_refusals_the_first_is_raised_for_its_own_person() -> None:
    world = World((ANNA, BEN), {"anna": AccessDeniedError("not hers"), "ben": AccessDeniedError("not his")})
    log = record()
    with pytest.raises(AccessDeniedError, match=r"^not hers$"):
        await world.access().decide(CREDENTIALS, "r1", "v1", log)
    assert (log.identity, log.grant) == (ANNA, None)


async def test_of_several_sessions_one_that_allows_the_download_is_preferred() -> None:
    theirs = grant(BEN)
    world = World((ANNA, BEN), {"anna": grant(download=False), "ben": theirs})
    log = record()
    assert await world.access().decide(CREDENTIALS, "r1", "v1", log, download=True) is theirs
    assert log.identity == BEN
    assert (await world.access().decide(CREDENTIALS, "r1", "v1", record())).identity == ANNA


async def test_without_a_session_that_allows_the_download_the_first_grant_is_refused() -> None:
    sessions = (ANNA, BEN, replace(ANNA, subject="cleo"))
    answers: dict[str, Grant | AccessDeniedError] = {
        "anna": AccessDeniedError("not hers"),
        "ben": grant(BEN, download=False),
        "cleo": grant(download=False),
    }
    log = record()
    with pytest.raises(AccessDeniedError, match="allows no download"):
        await World(sessions, answers).access().decide(CREDENTIALS, "r1", "v1", log, download=True)
    assert log.identity == BEN
    assert log.grant is answers["ben"]


async def test_only_sessions_that_cover_the_target_are_considered() -> None:
    other = replace(BEN, recording="r2", video="v2")
    own_video = replace(BEN, subject="cleo", recording="r1", video="v2")
    world = World((other, own_video, ANNA), {"anna": grant()})
    log = record()
    assert (await world.access().decide(CREDENTIALS, "r1", "v1", log)).identity == ANNA
    assert [call[0] for call in world.of("decide")] == [ANNA]
    assert log.identity == ANNA


async def test_a_session_for_the_recording_covers_each_of_its_videos() -> None:
    narrowed = replace(BEN, recording="r1")
    world = World((narrowed, ANNA), {"anna": grant(), "ben": grant(narrowed)})
    assert (await world.access().decide(CREDENTIALS, "r1", "v1", record())).identity == narrowed


async def test_if_no_session_covers_the_target_the_first_is_refused_by_the_policy() -> None:
    sessions = (replace(ANNA, recording="r2"), replace(BEN, recording="r3"))
    world = World(sessions, {"anna": AccessDeniedError("another recording"), "ben": AccessDeniedError("no")})
    with pytest.raises(AccessDeniedError, match=r"^another recording$"):
        await world.access().decide(CREDENTIALS, "r1", "v1", record())
    assert [call[0] for call in world.of("decide")] == [sessions[0]]


async def test_without_a_grant_the_newest_session_without_limits_is_the_person() -> None:
    narrowed = replace(BEN, recording="r1")
    world, log = World((narrowed, ANNA), per_minute=60), record()
    assert await world.access().authenticate(CREDENTIALS, log) == ANNA
    assert world.calls == [("identify", CREDENTIALS), ("count", narrowed)]
    assert (log.identity, current_identity.get()) == (ANNA, ANNA)
    assert [stage for stage, _ in log.stages] == [Stage.IDENTITY]
    assert log.stage is None
    assert await World((narrowed, replace(ANNA, video="v1"))).access().authenticate(CREDENTIALS, record()) == narrowed


async def test_a_video_has_a_link_if_valt_has_one_for_it() -> None:
    world = World()
    assert await world.access().has_link(grant(), "v2") is True
    assert world.of("cached") == world.of("get") == [("account-a", Video("r1", "v2"), 0.0)]
    cached = World(is_cached=True)
    assert await cached.access().has_link(grant(), "v2") is True
    assert cached.of("get") == []
    assert await World(link=VideoNotFoundError()).access().has_link(grant(), "v2") is False
    with pytest.raises(ValtUnavailableError):
        await World(link=ValtUnavailableError()).access().has_link(grant(), "v2")


async def test_an_identity_is_confirmed_as_of_the_moment_before_it_was_verified() -> None:
    world, log = World(answers={"anna": grant()}), record()
    access, started = world.access(), world.clock.now()
    await access.authorize(CREDENTIALS, TARGET, log)
    world.clock.pass_(5.0)
    await access.confirm(log)
    assert world.of("confirm") == [(ANNA, started)]
    world.is_revoked = True
    with pytest.raises(InvalidCredentialsError):
        await access.confirm(log)


async def test_a_request_of_nobody_needs_no_confirmation() -> None:
    world = World(is_revoked=True)
    await world.access().confirm(record())
    signed_out = record()
    signed_out.set_identity(ANNA)
    await world.access().confirm(signed_out)
    assert world.of("confirm") == []


async def test_the_configuration_in_force_confirms_what_an_earlier_one_allowed() -> None:
    old, same, newest = World(answers={"anna": grant()}), World(), World()
    access, log = old.access(), record()
    await access.authorize(CREDENTIALS, TARGET, log)
    access.replaced_by = same.access()
    await access.confirm(log)
    access.replaced_by.replaced_by = newest.access()
    await access.confirm(log)
    assert [len(world.of("confirm")) for world in (old, same, newest)] == [0, 1, 1]
    newest.is_revoked = True
    with pytest.raises(InvalidCredentialsError):
        await access.confirm(log)


@pytest.mark.parametrize("is_due", [False, True], ids=["other rules", "another day"])
@pytest.mark.parametrize(
    ("changes", "is_granted"),
    [
        ({"until": 600.0}, True),
        ({"account": "account-b", "until": 900.0}, False),
        ({"delivery": Delivery.REDIRECT}, False),
        ({"download": False}, False),
    ],
)
async def test_what_other_rules_or_days_grant_is_granted_still(
    is_due: bool, changes: dict[str, Any], is_granted: bool
) -> None:
    old, new = (
        World(answers={"anna": replace(grant(), client="203.0.113.7")}),
        World(answers={"anna": replace(grant(), rule="rule-b", **changes)}, is_due_again=is_due),
    )
    access, log = old.access(), record()
    granted, _ = await access.authorize(CREDENTIALS, TARGET, log, download=True)
    access.replaced_by = new.access()
    new.rules = "old" if is_due else "new"
    if is_granted:
        await access.confirm(log)
        assert new.of("confirm") == [(ANNA, log.identified_at)] * 2, "once more after what may have waited for VALT"
    else:
        with pytest.raises(BusyError, match=REPLACED):
            await access.confirm(log)
    assert log.grant is (granted if is_granted else None)
    assert granted.until == (600.0 if is_granted else None), "running streams end by the later decision"
    assert granted.rule == ("rule-b" if is_granted else "rule-a"), "the audit names the rule in force"
    assert new.of("decide") == [(ANNA, ANNA, "r1", "v1", "203.0.113.7")]
    assert new.of("is_due") == ([(granted,)] if is_due else [])


@pytest.mark.parametrize("is_opened", [False, True])
@pytest.mark.parametrize("why", ["no rule", "revoked", "retention"])
async def test_a_refusal_after_a_wait_names_the_rule_only_of_what_was_opened(why: str, is_opened: bool) -> None:
    old, new = World(answers={"anna": grant()}), World(rules="new", is_revoked=why == "revoked")
    access, log = old.access(), record()
    granted, _ = await access.authorize(CREDENTIALS, TARGET, log)
    log.opened, access.replaced_by = is_opened, new.access()
    if why == "retention":
        granted.deleted_at = 0.0
    new.answers["anna"] = AccessDeniedError("no")
    error = {"no rule": AccessDeniedError, "revoked": InvalidCredentialsError, "retention": RecordingExpiredError}[why]
    with pytest.raises(error):
        await access.confirm(log)
    assert log.grant is (granted if is_opened else None)


async def test_a_recording_is_deleted_at_its_retention_ends_whatever_its_rule() -> None:
    world, log = World(answers={"anna": grant()}), record()
    access = world.access()
    log.grant = await access.decide(CREDENTIALS, "r1", None, log)
    log.grant.deleted_at = world.clock.now() + 5
    world.clock.pass_(4.5)
    await access.confirm(log)
    world.clock.pass_(0.5)
    with pytest.raises(RecordingExpiredError, match=r"^retention\.until has passed$"):
        await access.confirm(log)


async def test_rules_that_are_replaced_during_the_second_decision_give_nothing_out() -> None:
    old, new = World(answers={"anna": grant()}), World(answers={"anna": grant()}, rules="new")
    access, newer, log = old.access(), new.access(), record()
    await access.authorize(CREDENTIALS, TARGET, log)
    access.replaced_by = newer
    new.on_decide = lambda: setattr(newer, "replaced_by", World().access())
    with pytest.raises(BusyError, match=REPLACED):
        await access.confirm(log)


async def test_a_session_that_has_lost_its_right_leaves_the_others_to_a_new_request() -> None:
    old, new = World(identities=(ANNA, BEN), answers={"anna": grant(), "ben": grant(BEN)}), World(rules="new")
    access, log = old.access(), record()
    await access.authorize(CREDENTIALS, TARGET, log)
    access.replaced_by = new.access()
    new.answers["anna"] = AccessDeniedError("no")
    with pytest.raises(BusyError, match=REPLACED):
        await access.confirm(log)


async def test_what_was_selected_by_rules_is_not_given_out_after_other_rules_are_in_force() -> None:
    old, new = World(), World(rules="new", is_due_again=True)
    access, log = old.access(), record()
    log.mark_api_call()
    await access.authenticate(CREDENTIALS, log)
    access.replaced_by = new.access()
    with pytest.raises(BusyError, match=REPLACED):
        await access.confirm(log)
    new.rules = "old"
    await access.confirm(log)


async def test_the_exchange_of_a_ticket_is_decided_by_no_rule_and_goes_on() -> None:
    old, new = World(), World(rules="new")
    access, log = old.access(), record()
    await access.authenticate(CREDENTIALS, log)
    access.replaced_by = new.access()
    await access.confirm(log)
    assert len(new.of("confirm")) == 1


@pytest.mark.parametrize("ends_in", [0.0, 0.5, None])
async def test_a_response_shows_details_only_of_a_recording_that_is_not_over(ends_in: float | None) -> None:
    clock, granted = ManualClock(), grant()
    ends_at = None if ends_in is None else clock.now() + ends_in

    class Recordings:
        async def get(self, account: str, recording: str) -> RecordingDetails:
            return RecordingDetails(f"{recording} by {account}", deleted_at=ends_at)

    if ends_in == 0.0:
        with pytest.raises(RecordingExpiredError, match=r"^retention\.until has passed$"):
            await details_to_show(Recordings(), granted, clock)
    else:
        assert (await details_to_show(Recordings(), granted, clock)).recording == "r1 by account-a"
        assert granted.deleted_at == ends_at
