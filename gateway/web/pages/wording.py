"""Writes times and durations in a language. Pure."""

from collections.abc import Mapping
from datetime import datetime, tzinfo


def local_time(timestamp: str, texts: Mapping[str, str], zone: tzinfo | None = None) -> str:
    """Returns the RFC 3339 time *timestamp* as a date and a time of day in the language of *texts*, with its zone.

    Without *zone* it is the machine's."""
    at = datetime.fromisoformat(timestamp).astimezone(zone)
    month = texts["months"].split()[at.month - 1]
    return texts["date_time"].format(day=at.day, month=month, year=at.year, time=f"{at:%H:%M}", zone=at.tzname())


def duration(seconds: float) -> str:
    """Returns *seconds* as ``12:34`` or ``1:02:03``, rounded down, as the player writes positions."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
