"""By how much another machine's clock differs from this one's, as far as a time in one of its responses shows. Pure."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_TIMELY = 5.0
"""Seconds by which two clocks may differ without a word."""


def offset(stated: float, before: float, after: float) -> float:
    """Returns by how many seconds the other clock is ahead (negative: behind). *stated* are its Unix seconds, cut off
    to a whole number, in the response to a request that was sent at *before* and answered at *after*."""
    if stated > after:
        return stated - after
    return min(0.0, stated + 1.0 - before)


def parse_date(headers: Mapping[str, str]) -> float | None:
    """Returns the Date of a response in Unix seconds (RFC 9110, section 6.6.1), None if it has none that is valid."""
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):  # OverflowError for a day beyond 64 bits
        return None


def is_timely(seconds: float) -> bool:
    """Whether an offset is so small that nothing depends on it."""
    return abs(seconds) <= _TIMELY


def describe_offset(seconds: float) -> str:
    """Returns an offset in words: "equal to", "40 s ahead of" or "40 s behind"."""
    if is_timely(seconds):
        return "equal to"
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"
