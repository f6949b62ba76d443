"""The limit of requests per person and minute, on a manual clock."""

from collections.abc import Callable

import pytest

from gateway.errors import TooManyRequestsError
from gateway.events import LimitReached
from gateway.model import Identity, IdentityKind
from gateway.rate_limit import RateLimiter
from gateway.shared_counts import Who
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder

ANNA = Identity(subject="anna", issuer="https://sso.example.edu", provider="campus", kind=IdentityKind.JWT)
BEN = Identity(subject="ben", issuer="https://sso.example.edu", provider="campus", kind=IdentityKind.JWT)


def allowed(limiter: RateLimiter, person: Identity, *, of: int) -> int:
    """How many of so many requests at the same time are allowed."""
    total = 0
    for _ in range(of):
        try:
            limiter.count(person)
        except TooManyRequestsError:
            continue
        total += 1
    return total


def test_each_person_may_make_a_minutes_requests_at_once() -> None:
    recorder = Recorder()
    limiter = RateLimiter(ManualClock(), recorder, per_minute=6)
    assert allowed(limiter, ANNA, of=10) == 6
    assert allowed(limiter, BEN, of=10) == 6
    assert recorder.events == [LimitReached("requests_per_minute")] * 8


def test_the_allowance_refills_evenly_and_a_refusal_says_when() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock, Recorder(), per_minute=6)
    assert allowed(limiter, ANNA, of=6) == 6
    clock.pass_(4.0)
    with pytest.raises(TooManyRequestsError) as refused:
        limiter.count(ANNA)
    assert refused.value.retry_after == pytest.approx(6.0)
    clock.pass_(6.0)
    assert allowed(limiter, ANNA, of=2) == 1
    clock.pass_(3600.0)
    assert allowed(limiter, ANNA, of=10) == 6


def test_the_repr_counts_only_people_whose_allowance_is_not_full() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock, Recorder(), per_minute=6)
    limiter.count(ANNA)
    assert repr(limiter) == "<RateLimiter per_minute=6 persons=1>"
    clock.pass_(11.0)
    assert repr(limiter) == "<RateLimiter per_minute=6 persons=0>"


def test_zero_is_no_limit_and_a_new_limit_applies_at_once() -> None:
    limiter = RateLimiter(ManualClock(), Recorder(), per_minute=0)
    assert allowed(limiter, ANNA, of=1000) == 1000
    limiter.set_limit(2)
    assert allowed(limiter, ANNA, of=10) == 2


class Replicas:
    """Implements shared_counts.SharedCounts: records the requests that are reported."""

    def __init__(self) -> None:
        self.on_requests: Callable[[Who, float], None] = lambda _who, _seconds: None
        self.on_streams: Callable[[Who, int], None] = lambda _who, _count: None
        self.sessions_in_use: Callable[[], list[str]] = list
        self.on_used: Callable[[str], None] = lambda _session: None
        self.requests: list[tuple[Who, float]] = []

    def add_request(self, who: Who, seconds: float) -> None:
        self.requests.append((who, seconds))

    def set_streams(self, who: Who, count: int) -> None:
        raise NotImplementedError

    def request_streams(self, who: Who) -> None:
        raise NotImplementedError


def test_allowed_requests_are_reported_to_the_other_replicas() -> None:
    replicas = Replicas()
    assert allowed(RateLimiter(ManualClock(), Recorder(), per_minute=4, shared=replicas), ANNA, of=6) == 4
    assert replicas.requests == [((ANNA.issuer, "anna"), 15.0)] * 4


def test_what_other_replicas_have_counted_delays_the_persons_allowance() -> None:
    clock, replicas = ManualClock(), Replicas()
    limiter = RateLimiter(clock, Recorder(), per_minute=6, shared=replicas)
    replicas.on_requests((ANNA.issuer, "anna"), 40.0)
    assert allowed(limiter, ANNA, of=10) == 2
    replicas.on_requests((ANNA.issuer, "anna"), 10.0)  # less than what is counted here
    assert allowed(limiter, ANNA, of=10) == 0
    assert allowed(limiter, BEN, of=10) == 6
    clock.pass_(20.0)
    assert allowed(limiter, ANNA, of=10) == 2
    clock.pass_(60.0)
    assert allowed(limiter, ANNA, of=10) == 6


def test_a_refusal_names_the_setting_that_is_reached() -> None:
    limiter = RateLimiter(ManualClock(), Recorder(), per_minute=1)
    limiter.count(ANNA)
    with pytest.raises(TooManyRequestsError, match=r"^limits\.requests_per_minute is reached$"):
        limiter.count(ANNA)
