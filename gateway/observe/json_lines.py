"""Records as lines of JSON, in the audit and in the log alike."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

_ascii = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=repr).encode


def json_line(record: Mapping[str, Any]) -> bytes:
    """*record* on a line of its own, in ASCII: what a terminal would obey, or could not show, stands escaped."""
    try:
        line = orjson.dumps(record, repr, orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # half a surrogate, as a header that is no UTF-8 is read
        return _careful(record)
    return line if line.isascii() else _careful(record)


def _careful(record: Mapping[str, Any]) -> bytes:
    return f"{_ascii(record)}\n".encode()
