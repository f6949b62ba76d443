"""How many retries the budget allows, and after which delays."""

import random

import pytest

from gateway.valt.retry_budget import RetryBudget


@pytest.mark.promise("streams-25")
def test_retries_are_a_tenth_of_the_calls_however_many_fail() -> None:
    budget = RetryBudget(capacity=5.0, rand=random.Random(1).random)
    total = 0
    for _ in range(1000):
        budget.record_call()
        retries = 0
        while budget.next_delay(retries, 30.0) is not None:
            retries += 1
        assert retries <= 2
        total += retries
    assert total <= 5 + 100


@pytest.mark.promise("streams-25")
def test_delays_have_full_jitter_and_double() -> None:
    delays = [RetryBudget(rand=lambda: 1.0).next_delay(retries, 30.0) for retries in (0, 1)]
    assert delays == [0.1, 0.2]
    assert RetryBudget(rand=lambda: 0.0).next_delay(0, 30.0) == 0.0


def test_a_delay_longer_than_the_remaining_time_is_refused_and_costs_nothing() -> None:
    budget = RetryBudget(capacity=1.0, rand=lambda: 1.0)
    assert budget.next_delay(0, 0.05) is None
    assert budget.next_delay(0, 30.0) is not None
    assert budget.next_delay(0, 30.0) is None
