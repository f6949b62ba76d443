"""The keys that each table may have, and what is perhaps meant by a key that it may not have."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from gateway.settings.identity import PROVIDER_TYPES
from gateway.settings.schema import json_schema

_MISSPELT, _SIMILAR = 0.75, 0.5
"""How similar a key must be to one of its table to be taken before one of another table, and at all."""
_SHORT = 5
"""Letters. Shorter keys, such as "url", mean something else in each table."""


def keys_of_table(path: Sequence[str | int]) -> list[str]:
    """Returns the keys of the table that contains *path*."""
    return list(schema_of(path[:-1]).get("properties", {}))


def remedy_of_unknown_key(path: Sequence[str | int]) -> str:
    """Returns which key is perhaps meant by the unknown one at *path*, or to which table it perhaps belongs: in TOML, a
    key belongs to the table above it, and a table stands for itself."""
    key = str(path[-1])
    is_inside = len(path) > 1
    elsewhere = [name for name, keys in _tables() if key in keys]
    if is_inside and key in _schema()["properties"] and not elsewhere:
        brackets = "[[{}]]" if schema_of((key,)).get("type") == "array" else "[{}]"
        return f"write it as a table of its own, {brackets.format(key)}"
    for length in range(len(path) - 2, 0, -1):
        if key in schema_of(path[:length]).get("properties", {}):
            return f"it belongs in [{'.'.join(map(str, path[:length]))}], above [{'.'.join(map(str, path[:-1]))}]"
    for similarity in (_MISSPELT, _SIMILAR):
        nearest = difflib.get_close_matches(key, keys_of_table(path), n=1, cutoff=similarity)
        is_elsewhere = len(elsewhere) == 1 and (not is_inside or len(key) >= _SHORT)
        if is_elsewhere and (not nearest or not is_inside):
            return f"does it belong in {elsewhere[0]}?"
        if nearest:
            return f"did you mean {nearest[0]}?"
    return f"write an account as [valt.accounts.{key}], or remove it" if path[:-1] == ("valt",) else "remove it"


def is_misspelling(key: str, other: str) -> bool:
    """Whether the unknown *key* is perhaps meant to be *other*."""
    return bool(difflib.get_close_matches(key, [other], n=1, cutoff=_MISSPELT))


def _tables() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields each kind of table, as it is written, with its keys."""
    for name in _schema()["properties"]:
        if "properties" in schema_of((name,)):
            yield f"[{name}]", schema_of((name,))["properties"]
    yield "[valt.accounts.NAME]", schema_of(("valt", "accounts", "NAME"))["properties"]
    keys: dict[str, Any] = {}
    for kind in PROVIDER_TYPES:
        keys |= schema_of(("identity", 0, kind))["properties"]
    yield "[[identity]]", keys
    for name in ("grants", "examples", "service_keys"):
        yield f"[[{name}]]", schema_of((name, 0))["properties"]


def schema_of(path: Sequence[str | int]) -> Mapping[str, Any]:
    """Returns the JSON Schema of the value at *path*, empty for an unknown one."""
    schema = _schema()
    node = schema
    for part in path:
        if isinstance(part, int):
            node = node.get("items", {})
        elif part in PROVIDER_TYPES and "discriminator" in node:
            node = {"$ref": node["discriminator"]["mapping"][part]}
        else:
            by_name = *node.get("patternProperties", {}).values(), node.get("additionalProperties")
            node = node.get("properties", {}).get(part) or by_name[0] or {}
        node = _resolve(node, schema)
    return node


@cache
def _schema() -> dict[str, Any]:
    """Returns the JSON Schema, which takes longer to build than a file to check."""
    return json_schema()


def _resolve(node: Any, schema: Any) -> Any:
    while "$ref" in node or "anyOf" in node:
        node = node["anyOf"][0] if "anyOf" in node else schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node
