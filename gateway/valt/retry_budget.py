"""When a call that failed is tried again: seldom, and never all at the same moment.

Retries must not add to the troubles of a server that is in trouble, so all of them together are a tenth of the calls.
"""

import random
from collections.abc import Callable

_PAUSE = 0.1
"""Seconds before the first retry at most; twice as long before each further one."""


class RetryBudget:
    """A bucket that each call fills by *share* of a retry, up to *reserve*, and each retry empties by one.

    *rand* gives numbers from 0 to 1: the pause before a retry has full jitter, so that those who failed together do
    not come back together.
    """

    def __init__(
        self,
        *,
        tries: int = 2,
        share: float = 0.1,
        reserve: float = 5.0,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._tries = tries
        self._share = share
        self._reserve = self._left = reserve
        self._rand = rand

    def record_call(self) -> None:
        """A call begins."""
        self._left = min(self._reserve, self._left + self._share)

    def pause(self, retries: int, remaining: float) -> float | None:
        """Seconds to wait before one more retry after so many; None where the call should fail now: it was tried often
        enough, the pause would outlast the *remaining* seconds, or the budget is spent."""
        seconds = self._rand() * _PAUSE * 2.0**retries
        if retries >= self._tries or seconds >= remaining or self._left < 1.0:
            return None
        self._left -= 1.0
        return seconds
