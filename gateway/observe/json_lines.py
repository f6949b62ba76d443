"""Lines of JSON and their timestamps, for the audit and the log."""

import functools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

_to_ascii = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=repr).encode
_ROUNDING = 0.001
"""Added to milliseconds, because a float such as 0.29 is a little less than 290 thousandths."""
_MILLISECONDS = tuple(f".{millisecond:03}Z" for millisecond in range(1000))


def json_line(record: Mapping[str, Any]) -> bytes:
    """*record* as one line of JSON in ASCII, with a line feed at its end.

    Everything else is escaped, so that no value can control a terminal. Values that JSON does not have are written as
    their `repr`.
    """
    try:
        line = orjson.dumps(record, repr, orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # a lone surrogate: a header with bytes that are not UTF-8
        return _escaped_line(record)
    return line if line.isascii() and b"\x7f" not in line else _escaped_line(record)


def rfc3339(seconds: float) -> str:
    """Unix *seconds* as RFC 3339 in UTC with milliseconds: ``2027-01-15T08:00:00.250Z``."""
    milliseconds = int(seconds * 1000 + _ROUNDING)
    return _to_second(milliseconds // 1000) + _MILLISECONDS[milliseconds % 1000]


@functools.lru_cache(maxsize=4)  # a busy gateway formats the same second hundreds of times
def _to_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _escaped_line(record: Mapping[str, Any]) -> bytes:
    return f"{_to_ascii(record)}\n".replace("\x7f", "\\u007f").encode()
