"""Reads members of VALT's JSON objects, and tells which of them VALT does not state. Pure."""

import unicodedata
from collections.abc import Mapping
from typing import Any

_ABSENT = object()
"""The value of a member that is not there."""


def unstated(data: Mapping[str, Any]) -> frozenset[str]:
    """Returns the members that *data* does not have, or has in another form than VALT documents: an empty text, list or
    object, and null, state that the recording has none. Every recording has a time of creation."""
    sharing = data["sharing"] if "sharing" in data else data.get("Sharing", _ABSENT)
    readable = {
        "name": _is_text(data.get("name", _ABSENT)),
        "room": _is_named(data.get("room", _ABSENT)),
        "author": _is_named(data.get("author", _ABSENT)),
        "created": as_number(data.get("created")) is not None,
        "template": _is_template(data.get("template", _ABSENT)),
        "sharing": sharing in (None, [], {}) or (isinstance(sharing, dict) and _is_ids(sharing)),
    }
    return frozenset(name for name, is_readable in readable.items() if not is_readable)


def _is_ids(sharing: Mapping[str, Any]) -> bool:
    """Whether users and groups are lists of numbers, or none."""
    lists = [sharing.get(name) or [] for name in ("users", "groups")]
    return all(isinstance(ids, list) and all(map(is_int, ids)) for ids in lists)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_named(value: Any) -> bool:
    """Whether *value* is an object with a name, or none."""
    return value in (None, [], {}, "") or (isinstance(value, dict) and isinstance(value.get("name"), str))


def _is_template(value: Any) -> bool:
    """Whether every field of a template has one value that can be read, and no two fields have the same label, in
    whichever spelling (Unicode NFC)."""
    if value in (None, [], {}):
        return True
    rows = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
    fields = [pair for row in rows for pair in template_pairs(row)]
    labels = [unicodedata.normalize("NFC", label) for label, _ in fields]
    return (
        bool(fields)
        and all(isinstance(row, dict) for row in rows)
        and all(isinstance(text, str | int | float | None) for _, text in fields)
        and len(set(labels)) == len(labels)
    )


def template_pairs(row: Any) -> list[tuple[Any, Any]]:
    """Returns labels and values of one row of a template."""
    entry = as_mapping(row)
    label = as_text(entry.get("name"))
    return [(label, entry.get("value"))] if label is not None and "value" in entry else list(entry.items())


def is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def as_number(value: Any) -> float | None:
    """Returns a number, or one written as text, from 0 to 1e11, which is above any Unix time in seconds; else None."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and 0 <= number < 1e11 else None


def as_text(value: Any) -> str | None:
    """Returns a text that is not empty, or None. Halves of surrogate pairs, which no encoding can represent, become
    question marks."""
    if not isinstance(value, str) or not value:
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
