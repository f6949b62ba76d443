"""The requests that arrive in one turn of the event loop are answered together: all are begun, what they have to say to
the audit is written, and then all answers that are ready are sent.

Cohort scheduling (Larus and Parkes, 2002): a processor does one thing for many faster than many things for one. A
system call between two steps of the road is paid for twice, for itself and by the step after it; a turn of a busy
gateway brings dozens of requests.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

T = TypeVar("T")

_MOST_AT_ONCE = 16
"""Requests that are answered at once after many have come alone."""


class Member(Protocol):
    """A connection with a request that has arrived."""

    def begin(self) -> None:
        """Begin it."""
        ...

    def go_on(self) -> bool:
        """Run it on if it waits for what is there by now. Whether it can be ended in this turn."""
        ...

    def end(self) -> None:
        """Send its answer."""
        ...

    def fail(self, fault: Exception) -> None:
        """Tell of *fault*, which is the gateway's own, and end the connection."""
        ...


class Cohort:
    """*together* is entered while several requests are begun, and left before any answer is sent.

    To wait for the end of a turn costs a look at all sockets: after a request that came alone the next is answered at
    once, and after several such turns the next few.
    """

    def __init__(self, together: AbstractContextManager[object], loop: asyncio.AbstractEventLoop) -> None:
        self._together = together
        self._loop = loop
        self._arrived: list[Member] = []
        self._at_once = self._next_at_once = 0

    def add(self, member: Member) -> None:
        if self._at_once:
            self._at_once -= 1
            _answer(member)
            return
        if not self._arrived:
            self._loop.call_soon(self._turn_is_over)
        self._arrived.append(member)

    def _turn_is_over(self) -> None:
        arrived, self._arrived = self._arrived, []
        if len(arrived) == 1:
            self._at_once = self._next_at_once = min(2 * self._next_at_once or 1, _MOST_AT_ONCE)
            _answer(*arrived)
            return
        self._next_at_once = 0
        with self._together:
            for member in arrived:
                _apart(member, member.begin)
        for member in [member for member in arrived if _apart(member, member.go_on)]:
            _apart(member, member.end)


def _answer(member: Member) -> None:
    _apart(member, member.begin)
    if _apart(member, member.go_on):
        _apart(member, member.end)


def _apart(member: Member, step: Callable[[], T]) -> T | None:
    """Take a *step* of *member*'s whose fault, if it has one, keeps none of the others waiting."""
    try:
        return step()
    except Exception as fault:
        member.fail(fault)
        return None
