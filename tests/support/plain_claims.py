"""A plain model of the groups that a claim or a header grants, written apart from the code in the most obvious way."""

from typing import Any


def is_good(name: Any) -> bool:
    """Whether *name* is a text of 1 to 255 printable characters without spaces around it."""
    if not isinstance(name, str) or name == "" or len(name) > 255:
        return False
    if name[0].isspace() or name[-1].isspace():
        return False
    return all(character.isprintable() for character in name)


def groups_of_claim(value: Any) -> set[str]:
    """Returns the groups of a claim's value."""
    groups = set()
    for one in value if isinstance(value, list) else [value]:
        if type(one) is int or (type(one) is float and one == one and abs(one) != float("inf")):
            groups |= {str(one)} if is_good(str(one)) else set()
        elif is_good(one):
            groups.add(one)
    return groups


def groups_of_header(text: str, separator: str) -> set[str]:
    """Returns the groups of a header's value. Reads it one character at a time."""
    names, name, rest = [], "", text
    while rest:
        if rest.startswith("\\" + separator):
            name, rest = name + separator, rest[len(separator) + 1 :]
        elif rest.startswith(separator):
            names.append(name)
            name, rest = "", rest[len(separator) :]
        else:
            name, rest = name + rest[0], rest[1:]
    return {group for group in (one.strip(" \t") for one in [*names, name]) if is_good(group)} - (
        {"(null)"} if text.strip(" \t") == "(null)" else set()
    )
