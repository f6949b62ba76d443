"""Reads VALT's JSON, and the values in it that have a form of their own: times, colours and ids. Pure.

VALT's shapes differ between its versions and from its documentation, so that a value of an unexpected type is None or
empty instead of an error.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from gateway.errors import InvalidVideoError, ValtResponseError
from gateway.model import parse_id
from gateway.valt.json_fields import as_mapping, as_number, is_int

# The only form of a colour that is passed on to the pages, which put it into a style.
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}", re.ASCII)

_MAX_POSITION = 10 * 86400.0
_CLOCK_TIME = re.compile(r"(?:([0-9]{1,3}):)?([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]{1,9})?)", re.ASCII)


def parse(body: bytes) -> Any:
    """Returns the JSON value of *body*. Raises ValtResponseError if it is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ValtResponseError("VALT's response is not JSON") from None


def rows(value: Any) -> list[Mapping[str, Any]]:
    """Returns the objects of a list: an empty one for each element of another type."""
    return [as_mapping(row) for row in value] if isinstance(value, list) else []


def position(value: Any) -> float | None:
    """Returns a position in a recording in seconds, given as a number, as its text or as ``h:mm:ss``. None for anything
    else, and beyond ten days: a number so large is no position."""
    if isinstance(value, str) and (match := _CLOCK_TIME.fullmatch(value.strip())) is not None:
        hours, minutes, seconds = match.groups()
        return 3600.0 * int(hours or 0) + 60.0 * int(minutes) + float(seconds)
    seconds = as_number(value)
    return seconds if seconds is not None and seconds <= _MAX_POSITION else None


def color(row: Mapping[str, Any]) -> str | None:
    """Returns the colour of a marker or comment as ``#rrggbb``, or None."""
    colors = (row.get(key) for key in ("hex_color", "hex color", "color"))
    return next((value for value in colors if isinstance(value, str) and _COLOR.fullmatch(value)), None)


def id_text(value: Any) -> str:
    """Returns the id as text: VALT 5 has integers, VALT 6 UUIDs. Raises ValtResponseError if it is not a valid id."""
    try:
        return parse_id(str(value) if is_int(value) else value if isinstance(value, str) else "")
    except (InvalidVideoError, ValueError):
        raise ValtResponseError("VALT's response has an invalid id") from None
