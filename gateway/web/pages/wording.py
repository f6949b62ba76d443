"""Moments and spans as people say them. Pure."""

from collections.abc import Mapping
from datetime import datetime, tzinfo


def moment(told: str, texts: Mapping[str, str], zone: tzinfo | None = None) -> str:
    """RFC 3339 *told* as a day and a time in the words of *texts*; in the machine's own time zone unless another is
    given, and in either case the zone is named."""
    at = datetime.fromisoformat(told).astimezone(zone)
    month = texts["months"].split()[at.month - 1]
    return texts["moment"].format(day=at.day, month=month, year=at.year, time=f"{at:%H:%M}", zone=at.tzname())


def span(seconds: float) -> str:
    """*seconds* in the largest two units that are not nothing: ``1 h 5 min``. The units' signs are international."""
    whole = round(seconds)
    counts = ((whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    said = [f"{count}\N{NO-BREAK SPACE}{unit}" for count, unit in counts if count][:2]
    return " ".join(said) or "0\N{NO-BREAK SPACE}s"
