"""Times and durations in the words of a language. Pure."""

from collections.abc import Mapping
from datetime import datetime, tzinfo


def moment(timestamp: str, texts: Mapping[str, str], zone: tzinfo | None = None) -> str:
    """Returns the RFC 3339 time *timestamp* as a day and a time of day in the words of *texts*, with its zone.

    The zone is the machine's if none is given."""
    at = datetime.fromisoformat(timestamp).astimezone(zone)
    month = texts["months"].split()[at.month - 1]
    return texts["moment"].format(day=at.day, month=month, year=at.year, time=f"{at:%H:%M}", zone=at.tzname())


def span(seconds: float) -> str:
    """Returns *seconds* in the largest two units that are not zero: ``1 h 5 min``, in any language."""
    whole = round(seconds)
    counts = ((whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    parts = [f"{count}\N{NO-BREAK SPACE}{unit}" for count, unit in counts if count][:2]
    return " ".join(parts) or "0\N{NO-BREAK SPACE}s"
