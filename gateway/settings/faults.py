"""Faults: what is wrong, where, why and how to mend it. Never the value of a secret."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.schema import json_schema

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+|\"[^\"]+\")\s*=")
VARIANTS = frozenset({"jwt", "header", "ticket", "oidc"})


@dataclass(frozen=True, slots=True)
class Fault:
    """*key* is dotted, entries of arrays by their number from 0; *line* is 1-based, None where it is not known."""

    key: str
    line: int | None
    reason: str
    remedy: str

    def __str__(self) -> str:
        where = "" if self.line is None else f" (line {self.line})"
        stop = "" if self.remedy.endswith("?") else "."
        return f"{self.key}{where}: {self.reason}. {self.remedy[:1].upper()}{self.remedy[1:]}{stop}"


def locate(text: str) -> Mapping[str, int]:
    """The line of each dotted key of a TOML *text*. tomllib tells none, so this looks for tables and keys itself."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header and not key:
            prefix = ".".join(part.strip().strip('"') for part in header[2].split("."))
            if header[1] == "[[":
                counts[prefix] = counts.get(prefix, -1) + 1
                prefix = f"{prefix}.{counts[prefix]}"
            else:
                array, dot, rest = prefix.partition(".")
                prefix = f"{array}.{counts[array]}.{rest}" if dot and array in counts else prefix
            lines.setdefault(prefix, number)
        elif key:
            lines.setdefault(".".join(part for part in (prefix, key[1].strip('"')) if part), number)
    return lines


def line_of(lines: Mapping[str, int], key: str) -> int | None:
    """The line of *key* in any of a secret's spellings, or of the nearest table around it."""
    while key:
        for spelling in (key, f"{key}_file", f"{key}_env"):
            if spelling in lines:
                return lines[spelling]
        key = key.rpartition(".")[0]
    return None


def read_faults(error: ValidationError, lines: Mapping[str, int]) -> list[Fault]:
    """pydantic's findings as faults, in the file's order."""
    found = []
    details = error.errors(include_url=False, include_input=False)
    for detail in details:
        if detail["type"] == "too_short" and any(_within(other["loc"], detail["loc"]) for other in details):
            continue  # pydantic counts only the entries that are right
        key = ".".join(str(part) for part in place_of(detail))
        reason, remedy = _words(detail)
        found.append(Fault(key, line_of(lines, key), reason, remedy))
    return sorted(found, key=lambda fault: (fault.line or 0, fault.key))


def place_of(detail: ErrorDetails) -> tuple[int | str, ...]:
    """Where the file says it: pydantic also names an ``[[identity]]``'s variant, and marks a wrong key."""
    place = detail["loc"] if detail["loc"][-1] != "[key]" else detail["loc"][:-1]
    return place[:2] + place[3:] if place[0] == "identity" and len(place) > 2 and place[2] in VARIANTS else place


def _within(inner: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _words(detail: ErrorDetails) -> tuple[str, str]:
    context: Mapping[str, Any] = detail.get("ctx") or {}
    match detail["type"]:
        case "fault":
            return str(context["reason"]), str(context["remedy"])
        case "missing":
            file = f"{detail['loc'][-1]}_file"
            named = file in known_keys(detail["loc"])
            return "is missing", f"name a file that holds it with {file}" if named else "it has no default: state it"
        case "extra_forbidden":
            nearest = difflib.get_close_matches(str(detail["loc"][-1]), known_keys(detail["loc"]), n=1, cutoff=0.5)
            return "is no key that is known", f"did you mean {nearest[0]}?" if nearest else "remove it"
        case "literal_error":
            return "is none of the values it may have", f"use one of {context['expected']}"
        case "union_tag_not_found" | "union_tag_invalid":
            return "has no type that is known", 'set type to "jwt", "header", "ticket" or "oidc"'
        case "string_pattern_mismatch":
            return "has characters that it may not have", f"it must match {context['pattern']}"
        case "greater_than_equal":
            return "is too small", f"write {context['ge']} or more"
        case "too_short" | "string_too_short":
            return "is empty", "state at least one"
        case kind:
            return _KINDS.get(kind.partition("_")[0], ("is not right", "see config/gateway.toml for how it is written"))


_KINDS = {
    "tuple": ("is not a list", 'write it in brackets: ["one", "another"]'),
    "int": ("is not a whole number", "write it without quotes and without a point"),
    "bool": ("is neither true nor false", "write true or false, without quotes"),
    "string": ("is not text", 'write it in quotes: "text"'),
    "date": ("is not a date", "write it without quotes: 2027-06-30"),
    "model": ("is not a table", "write it as a [table] of its own"),
    "dict": ("is not a table", "write it as a [table] of its own"),
}
"""By the first word of pydantic's kind of error. Its own message is not told: it might repeat what was written."""


def known_keys(place: Sequence[str | int]) -> list[str]:
    """The keys of the table at *place*, whose last part is the one that is not known."""
    return list(schema_of(place[:-1]).get("properties", {}))


def schema_of(place: Sequence[str | int]) -> Mapping[str, Any]:
    """What the JSON Schema says of the value at *place*; nothing of one that is not known."""
    schema = json_schema()
    node = schema
    for part in place:
        if isinstance(part, int):
            node = node.get("items", {})
        elif part in VARIANTS and "discriminator" in node:
            node = {"$ref": node["discriminator"]["mapping"][part]}
        else:
            named = *node.get("patternProperties", {}).values(), node.get("additionalProperties")
            node = node.get("properties", {}).get(part) or named[0] or {}
        node = _resolve(node, schema)
    return node


def _resolve(node: Any, schema: Any) -> Any:
    while "$ref" in node or "anyOf" in node:
        node = node["anyOf"][0] if "anyOf" in node else schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node
