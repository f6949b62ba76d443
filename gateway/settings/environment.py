"""Environment variables that set keys of the file: ``VALT_GATEWAY_SECTION__KEY``."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.settings.faults import Fault
from gateway.settings.secrets import SECRETS
from gateway.settings.unknown_keys import schema_of

PREFIX = "VALT_GATEWAY_"
_OF_SECRETS = frozenset(name for names in SECRETS.values() for name in names)
_QUOTED = re.compile("\"[^\"]*\"|'[^']*'", re.DOTALL)
_DEEPEST = 16
"""How many tables and arrays may be in one another."""


def apply_environment(raw: dict[str, Any], environ: Mapping[str, str]) -> tuple[list[Fault], dict[str, str]]:
    """Set the keys of *raw* that environment variables name. Variables without ``__`` are ignored: Kubernetes sets
    some with our prefix.

    Returns faults, and the variable's name for each dotted key that was set.
    """
    faults: list[Fault] = []
    variables: dict[str, str] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        *tables, key = name.removeprefix(PREFIX).lower().split("__")
        if not all((*tables, key)) or len(tables) > _DEEPEST:
            faults.append(Fault(name, None, "names no key", f"write it as {PREFIX}SECTION__KEY"))
            continue
        if not _is_text(name) or not _is_text(text):
            faults.append(Fault(ascii(name)[1:-1], None, "is not UTF-8", "correct its name and value"))
            continue
        node: Any = raw
        for table in tables:
            node = node.setdefault(table, {}) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            faults.append(Fault(name, None, "names a key of an array", "set it in the file"))
            continue
        dotted = ".".join((*tables, key))
        if dotted in variables:
            faults.append(Fault(name, None, f"sets the same key as {variables[dotted]}", "unset one of the two"))
            continue
        value = _value((*tables, key), text)
        if is_too_deep(value):
            faults.append(Fault(name, None, "has a nesting beyond all limits", "correct its value"))
            continue
        if not _is_text(json.dumps(value, ensure_ascii=False)):
            faults.append(Fault(name, None, "has half a surrogate pair, which is no character", "correct its value"))
            continue
        node[key] = value
        variables[dotted] = name
    return faults, variables


def misspelt_variables(environ: Mapping[str, str]) -> list[Fault]:
    """Returns a warning for each variable that is ignored and resembles one that sets a key."""
    warnings = []
    for name in sorted(environ):
        meant = name.upper()
        if meant.startswith(PREFIX) and "__" not in meant:
            path = _path_of(meant.removeprefix(PREFIX).lower().split("_"))
            meant = PREFIX + "__".join(path).upper()
            if len(path) == 1:
                warnings.append(Fault(name, None, "is ignored: it names a whole table", "write the table in the file"))
            if len(path) < 2:
                continue  # Kubernetes sets some of services with our name
        if meant.startswith(PREFIX) and not (name.startswith(PREFIX) and "__" in name):
            warnings.append(Fault(name, None, "is ignored", f"did you mean {meant}?"))
    return warnings


def _path_of(words: Sequence[str], tables: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Returns the path of a key that has *words* between its underscores, below *tables*; an empty one if none has."""
    for length in range(1, len(words) + 1):
        path = (*tables, "_".join(words[:length]))
        if schema_of(path):
            rest = _path_of(words[length:], path) if length < len(words) else path
            if rest:
                return rest
    return ()


def folded_variables(environ: Mapping[str, str]) -> list[Fault]:
    """Returns a warning for each variable of a person or a group that is written with capitals and small letters: the
    names of variables are read as small ones."""
    return [
        Fault(name, None, "is read in small letters: SSO names with capitals differ", "write the name in the file")
        for name in sorted(environ)
        if name.startswith((f"{PREFIX}VALT__PEOPLE__", f"{PREFIX}VALT__GROUPS__"))
        and (own := name.rpartition("__")[2]) not in (own.upper(), own.lower())
    ]


def quoted_variables(environ: Mapping[str, str]) -> list[Fault]:
    """Returns a warning for each variable whose text has quotes around it, as Compose and systemd pass them on in some
    places. About those of secrets `secret_doubt` speaks."""
    warnings = []
    for name, text in sorted(environ.items()):
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        is_ours = name.startswith(PREFIX) and len(path) > 1 and path[-1] not in _OF_SECRETS
        if is_ours and _QUOTED.fullmatch(text) and schema_of(path).get("type") == "string":
            warnings.append(Fault(name, None, "has quotes around it, which are part of the value", "leave them out"))
    return warnings


def _value(path: tuple[str, ...], text: str) -> Any:
    """Returns *text*, parsed as JSON if the key is a number, a boolean, an array or a table.

    The key's type decides, not the text, so that a password of digits stays a string.
    """
    if schema_of(path).get("type", "string") == "string":
        return text
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return text


def is_too_deep(value: Any) -> bool:
    """Whether *value* has more tables and arrays in one another than any setting."""
    nodes: list[Any] = [[value]]
    for _ in range(_DEEPEST + 1):
        nodes = [child for node in nodes for child in (node.values() if isinstance(node, dict) else node)]
        nodes = [node for node in nodes if isinstance(node, dict | list)]
    return bool(nodes)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns the table of *pairs*. Raises ValueError if a key occurs twice, which is a fault in TOML too."""
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key occurs twice")
    return table


def _is_text(text: str) -> bool:
    """Whether *text* has no bytes that the system could not decode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
