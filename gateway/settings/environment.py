"""The environment's twins of the file's keys: ``VALT_GATEWAY_SECTION__KEY``."""

import json
from collections.abc import Mapping
from typing import Any

from gateway.settings.faults import Fault, schema_of

PREFIX = "VALT_GATEWAY_"


def lay_over(raw: dict[str, Any], environ: Mapping[str, str]) -> tuple[list[Fault], dict[str, str]]:
    """Lay the environment over *raw*; names without ``__`` are left alone, as Kubernetes sets some.

    Returns faults, and the variable's name for each dotted key that was set.
    """
    faults: list[Fault] = []
    twins: dict[str, str] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        *tables, key = name.removeprefix(PREFIX).lower().split("__")
        node: Any = raw
        for table in tables:
            node = node.setdefault(table, {}) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            faults.append(Fault(name, None, "names a key of an array", "state it in the file"))
            continue
        node[key] = _value((*tables, key), text)
        twins[".".join((*tables, key))] = name
    return faults, twins


def _value(place: tuple[str, ...], text: str) -> Any:
    """Text, unless the key is a number, a truth value, an array or a table: those are JSON.

    The key decides, not the text, so that a password of digits stays a password.
    """
    if schema_of(place).get("type", "string") == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
