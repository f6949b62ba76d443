"""Builds tables of a configuration as TOML text."""

import json
from typing import Any


def grant(name: str, *, account: str = "reviewer", recordings: list[str] | None = None, **more: Any) -> str:
    """Returns one ``[[grants]]`` table, for every recording by default."""
    return table("[[grants]]", name=name, account=account, recordings=recordings or ["*"], **more)


def table(header: str, **keys: Any) -> str:
    """Returns the table *header* with *keys*: strings, numbers, booleans, lists of these, or tables of strings."""
    lines = [f"{key} = {_value(value)}" for key, value in keys.items()]
    return "\n".join([header, *lines, "", ""])


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {json.dumps(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)
