"""Faults: what is wrong, where, why and how to mend it. Never the value of a secret."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?")
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
            prefix = header[2].replace('"', "").replace(" ", "")
            if header[1] == "[[":
                counts[prefix] = counts.get(prefix, -1) + 1
                prefix = f"{prefix}.{counts[prefix]}"
            lines.setdefault(prefix, number)
        elif key:
            lines.setdefault(".".join(part for part in (prefix, key[1].strip('"')) if part), number)
    return lines


def line_of(lines: Mapping[str, int], key: str) -> int | None:
    """The line of *key*, or of the nearest table around it."""
    while key:
        if key in lines:
            return lines[key]
        key = key.rpartition(".")[0]
    return None


def read_faults(error: ValidationError, model: type[BaseModel], lines: Mapping[str, int]) -> list[Fault]:
    """pydantic's findings as faults, in the file's order."""
    found = []
    details = error.errors(include_url=False, include_input=False)
    for detail in details:
        if detail["type"] == "too_short" and any(_within(other["loc"], detail["loc"]) for other in details):
            continue  # pydantic counts only the entries that are right
        place = [str(part) for part in detail["loc"] if part not in VARIANTS or detail["loc"][0] != "identity"]
        key = ".".join(place)
        reason, remedy = _words(detail, place, model)
        found.append(Fault(key, line_of(lines, key), reason, remedy))
    return sorted(found, key=lambda fault: (fault.line or 0, fault.key))


def _within(inner: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def without(node: Any, places: Sequence[tuple[int | str, ...]]) -> Any:
    """*node* without what stands at *places*, so that what is right can still be checked as a whole."""
    gone = {place[0] for place in places if len(place) == 1}
    inner = {
        key: [place[1:] for place in places if len(place) > 1 and place[0] == key]
        for key in {p[0] for p in places if p}
    }
    if isinstance(node, dict):
        return {key: without(value, inner.get(key, [])) for key, value in node.items() if key not in gone}
    if isinstance(node, list):
        return [without(value, inner.get(n, [])) for n, value in enumerate(node) if n not in gone]
    return node


def _words(detail: ErrorDetails, place: Sequence[str], model: type[BaseModel]) -> tuple[str, str]:
    context: Mapping[str, Any] = detail.get("ctx") or {}
    match detail["type"]:
        case "fault":
            return str(context["reason"]), str(context["remedy"])
        case "missing":
            return "is missing", "it has no default: state it"
        case "extra_forbidden":
            nearest = difflib.get_close_matches(place[-1], known_keys(model, detail["loc"]), n=1, cutoff=0.5)
            return "is no key that is known", f"did you mean {nearest[0]}?" if nearest else "remove it"
        case "literal_error":
            return "is none of the values it may have", f"use one of {context['expected']}"
        case "union_tag_not_found" | "union_tag_invalid":
            return "has no type that is known", 'set type to "jwt", "header", "ticket" or "oidc"'
        case "string_pattern_mismatch":
            return "has characters that it may not have", f"it must match {context['pattern']}"
        case _:
            pass
    return (
        f"is not right: {detail['msg'][:1].lower()}{detail['msg'][1:]}",
        "see config/gateway.toml for how it is written",
    )


def known_keys(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys of the table at *place*, whose last part is the one that is not known."""
    schema = model.model_json_schema(by_alias=True)
    node: Any = schema
    for part in place[:-1]:
        node = _resolve(node, schema)
        if isinstance(part, int):
            node = node.get("items", {})
        elif part in VARIANTS and "discriminator" in node:
            node = {"$ref": node["discriminator"]["mapping"][part]}
        else:
            node = node.get("properties", {}).get(part) or node.get("additionalProperties") or {}
    return list(_resolve(node, schema).get("properties", {}))


def _resolve(node: Any, schema: Any) -> Any:
    while "$ref" in node or "anyOf" in node:
        node = node["anyOf"][0] if "anyOf" in node else schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node
