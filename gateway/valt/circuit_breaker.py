"""A circuit breaker: when VALT's API keeps failing, it is left alone for a while, and people are told so at once.

Closed, it counts failures in a row. Open, it lets nothing through. Half open, it lets exactly one call through, whose
end decides. What began under an earlier state says nothing about this one. Pure: the time is an argument.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum


class State(IntEnum):
    """The numbers are those of the metric ``breaker_state``."""

    CLOSED = 0
    HALF = 1
    OPEN = 2


class End(Enum):
    """How a call ended."""

    ANSWERED = "answered"
    """Whatever was answered, a refusal too."""
    FAILED = "failed"
    """VALT could not be reached, did not answer in time, or said that it cannot."""
    UNKNOWN = "unknown"
    """The call was given up before its end."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave for one call, given in the *era* of a state; an end told with it counts in that era alone."""

    era: int


class CircuitBreaker:
    """Opens after *failures* in a row, for *rest* seconds. Every permit must be given back by *settle*. Times are
    monotonic seconds."""

    def __init__(self, *, failures: int = 5, rest: float = 10.0) -> None:
        self.state = State.CLOSED
        self._most = failures
        self._rest = rest
        self._failures = 0
        self._open_until = 0.0
        self._generation = 0

    def admit(self, now: float) -> Permit | None:
        """Leave for one call, or None: VALT is not to be asked."""
        if self.state is State.OPEN and now >= self._open_until:
            self._turn(State.HALF)
            return Permit(self._generation)
        return Permit(self._generation) if self.state is State.CLOSED else None

    def wait(self, now: float) -> float:
        """Seconds after which asking again makes sense, for who was not admitted."""
        return max(1.0, self._open_until - now)

    def settle(self, permit: Permit, end: End, now: float) -> None:
        """Give *permit* back, with how its call ended."""
        if permit.era != self._generation:
            return
        if end is End.FAILED:
            self._failures += 1
            if self.state is State.HALF or self._failures >= self._most:
                self._open_until = now + self._rest
                self._turn(State.OPEN)
        elif end is End.ANSWERED:
            self._failures = 0
            if self.state is State.HALF:
                self._turn(State.CLOSED)
        elif self.state is State.HALF:
            self._turn(State.OPEN)  # whose rest is over: the next call is another probe

    def _turn(self, state: State) -> None:
        self.state = state
        self._failures = 0
        self._generation += 1
