"""What memory alone promises: it is bounded, and makes room only from what has run out."""

import pytest

from gateway.errors import BusyError
from gateway.store.memory import MemoryStore
from tests.support.clock import ManualClock


async def test_a_full_store_is_busy_and_forgets_no_spent_key() -> None:
    clock = ManualClock()
    store = MemoryStore(clock, max_entries=3)
    for number in range(3):
        assert await store.spend(f"portal {number}", clock.now() + 60)
    with pytest.raises(BusyError):
        await store.spend("portal 3", clock.now() + 60)
    assert not await store.spend("portal 0", clock.now() + 60)


async def test_a_full_store_makes_room_from_what_has_run_out() -> None:
    clock = ManualClock()
    store = MemoryStore(clock, max_entries=2)
    await store.spend("portal 0", clock.now() + 60)
    await store.spend("portal 1", clock.now() + 600)
    clock.pass_(61)
    assert await store.spend("portal 2", clock.now() + 60)
    assert not await store.spend("portal 1", clock.now() + 60)


def test_memory_says_that_a_restart_forgets_it() -> None:
    assert not MemoryStore(ManualClock()).durable
