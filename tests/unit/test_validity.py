"""Whether a proof is still valid: each reason for which it is not, by itself and at its exact second."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.group_selection import GroupSelection
from gateway.model import Delivery, Grant, Identity, IdentityKind
from gateway.store.memory import MemoryStore
from gateway.validity import SERVICE_KEY_ISSUER, SERVICE_KEY_PROVIDER, Validity, renew, void_seconds
from tests.support.clock import ManualClock

DAY = 24 * 3600.0
NOW = 1_800_000_000.0
ANNA = Identity("anna", "https://sso", "campus", IdentityKind.JWT, frozenset({"staff"}), issued_at=NOW - 100.0)
SESSION = replace(ANNA, kind=IdentityKind.SESSION, session="s1", expires_at=NOW + 50.0)
KEY = Identity(
    "archive",
    SERVICE_KEY_ISSUER,
    SERVICE_KEY_PROVIDER,
    IdentityKind.SERVICE_KEY,
    frozenset({"staff"}),
    service_key="hash",
)
REVOKED = "it was issued before this person's revocation"
EXPIRED = "the session or service key has expired"
NO_PROVIDER = "its provider is no longer configured"
NO_KEY = "its service key is no longer configured, or has other groups"


class World:
    """A check whose clock and store a test has in hand."""

    def __init__(self, **changes: Any) -> None:
        self.clock = ManualClock(NOW)
        self.store = MemoryStore(self.clock)
        usual: dict[str, Any] = {
            "providers": [("https://sso", "campus"), ("https://other", "clinic")],
            "service_keys": {("archive", "hash"): (frozenset({"staff"}), NOW + 10.0)},
            "lifetime": 1000.0,
            "secrets": ["secret-1"],
        }
        self.validity = Validity(store=self.store, clock=self.clock, **{**usual, **changes})

    def refusal(self, identity: Identity, **options: float) -> str | None:
        return self.validity.refusal(identity, **options)


@pytest.mark.parametrize(
    ("attachment", "changes", "goes_on"),
    [
        (False, {"rule": "another"}, True),
        (False, {"download": False}, True),
        (True, {"download": True}, True),
        (True, {"download": False}, False),
        (False, {"account": "another"}, False),
        (False, {"delivery": Delivery.REDIRECT}, False),
    ],
)
def test_a_grant_lasts_as_long_as_a_later_one_by_which_it_goes_on(
    attachment: bool, changes: dict[str, Any], goes_on: bool
) -> None:
    granted = Grant(ANNA, "r1", "v1", "reviewer", Delivery.PROXY, "all", True, decided_at=NOW, until=NOW + 50.0)
    granted.attachment = attachment
    again = replace(granted, decided_at=NOW + 9.0, until=NOW + 20.0, **changes)
    assert renew(granted, again) is goes_on
    assert (granted.decided_at, granted.until) == ((NOW + 9.0, NOW + 20.0) if goes_on else (NOW, NOW + 50.0))


def test_a_proof_is_valid_if_nothing_speaks_against_it() -> None:
    for identity in (ANNA, SESSION, KEY):
        assert World().refusal(identity) is None


def test_a_proof_needs_its_issuer_and_provider_together() -> None:
    for other in (replace(ANNA, provider="clinic"), replace(ANNA, issuer="https://other"), replace(ANNA, provider="x")):
        assert World().refusal(other) == NO_PROVIDER
    assert World(providers=[]).refusal(ANNA) == NO_PROVIDER
    assert World(providers=[]).refusal(KEY) is None


def test_a_service_key_needs_its_name_its_hash_and_the_same_groups() -> None:
    for other in (replace(KEY, subject="x"), replace(KEY, service_key="x"), replace(KEY, groups=frozenset())):
        assert World().refusal(other) == NO_KEY
    assert World(service_keys={}).refusal(replace(KEY, groups=frozenset())) == NO_KEY


def test_a_service_key_ends_when_the_configuration_says_for_all_that_was_derived() -> None:
    world = World()
    derived = replace(KEY, ends_at=NOW + 1e6, expires_at=NOW + 1e6)
    world.clock.step(9.9)
    assert world.refusal(derived) is None
    world.clock.step(0.1)
    assert world.refusal(derived) == EXPIRED
    endless = World(service_keys={("archive", "hash"): (frozenset({"staff"}), None)})
    endless.clock.step(1e9)
    assert endless.refusal(replace(KEY, ends_at=NOW)) is None


def test_of_other_proofs_only_the_end_of_their_session_counts() -> None:
    world = World()
    assert world.refusal(replace(ANNA, expires_at=NOW - 1.0)) is None
    assert world.refusal(replace(ANNA, ends_at=NOW + 1.0)) is None
    assert world.refusal(replace(ANNA, ends_at=NOW)) == EXPIRED
    assert world.refusal(replace(SESSION, ends_at=NOW - 1.0)) is None
    assert world.refusal(replace(SESSION, expires_at=NOW)) == EXPIRED
    assert world.refusal(replace(SESSION, expires_at=None)) == EXPIRED


def test_a_session_ends_with_the_lifetime_that_is_configured_now() -> None:
    world = World()
    long = replace(SESSION, expires_at=NOW + 1e6)
    world.clock.step(899.9)
    assert world.refusal(long) is None
    world.clock.step(0.1)
    assert world.refusal(long) == EXPIRED
    assert World().refusal(replace(long, issued_at=None)) == EXPIRED
    derived = replace(ANNA, session="s1", ends_at=None)
    assert World().refusal(derived) is None
    assert World(lifetime=100.0).refusal(derived) == EXPIRED
    assert World(lifetime=100.1).refusal(derived) is None
    assert World(lifetime=None).refusal(SESSION) == "sessions are no longer configured"
    assert World(lifetime=None).refusal(ANNA) is None


def test_a_sealed_proof_needs_the_secret_that_sealed_it() -> None:
    gone = "the secret that sealed it is no longer configured"
    assert World().refusal(replace(SESSION, sealed_by="secret-1")) is None
    assert World().refusal(replace(SESSION, sealed_by="secret-2")) == gone
    bare = ManualClock(NOW)
    without = Validity([("https://sso", "campus")], {}, MemoryStore(bare), bare, lifetime=1000.0)
    assert without.refusal(replace(SESSION, sealed_by="secret-1")) == gone
    assert without.refusal(SESSION) is None


def test_a_sealed_proof_needs_every_group_that_a_rule_refuses() -> None:
    banned = GroupSelection(frozenset({"staff"}), frozenset({"banned"}))
    stale = "a rule refuses groups that were not stored in it"
    assert World(selection=banned).refusal(replace(SESSION, selection="")) == stale
    assert World(selection=banned).refusal(replace(SESSION, selection=banned.digest)) is None
    assert World(selection=banned).refusal(replace(SESSION, selection=None)) is None
    assert World().refusal(replace(SESSION, selection=banned.digest)) is None


async def test_a_sign_out_ends_all_that_was_derived_from_the_session() -> None:
    world = World()
    await world.store.sign_out("s1", NOW + 1000)
    assert world.refusal(SESSION) == "the session was signed out"
    assert world.refusal(replace(ANNA, session="s1")) == "the session was signed out"
    assert world.refusal(replace(SESSION, session="s2")) is None
    assert world.refusal(ANNA) is None


@pytest.mark.promise("security-S14")
@pytest.mark.parametrize("name", ["anna", "campus#anna", "their session", "the other"])
async def test_a_revocation_by_any_of_a_persons_names_reaches_what_was_issued_by_then(name: str) -> None:
    who = replace(ANNA, issued_at=NOW, revocation_keys=("their session", "the other"))
    world = World()
    await world.store.revoke(name, NOW, NOW + 1000)
    assert world.refusal(who) == REVOKED
    assert world.refusal(replace(who, issued_at=NOW + 0.1)) is None
    assert world.refusal(replace(who, issued_at=NOW + 5, leeway=5.0)) == REVOKED
    assert world.refusal(replace(who, issued_at=NOW + 5, leeway=4.9)) is None


@pytest.mark.promise("security-S8")
async def test_a_revocation_reaches_what_a_replica_whose_clock_is_ahead_has_issued() -> None:
    world, header = World(clock_difference=5.0), replace(ANNA, kind=IdentityKind.HEADER, issued_at=None)
    await world.store.revoke("anna", NOW, NOW + 1000)
    for ahead, refusal in ((5.0, REVOKED), (5.1, None)):
        assert world.refusal(replace(ANNA, issued_at=NOW + ahead)) == refusal
        assert world.refusal(replace(ANNA, issued_at=NOW + ahead + 2.0, leeway=2.0)) == refusal
        assert world.refusal(header, first_used_at=NOW + ahead) == refusal
    assert world.refusal(header) is None


async def test_a_revocation_of_somebody_else_reaches_nobody() -> None:
    world = World()
    for name in ("ben", "clinic#anna", "campus#ben", "campus"):
        await world.store.revoke(name, NOW, NOW + 1000)
    assert world.refusal(ANNA) is None


async def test_the_first_use_stands_for_the_issue_time_that_a_header_does_not_have() -> None:
    world, header = World(), replace(ANNA, kind=IdentityKind.HEADER, issued_at=None)
    await world.store.revoke("anna", NOW, NOW + 1000)
    assert world.refusal(header) is None
    assert world.refusal(header, first_used_at=NOW) == REVOKED
    assert world.refusal(header, first_used_at=NOW + 0.1) is None
    assert world.refusal(replace(ANNA, issued_at=NOW + 1), first_used_at=NOW - 1) is None


def test_a_sign_out_is_stored_for_longer_than_any_session_may_last() -> None:
    assert void_seconds(3600.0) == 31 * DAY
    assert void_seconds(30 * DAY + 1) == 31 * DAY + 1
    assert void_seconds(90 * DAY) == 91 * DAY


def test_the_groups_to_store_are_those_of_rules_and_refused_ones_in_every_spelling() -> None:
    selection = GroupSelection(frozenset({"staff", "law"}), frozenset({"Banned"}))
    assert selection.select(["law", "staff", "Staff", "others", "BANNED", "banned"]) == [
        "BANNED",
        "banned",
        "law",
        "staff",
    ]
    assert GroupSelection().select(["staff"]) == []


def selection_of(*refused: str) -> GroupSelection:
    return GroupSelection(frozenset({"x"}), frozenset(refused))


def test_a_selection_is_identified_by_the_groups_that_it_refuses() -> None:
    one = selection_of("a", "b")
    assert one.digest == GroupSelection(frozenset(), frozenset({"b", "a"})).digest == "ca978112ca.3e23e81600"
    assert selection_of().digest == ""
    assert one.digest == selection_of(" A", "b").digest, "a refusal compares every spelling"


def test_what_was_sealed_with_more_refused_groups_is_current() -> None:
    one, fewer, other = selection_of("a", "b"), selection_of("a"), selection_of("a", "c")
    for current in (one, fewer, selection_of()):
        assert current.is_current(one.digest)
    assert selection_of().is_current("")
    for old in (fewer, other, selection_of()):
        assert not one.is_current(old.digest)


def test_of_many_refused_groups_one_hash_is_sealed() -> None:
    names = [f"group {number}" for number in range(33)]
    most, many, fewer = selection_of(*names[:32]), selection_of(*names), selection_of(*names[:31])
    assert (len(most.digest), len(many.digest)) == (351, 10)
    assert many.is_current(many.digest)
    assert not most.is_current(many.digest)
    assert not many.is_current(most.digest)
    assert fewer.is_current(most.digest)
