"""Faults of a configuration: key, line, reason and remedy. A fault never contains the value of a secret."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.identity import PROVIDER_TYPES
from gateway.settings.unknown_keys import keys_of_table, remedy_of_unknown_key
from gateway.settings.values import duration_text

_TABLE_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_PART = r"(?:[A-Za-z0-9_-]+|\"[^\"]+\"|'[^']+')"
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
_PARTS = re.compile(_PART)
_TEXT = re.compile(r"""\"{3}|'{3}|"(?:[^"\\]|\\.)*"|'[^']*'|#.*""")
"""What may hold quotation marks: the begin of a text of several lines, a text of one line, a comment."""
_END = {'"' * 3: re.compile(r'(?:[^"\\]|\\.|"(?!""))*"{3,5}'), "'" * 3: re.compile(r"(?:[^']|'(?!''))*'{3,5}")}
"""The rest of a text of several lines, by what it begins with."""


@dataclass(frozen=True, slots=True)
class Fault:
    """*key* is dotted, with entries of arrays by number from 0. *line* is 1-based, None if it is unknown. *depends_on*
    are the keys of other values without which the fault would perhaps not be one."""

    key: str
    line: int | None
    reason: str
    remedy: str
    depends_on: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = "" if self.line is None else f" (line {self.line})"
        return f"{self.key}{where}: {self.reason}. {self.remedy_sentence}"

    @property
    def remedy_sentence(self) -> str:
        """The remedy with a capital letter and a full stop."""
        stop = "" if self.remedy.endswith("?") else "."
        return f"{self.remedy[:1].upper()}{self.remedy[1:]}{stop}"


class Findings(NamedTuple):
    """What is wrong, and what is allowed and risky, without lines."""

    faults: Sequence[Fault] = ()
    warnings: Sequence[Fault] = ()


def line_numbers(text: str) -> Mapping[str, int]:
    """Returns the line of each dotted key of a TOML *text*. tomllib reports none, so this matches lines itself."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix = quote = ""
    for number, line in enumerate(text.split("\n"), 1):
        inside, quote = quote, _open_quote(line, quote)
        if inside:
            continue
        header, key = _TABLE_HEADER.match(line), _KEY.match(line)
        if header and not key:
            prefix = ".".join(part.strip().strip("\"'") for part in header[2].split("."))
            if header[1] == "[[":
                counts[prefix] = counts.get(prefix, -1) + 1
                prefix = f"{prefix}.{counts[prefix]}"
            else:
                array, dot, rest = prefix.partition(".")
                prefix = f"{array}.{counts[array]}.{rest}" if dot and array in counts else prefix
            lines.setdefault(prefix, number)
        elif key:
            parts = [part.strip("\"'") for part in _PARTS.findall(key[1])]
            lines.setdefault(".".join(part for part in (prefix, *parts) if part), number)
    return lines


def _open_quote(line: str, quote: str) -> str:
    """Returns what begins the text of several lines that is open after *line*; *quote* is that of the one before it."""
    position = 0
    while True:
        match = _END[quote].match(line, position) if quote else _TEXT.search(line, position)
        if match is None:
            return quote
        quote, position = match[0] if not quote and match[0] in _END else "", match.end()


def line_of(lines: Mapping[str, int], key: str) -> int | None:
    """Returns the line of *key* (or of a secret's ``_file`` or ``_env``), else of the nearest table around it. A table
    that is written as an array is its first entry."""
    if not key:
        return lines.get("")
    while key:
        for spelling in (key, f"{key}_file", f"{key}_env", f"{key}.0"):
            if spelling in lines:
                return lines[spelling]
        inner = [number for place, number in lines.items() if place.startswith(f"{key}.")]
        if inner:
            return min(inner)  # `a.b = 1` has no line for the table a
        key = key.rpartition(".")[0]
    return None


def faults_of_validation(error: ValidationError, lines: Mapping[str, int]) -> list[Fault]:
    """Returns pydantic's errors as faults, in the order of the file."""
    faults = []
    details = error.errors(include_url=False, include_input=False)
    for detail in details:
        if detail["type"] == "too_short" and any(_is_within(other["loc"], detail["loc"]) for other in details):
            continue  # pydantic counts only the valid entries
        key = ".".join(str(part) for part in path_of(detail))
        reason, remedy = _reason_and_remedy(detail)
        faults.append(Fault(key or '""', line_of(lines, key), reason, remedy))
    return sorted(faults, key=lambda fault: (fault.line or 0, fault.key))


def path_of(detail: ErrorDetails) -> tuple[int | str, ...]:
    """Returns the path of an error in the file. pydantic also puts an ``[[identity]]``'s type into the path, and marks
    an invalid key of a table."""
    path = detail["loc"] if detail["loc"][-1] != "[key]" else detail["loc"][:-1]
    return path[:2] + path[3:] if path[:1] == ("identity",) and len(path) > 2 and path[2] in PROVIDER_TYPES else path


def _is_within(inner: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _reason_and_remedy(detail: ErrorDetails) -> tuple[str, str]:
    context: Mapping[str, Any] = detail.get("ctx") or {}
    match detail["type"]:
        case "fault":
            return str(context["reason"]), str(context["remedy"])
        case "missing":
            file = f"{detail['loc'][-1]}_file"
            is_secret = file in keys_of_table(detail["loc"])
            return "is missing", f"name a file that holds it with {file}" if is_secret else "it is required"
        case "extra_forbidden":
            return "is an unknown key", remedy_of_unknown_key(detail["loc"])
        case "literal_error":
            return "is not one of the allowed values", f"use one of {context['expected']}"
        case "union_tag_not_found" | "union_tag_invalid":
            return "has no known type", 'set type to "jwt", "header", "ticket", "oidc" or "negotiate"'
        case "string_pattern_mismatch":
            return "has characters that are not allowed", f"it must match {context['pattern']}"
        case "greater_than_equal":
            return "is too small", f"write {context['ge']} or more"
        case "greater_than":
            return "is zero", "write a longer time"
        case "less_than_equal" if isinstance(context["le"], int):
            return f"is more than {context['le']}", f"write {context['le']} or less"
        case "less_than_equal":
            longest = duration_text(context["le"])
            return f"is longer than {longest}", f"write {longest} or less"
        case "too_short" | "string_too_short":
            return "is empty", "give at least one"
        case kind:
            return _type_error(kind.partition("_")[0], detail["loc"])


def _type_error(kind: str, path: Sequence[int | str]) -> tuple[str, str]:
    if kind == "tuple" and len(path) == 1:
        return "is a single table, and there may be several", f"write it as [[{path[0]}]]"
    if kind in ("dict", "model") and path[:2] == ("valt", "accounts"):
        return "is not the table of an account", "write each account as [valt.accounts.NAME]"
    return _TYPE_ERRORS.get(kind, ("is not valid", "see config/gateway.toml for the format"))


_TYPE_ERRORS = {
    "tuple": ("is not a list", 'write it in brackets: ["one", "another"]'),
    "int": ("is not a whole number", "write it without quotes and without a point"),
    "bool": ("is neither true nor false", "write true or false, without quotes"),
    "string": ("is not text", 'write it in quotes: "text"'),
    "date": ("is not a date", "write it without quotes: 2027-06-30"),
    "model": ("is not a table", "write it as a [table] of its own"),
    "path": ("is not a path", 'write it in quotes: "/etc/valt-gateway/name"'),
    "dict": ("is not a table", "write it as a [table] of its own"),
}
"""By the first word of pydantic's type of error. pydantic's own message is not used: it may repeat the input."""
