"""The circuit breaker, state by state, and against a model of it; and the retries' budget."""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from gateway.valt.circuit_breaker import CircuitBreaker, End, Permit, State
from gateway.valt.retry_budget import RetryBudget


def tripped(at: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(failures=3, rest=10.0)
    for _ in range(3):
        breaker.settle(taken(breaker, at), End.FAILED, at)
    return breaker


def taken(breaker: CircuitBreaker, now: float) -> Permit:
    permit = breaker.admit(now)
    assert permit is not None
    return permit


def state(breaker: CircuitBreaker) -> State:
    """Read anew: a type checker holds an attribute to stay what it was."""
    return breaker.state


def test_it_opens_after_failures_in_a_row_and_tells_how_long_to_wait() -> None:
    breaker = tripped(at=100.0)
    assert state(breaker) is State.OPEN
    assert breaker.admit(109.9) is None
    assert breaker.wait(104.0) == 6.0


def test_an_answer_in_between_starts_the_count_anew() -> None:
    breaker = CircuitBreaker(failures=2)
    for end in (End.FAILED, End.ANSWERED) * 10:
        breaker.settle(taken(breaker, 0.0), end, 0.0)
    assert state(breaker) is State.CLOSED


def test_calls_given_up_are_neither_good_nor_bad() -> None:
    breaker = CircuitBreaker(failures=2)
    for end in (End.FAILED, *[End.UNKNOWN] * 10, End.FAILED):
        assert state(breaker) is State.CLOSED
        breaker.settle(taken(breaker, 0.0), end, 0.0)
    assert state(breaker) is State.OPEN


def test_after_its_rest_exactly_one_call_goes_through() -> None:
    breaker = tripped()
    probe = taken(breaker, 10.0)
    assert state(breaker) is State.HALF
    assert [breaker.admit(now) for now in (10.0, 11.0, 1000.0)] == [None] * 3
    breaker.settle(probe, End.ANSWERED, 11.0)
    assert state(breaker) is State.CLOSED


def test_a_probe_that_fails_opens_it_for_another_rest() -> None:
    breaker = tripped()
    breaker.settle(taken(breaker, 10.0), End.FAILED, 12.0)
    assert breaker.admit(21.9) is None
    assert breaker.admit(22.0) is not None


def test_a_probe_given_up_makes_room_for_the_next() -> None:
    breaker = tripped()
    breaker.settle(taken(breaker, 10.0), End.UNKNOWN, 10.5)
    assert breaker.admit(10.5) is not None
    assert breaker.admit(10.5) is None


def test_what_began_before_it_opened_says_nothing_about_the_probe() -> None:
    breaker = CircuitBreaker(failures=1, rest=10.0)
    early, late = taken(breaker, 0.0), taken(breaker, 0.0)
    breaker.settle(early, End.FAILED, 0.0)
    probe = taken(breaker, 10.0)
    breaker.settle(late, End.ANSWERED, 10.0)
    assert state(breaker) is State.HALF
    breaker.settle(probe, End.FAILED, 10.0)
    assert state(breaker) is State.OPEN


class AgainstItsModel(RuleBasedStateMachine):
    """Any order of calls, ends and time: the model knows only which failures in a row were seen by whom."""

    permits: Bundle[Permit] = Bundle("permits")

    @initialize(failures=st.integers(1, 4))
    def build(self, failures: int) -> None:
        self.breaker = CircuitBreaker(failures=failures, rest=10.0)
        self.now = 0.0
        self.opened_at: float | None = None
        self.probe: Permit | None = None
        self.had: set[State] = {State.CLOSED}

    @rule(seconds=st.integers(0, 15))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=permits)
    def ask(self) -> Permit:
        before = self.breaker.state
        permit = self.breaker.admit(self.now)
        if before is State.CLOSED:
            assert permit is not None
        elif before is State.HALF:
            assert permit is None, "a second probe"
        elif permit is not None:
            assert self.opened_at is not None
            assert self.now - self.opened_at >= 10.0 or self.probe is not None
            self.probe = permit
        return permit or Permit(-1)

    @rule(permit=consumes(permits), end=st.sampled_from(End))
    def end(self, permit: Permit, end: End) -> None:
        before = self.breaker.state
        self.breaker.settle(permit, end, self.now)
        after = self.breaker.state
        if before is State.OPEN:
            assert after is State.OPEN, "only time ends a rest"
        if before is State.HALF and after is not State.HALF:
            assert permit == self.probe
            assert (after is State.CLOSED) == (end is End.ANSWERED)
        if before is State.CLOSED and after is not State.CLOSED:
            assert end is End.FAILED
        if before is not State.OPEN and after is State.OPEN and end is End.FAILED:
            self.opened_at, self.probe = self.now, None

    @invariant()
    def whoever_is_turned_away_is_told_a_wait_that_is_true(self) -> None:
        if self.breaker.state is State.OPEN:
            assert 1.0 <= self.breaker.wait(self.now) <= 10.0


TestAgainstItsModel = AgainstItsModel.TestCase
TestAgainstItsModel.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


@pytest.mark.promise("streams-25")
def test_retries_are_a_tenth_of_the_calls_however_many_fail() -> None:
    patience = RetryBudget(reserve=5.0, rand=random.Random(1).random)
    retried = 0
    for _ in range(1000):
        patience.record_call()
        tries = 0
        while patience.pause(tries, 30.0) is not None:
            tries += 1
        assert tries <= 2
        retried += tries
    assert retried <= 5 + 100


@pytest.mark.promise("streams-25")
def test_pauses_have_full_jitter_and_grow() -> None:
    seen = [RetryBudget(rand=lambda: 1.0).pause(retries, 30.0) for retries in (0, 1)]
    assert seen == [0.1, 0.2]
    assert RetryBudget(rand=lambda: 0.0).pause(0, 30.0) == 0.0


def test_a_pause_that_outlasts_the_time_left_is_not_begun_and_costs_nothing() -> None:
    patience = RetryBudget(reserve=1.0, rand=lambda: 1.0)
    assert patience.pause(0, 0.05) is None
    assert patience.pause(0, 30.0) is not None
    assert patience.pause(0, 30.0) is None
