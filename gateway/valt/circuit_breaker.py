"""The circuit breaker of VALT's API: after failures in a row, requests fail at once for a while.

Closed, it counts consecutive failures. Open, it admits nothing for a time. Then the next request is the probe: half
open, the breaker admits nothing else until the probe's outcome decides. Requests that are no probe are admitted until
there is one: their outcome decides too, but nobody waits for it. The outcome of a request that was admitted in an
earlier state changes nothing. Pure: the time is an argument.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum


class State(IntEnum):
    """The numbers are the values of the metric `breaker_state`."""

    CLOSED = 0
    HALF = 1
    OPEN = 2


class Outcome(Enum):
    """How a request ended."""

    SUCCESS = "success"
    """VALT responded, a refusal included."""
    FAILURE = "failure"
    """VALT could not be reached, did not respond in time, or responded with a status of 500 or more."""
    UNCLEAR = "unclear"
    """The request was cancelled or waited in the gateway, or its response says nothing about whether VALT works."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission for one request. Its outcome counts only while the breaker is in the same *generation*: the number of
    state changes so far."""

    generation: int


class CircuitBreaker:
    """Opens after *failure_threshold* consecutive failures, for *reset_timeout* seconds. Times are monotonic seconds.

    Every permit that `acquire` returns must be passed to `record`.
    """

    def __init__(self, *, failure_threshold: int = 5, reset_timeout: float = 10.0) -> None:
        self.state = State.CLOSED
        self._failure_threshold = failure_threshold
        self._reset_timeout = reset_timeout
        self._failures = 0
        self._open_until = 0.0
        self._generation = 0

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.state.name} failures={self._failures} open_until={self._open_until:.1f}>"

    def acquire(self, now: float, *, may_probe: bool = True) -> Permit | None:
        """Returns a permit for one request, or None if VALT must not be called now.

        *may_probe*: whether all others may be refused until the request has ended.
        """
        if self.state is State.OPEN and now >= self._open_until:
            if may_probe:
                self._change_state(State.HALF)
            return Permit(self._generation)
        return Permit(self._generation) if self.state is State.CLOSED else None

    def retry_after(self, now: float) -> float:
        """Seconds until a request may be admitted again, at least 1; for a caller that got no permit."""
        return max(1.0, self._open_until - now)

    def record(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Returns *permit* with the outcome of its request."""
        if permit.generation != self._generation:
            return
        if outcome is Outcome.FAILURE:
            self._failures += 1
            if self.state is not State.CLOSED or self._failures >= self._failure_threshold:
                self._open_until = now + self._reset_timeout
                self._change_state(State.OPEN)
        elif outcome is Outcome.SUCCESS:
            self._failures = 0
            if self.state is not State.CLOSED:
                self._change_state(State.CLOSED)
        elif self.state is State.HALF:
            self._change_state(State.OPEN)  # its timeout has passed already: the next request is another probe

    def _change_state(self, state: State) -> None:
        self.state = state
        self._failures = 0
        self._generation += 1
