"""The values of claims, whose types and forms differ from one provider to another: names, groups and times. Pure."""

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from gateway.errors import InvalidCredentialsError

_MAX_NAME = 255
_NO_NAME = "\u2003"
"""A space at the end of what is a group's name but for characters that are not allowed. No name ends with one, and a
comparison of every spelling ignores it."""


def parse_name(value: Any) -> str:
    """Returns the name of a person or group, unchanged. Raises InvalidCredentialsError if it is empty, longer than 255
    characters, or has control characters or surrounding spaces that a log or header could misread."""
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= _MAX_NAME
        or not value.isprintable()
        or value != value.strip()
    ):
        raise InvalidCredentialsError("a name is empty, too long, or has characters that are not allowed")
    return value


def are_elsewhere(claims: Mapping[str, Any], name: str) -> bool:
    """Whether the claim *name* is a distributed claim (OpenID Connect Core 1.0, section 5.6.2), or in a form of
    Microsoft's: ``hasgroups``, or the name of a source in the place of the groups."""
    value = find_claim(claims, name)
    if value not in (None, "", []):
        sources = claims.get("_claim_sources")
        return isinstance(value, str) and isinstance(sources, dict) and value in sources
    names = claims.get("_claim_names")
    named = isinstance(names, dict) and any(name == one or name.startswith(f"{one}.") for one in names)
    return named or (name == "groups" and str(claims.get("hasgroups")).lower() == "true")


def find_claim(claims: Mapping[str, Any], path: str) -> Any:
    """Returns the claim named *path* or, if no claim has that name, the value at the dotted path; None if there is
    none. A name on the way may contain dots itself."""
    if path in claims:
        return claims[path]
    for dot in (match.start() for match in re.finditer(r"\.", path)):
        inner = claims.get(path[:dot])
        if isinstance(inner, Mapping) and (value := find_claim(inner, path[dot + 1 :])) is not None:
            return value
    return None


def parse_groups(value: Any) -> tuple[frozenset[str], int]:
    """Returns the names of groups in *value*, a list or a single one, and how many of its values are none. A number is
    its text; what else is not a name (see `parse_name`) is ignored, so that it harms no other group.

    A value with spaces around it or characters that nobody sees is no name either. It is returned with a space at its
    end, which equals no name: a rule that refuses its group, and compares every spelling, must not miss it.
    """
    values = value if isinstance(value, list) else [] if value is None else [value]
    names = [_parse_group(one) for one in values]
    odd = {_odd_spelling(one) for one, name in zip(values, names, strict=True) if name is None}
    return frozenset(name for name in {*names, *odd} if name is not None), names.count(None)


def _odd_spelling(value: Any) -> str | None:
    """Returns the name that *value* looks like, with `_NO_NAME`, or None if it looks like none."""
    if not isinstance(value, str):
        return None
    seen = [" " if one.isspace() else one for one in unicodedata.normalize("NFKC", value)]
    name = "".join(filter(str.isprintable, seen)).strip()
    return name + _NO_NAME if 0 < len(name) <= _MAX_NAME else None


def _parse_group(value: Any) -> str | None:
    if (type(value) is int and abs(value) < 1e255) or (isinstance(value, float) and math.isfinite(value)):
        value = str(value)
    try:
        return parse_name(value)
    except InvalidCredentialsError:
        return None


def parse_time(claims: Mapping[str, Any], claim: str) -> float:
    """Returns a NumericDate (RFC 7519, section 2) in Unix seconds. Raises InvalidCredentialsError."""
    value = claims.get(claim)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise InvalidCredentialsError(f"the claim {claim} is not a time")
    return float(value)
