"""How a moment is written, in the audit and in the log alike."""

import functools
import math
from datetime import UTC, datetime


def rfc3339(seconds: float) -> str:
    """Unix *seconds* as RFC 3339 in UTC, to the millisecond."""
    fraction, whole = math.modf(seconds)
    more, millionths = divmod(round(fraction * 1_000_000), 1_000_000)
    return f"{_second(int(whole) + more)}.{millionths // 1000:03}Z"


@functools.lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    """Busy gateways write the same second hundreds of times."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
