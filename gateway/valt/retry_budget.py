"""When a failed request to VALT is retried.

Retries must not add much load to a server that is failing, so all retries together are limited to a tenth of the calls.
"""

import random
from collections.abc import Callable

_BASE_DELAY = 0.1
"""Longest delay in seconds before the first retry; it doubles with each further one."""


class RetryBudget:
    """A token bucket: each call adds *ratio* of a retry, up to *capacity*; each retry takes one.

    A call is retried at most *max_retries* times. *rand* returns numbers from 0 to 1 for the full jitter of the delays,
    so that calls that failed together are not retried together.
    """

    def __init__(
        self,
        *,
        max_retries: int = 2,
        ratio: float = 0.1,
        capacity: float = 5.0,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._max_retries = max_retries
        self._ratio = ratio
        self._capacity = self._available = capacity
        self._rand = rand

    def __repr__(self) -> str:
        return f"<RetryBudget available={self._available:.1f} capacity={self._capacity:.1f}>"

    def record_call(self) -> None:
        """Counts the start of a call."""
        self._available = min(self._capacity, self._available + self._ratio)

    def next_delay(self, retries: int, remaining: float) -> float | None:
        """Returns the seconds to wait before the next retry and takes it from the budget.

        *retries* have been made and *remaining* seconds are left. Returns None if the call must fail now: it has been
        retried often enough, the delay would outlast the remaining time, or the budget is exhausted.
        """
        delay = self._rand() * _BASE_DELAY * 2.0**retries
        if retries >= self._max_retries or delay >= remaining or self._available < 1.0:
            return None
        self._available -= 1.0
        return delay
