"""Sealed changes of person: whether one may have been confirmed before."""

import math
from dataclasses import replace

import pytest

from gateway.errors import InvalidCredentialsError
from gateway.group_selection import GroupSelection
from gateway.identity.switch import PersonSwitch
from gateway.model import Identity, IdentityKind, Secret
from gateway.store.memory import MemoryStore
from tests.support.clock import ManualClock

BEN = Identity("ben", "https://portal.example.edu", "portal", IdentityKind.TICKET, frozenset({"staff"}))
SECRET = Secret("a secret of more than thirty-two bytes, for sessions")


def switch(clock: ManualClock, store: MemoryStore, *, started_at: float) -> PersonSwitch:
    return PersonSwitch([SECRET], clock, store, started_at=started_at, keep_groups=GroupSelection(frozenset({"staff"})))


@pytest.mark.promise("security-S9", "security-S12")
async def test_a_form_is_not_accepted_again_by_a_process_that_has_lost_its_use() -> None:
    clock = ManualClock()
    ben = replace(BEN, issued_at=clock.now())
    offered = switch(clock, MemoryStore(clock), started_at=clock.now())
    used, unused = offered.seal(ben, "/a"), offered.seal(ben, "/b")
    identity, path = await offered.open(used)
    assert (identity.subject, path) == ("ben", "/a")
    clock.pass_(1)
    restarted = switch(clock, MemoryStore(clock), started_at=clock.now())
    for text in (used, unused):
        with pytest.raises(InvalidCredentialsError, match="lost"):
            await restarted.open(text)
    assert (await restarted.open(restarted.seal(ben, "/c")))[1] == "/c"


@pytest.mark.promise("security-S9", "security-S12")
@pytest.mark.parametrize(("since", "is_accepted"), [(-math.inf, True), (0.0, True), (0.5, False), (1.0, False)])
async def test_a_form_is_accepted_if_the_store_has_every_use_since_it_was_offered(
    since: float, is_accepted: bool
) -> None:
    clock, store = ManualClock(), MemoryStore(ManualClock())
    text = switch(clock, store, started_at=0.0).seal(replace(BEN, issued_at=clock.now()), "/a")
    store.complete_since = clock.now() + since
    clock.pass_(1)
    later = switch(clock, store, started_at=clock.now())
    if is_accepted:
        assert (await later.open(text))[1] == "/a"
    else:
        with pytest.raises(InvalidCredentialsError, match="lost"):
            await later.open(text)
