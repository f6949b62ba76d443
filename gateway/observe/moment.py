"""How a moment is written, in the audit and in the log alike."""

from datetime import UTC, datetime


def rfc3339(seconds: float) -> str:
    """Unix *seconds* as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
