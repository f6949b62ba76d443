"""What MemoryStore does besides the contract of every store: it is bounded and evicts expired entries alone."""

import pytest

from gateway.errors import BusyError
from gateway.store.memory import MemoryStore
from tests.support.clock import ManualClock


async def test_a_full_store_raises_busy_and_evicts_no_consumed_key() -> None:
    clock = ManualClock()
    store = MemoryStore(clock, max_entries=3)
    for number in range(3):
        assert await store.consume(f"portal {number}", clock.now() + 60)
    with pytest.raises(BusyError):
        await store.consume("portal 3", clock.now() + 60)
    assert not await store.consume("portal 0", clock.now() + 60)


async def test_a_full_store_evicts_expired_entries() -> None:
    clock = ManualClock()
    store = MemoryStore(clock, max_entries=2)
    await store.consume("portal 0", clock.now() + 60)
    await store.consume("portal 1", clock.now() + 600)
    clock.pass_(61)
    assert await store.consume("portal 2", clock.now() + 60)
    assert not await store.consume("portal 1", clock.now() + 60)


def test_it_is_complete_since_the_start() -> None:
    assert MemoryStore(ManualClock()).complete_since is None


async def test_its_repr_counts_its_entries() -> None:
    clock = ManualClock()
    store = MemoryStore(clock)
    await store.consume("portal 0", clock.now() + 60)
    await store.sign_out("session", clock.now() + 60)
    assert repr(store) == "<MemoryStore consumed=1 sign_outs=1 revocations=0>"
