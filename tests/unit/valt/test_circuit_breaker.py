"""The circuit breaker, state by state, and compared with a model of it."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from gateway.valt.circuit_breaker import CircuitBreaker, Outcome, Permit, State


def open_breaker(at: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(failure_threshold=3, reset_timeout=10.0)
    for _ in range(3):
        breaker.record(acquire(breaker, at), Outcome.FAILURE, at)
    return breaker


def acquire(breaker: CircuitBreaker, now: float) -> Permit:
    permit = breaker.acquire(now)
    assert permit is not None
    return permit


def state(breaker: CircuitBreaker) -> State:
    """The current state, through a call: mypy assumes that an attribute keeps its last asserted value."""
    return breaker.state


def test_consecutive_failures_open_it_and_it_says_when_to_retry() -> None:
    breaker = open_breaker(at=100.0)
    assert state(breaker) is State.OPEN
    assert breaker.acquire(109.9) is None
    assert breaker.retry_after(104.0) == 6.0


def test_a_success_resets_the_failure_count() -> None:
    breaker = CircuitBreaker(failure_threshold=2)
    for outcome in (Outcome.FAILURE, Outcome.SUCCESS) * 10:
        breaker.record(acquire(breaker, 0.0), outcome, 0.0)
    assert state(breaker) is State.CLOSED


def test_cancelled_requests_count_as_neither_failure_nor_success() -> None:
    breaker = CircuitBreaker(failure_threshold=2)
    for outcome in (Outcome.FAILURE, *[Outcome.UNCLEAR] * 10, Outcome.FAILURE):
        assert state(breaker) is State.CLOSED
        breaker.record(acquire(breaker, 0.0), outcome, 0.0)
    assert state(breaker) is State.OPEN


def test_after_the_reset_timeout_exactly_one_request_is_admitted() -> None:
    breaker = open_breaker()
    probe = acquire(breaker, 10.0)
    assert state(breaker) is State.HALF
    assert [breaker.acquire(now) for now in (10.0, 11.0, 1000.0)] == [None] * 3
    breaker.record(probe, Outcome.SUCCESS, 11.0)
    assert state(breaker) is State.CLOSED


def test_a_failed_probe_opens_it_for_another_reset_timeout() -> None:
    breaker = open_breaker()
    breaker.record(acquire(breaker, 10.0), Outcome.FAILURE, 12.0)
    assert breaker.acquire(21.9) is None
    assert breaker.acquire(22.0) is not None


def test_a_cancelled_probe_admits_the_next_one() -> None:
    breaker = open_breaker()
    breaker.record(acquire(breaker, 10.0), Outcome.UNCLEAR, 10.5)
    assert breaker.acquire(10.5) is not None
    assert breaker.acquire(10.5) is None


def test_a_request_admitted_before_it_opened_does_not_decide_the_probe() -> None:
    breaker = CircuitBreaker(failure_threshold=1, reset_timeout=10.0)
    early, late = acquire(breaker, 0.0), acquire(breaker, 0.0)
    breaker.record(early, Outcome.FAILURE, 0.0)
    probe = acquire(breaker, 10.0)
    breaker.record(late, Outcome.SUCCESS, 10.0)
    assert state(breaker) is State.HALF
    breaker.record(probe, Outcome.FAILURE, 10.0)
    assert state(breaker) is State.OPEN


def test_a_request_that_is_no_probe_keeps_no_probe_waiting() -> None:
    breaker = open_breaker()
    assert breaker.acquire(9.9, may_probe=False) is None
    slow = breaker.acquire(10.0, may_probe=False)
    assert slow is not None
    assert breaker.acquire(10.0, may_probe=False) is not None
    probe = acquire(breaker, 10.0)
    assert breaker.acquire(10.0, may_probe=False) is None
    breaker.record(probe, Outcome.SUCCESS, 11.0)
    breaker.record(slow, Outcome.FAILURE, 40.0)
    assert state(breaker) is State.CLOSED


def test_a_request_that_is_no_probe_closes_it_or_keeps_it_open() -> None:
    breaker = open_breaker()
    failed, late = (breaker.acquire(10.0, may_probe=False) for _ in range(2))
    assert failed is not None
    assert late is not None
    breaker.record(failed, Outcome.FAILURE, 12.0)
    breaker.record(late, Outcome.SUCCESS, 13.0)
    assert breaker.acquire(21.9) is None
    good = breaker.acquire(22.0, may_probe=False)
    assert good is not None
    breaker.record(good, Outcome.SUCCESS, 22.0)
    assert state(breaker) is State.CLOSED


def test_its_repr_shows_its_state() -> None:
    assert repr(open_breaker()) == "<CircuitBreaker OPEN failures=0 open_until=10.0>"


class BreakerModel(RuleBasedStateMachine):
    """Requests, outcomes and time in any order, checked against what each state allows."""

    permits: Bundle[Permit] = Bundle("permits")

    @initialize(threshold=st.integers(1, 4))
    def build(self, threshold: int) -> None:
        self.breaker = CircuitBreaker(failure_threshold=threshold, reset_timeout=10.0)
        self.now = 0.0
        self.opened_at: float | None = None
        self.probe: Permit | None = None
        self.beside: Permit | None = None
        """The last one of a request that is no probe, while there is none."""

    @rule(seconds=st.integers(0, 15))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=permits, may_probe=st.booleans())
    def request(self, may_probe: bool) -> Permit:
        before = self.breaker.state
        permit = self.breaker.acquire(self.now, may_probe=may_probe)
        if before is State.CLOSED:
            assert permit is not None
        elif before is State.HALF:
            assert permit is None, "a second probe"
        elif permit is not None:
            assert self.opened_at is not None
            assert self.now - self.opened_at >= 10.0 or self.probe is not None
            assert may_probe == (self.breaker.state is State.HALF)
            self.probe, self.beside = (permit, None) if may_probe else (self.probe, permit)
        return permit or Permit(-1)

    @rule(permit=consumes(permits), outcome=st.sampled_from(Outcome))
    def end(self, permit: Permit, outcome: Outcome) -> None:
        before = self.breaker.state
        self.breaker.record(permit, outcome, self.now)
        after = self.breaker.state
        counts = permit == self.beside and outcome is not Outcome.UNCLEAR
        if before is State.OPEN and counts:
            assert (after is State.CLOSED) == (outcome is Outcome.SUCCESS)
        elif before is State.OPEN:
            assert after is State.OPEN, "only time ends the open state"
        if before is State.HALF and after is not State.HALF:
            assert permit == self.probe
            assert (after is State.CLOSED) == (outcome is Outcome.SUCCESS)
        if before is State.CLOSED and after is not State.CLOSED:
            assert outcome is Outcome.FAILURE
        if after is State.OPEN and outcome is Outcome.FAILURE and (before is not State.OPEN or counts):
            self.opened_at, self.probe = self.now, None
        if after is not before or counts:
            self.beside = None

    @invariant()
    def retry_after_is_at_most_the_reset_timeout(self) -> None:
        if self.breaker.state is State.OPEN:
            assert 1.0 <= self.breaker.retry_after(self.now) <= 10.0


TestBreakerModel = BreakerModel.TestCase
TestBreakerModel.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
