"""How a moment is written, in the audit and in the log alike."""

import functools
from datetime import UTC, datetime

_ROUNDING = 0.001
_ENDS = tuple(f".{thousandths:03}Z" for thousandths in range(1000))


def rfc3339(seconds: float) -> str:
    """Unix *seconds* as RFC 3339 in UTC, to the millisecond."""
    thousandths = int(seconds * 1000 + _ROUNDING)
    return _second(thousandths // 1000) + _ENDS[thousandths % 1000]


@functools.lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    """Busy gateways write the same second hundreds of times."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
