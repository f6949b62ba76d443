"""Checks the valid part of a file that also has invalid values, so that contradictions are reported in the same run.

How it works: every value that pydantic refused is removed, or replaced by a placeholder where the key is required, or
its whole array entry is left out. The rest is validated and checked. Faults that may only follow from a refused value,
their own or one on which they depend, are dropped, and entries keep their number in the file.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import eq
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.faults import Fault, path_of
from gateway.settings.model import Settings
from gateway.settings.unknown_keys import is_misspelling

_PLACEHOLDERS: dict[str, Any] = {
    "server": {"public_url": "https://placeholder.invalid"},
    "valt": {"base_url": "https://placeholder.invalid"},
    "public_url": "https://placeholder.invalid",
    "base_url": "https://placeholder.invalid",
    "username": "placeholder",
    "password": "placeholder",
    "secrets": ["placeholder"],
}
"""For required keys: without them there is nothing to check. An array's entry is left out instead."""

Path = tuple[int | str, ...]


class PartialSettings:
    """The valid part of *raw*, given the *error* that its validation raised."""

    def __init__(self, raw: dict[str, Any], error: ValidationError) -> None:
        details = error.errors(include_url=False, include_input=False)
        self._invalid = [_texts(detail) for detail in details]
        self._unknown = [_texts(detail) for detail in details if detail["type"] == "extra_forbidden"]
        self._raw = _copy(raw)
        self._removed: set[tuple[str, int]] = set()
        for detail in sorted(details, key=lambda detail: len(detail["loc"]), reverse=True):
            self._repair(path_of(detail), missing=detail["type"] == "missing")

    def contradictions(self, check: Callable[[Settings], Iterable[Fault]]) -> list[Fault]:
        """Returns the faults that *check* reports about the valid part, without those that may only follow from an
        invalid value."""
        numbers = {
            array: [n for n in range(len(entries)) if (array, n) not in self._removed]
            for array, entries in self._raw.items()
            if isinstance(entries, list)
        }
        valid = {key: [value[n] for n in numbers[key]] if key in numbers else value for key, value in self._raw.items()}
        try:
            settings = Settings.model_validate(valid)
        except ValidationError:
            return []
        faults = [_renumbered(fault, numbers) for fault in check(settings)]
        return [fault for fault in faults if not self._may_follow_from_invalid(fault)]

    def _repair(self, path: Path, *, missing: bool) -> None:
        node: Any = self._raw
        for part in path[:-1]:
            try:
                node = node[part]
            except (KeyError, IndexError, TypeError):
                return
        last = path[-1]
        if last in _PLACEHOLDERS and isinstance(node, dict):
            node[last] = _copy(_PLACEHOLDERS[str(last)])
        elif len(path) == 2 and isinstance(last, int):
            self._removed.add((str(path[0]), last))
        elif missing and len(path) > 2 and isinstance(path[1], int):
            self._removed.add((str(path[0]), path[1]))
        elif isinstance(node, dict):
            node.pop(last, None)
        elif isinstance(node, list) and isinstance(last, int):
            self._repair(path[:-1], missing=False)

    def _may_follow_from_invalid(self, fault: Fault) -> bool:
        """Whether a key of *fault* is in an invalid value or has one in it, or is perhaps what an unknown key means."""
        needed = [key.split(".") for key in fault.depends_on]
        return any(
            all(map(eq, path, parts)) for parts in (fault.key.split("."), *needed) for path in self._invalid
        ) or any(
            parts[: len(path) - 1] == path[:-1] and is_misspelling(path[-1], parts[-1])
            for parts in needed
            for path in self._unknown
        )


def _texts(detail: ErrorDetails) -> list[str]:
    return [str(part) for part in path_of(detail)]


def _copy(node: Any) -> Any:
    """Returns a copy of the tables and arrays. Values are shared: a Secret refuses to be copied."""
    if isinstance(node, dict):
        return {key: _copy(value) for key, value in node.items()}
    return [_copy(value) for value in node] if isinstance(node, list) else node


def _renumbered(fault: Fault, numbers: dict[str, list[int]]) -> Fault:
    """Returns *fault* with the numbers of entries in the file instead of those among the valid entries."""

    def renumbered(key: str) -> str:
        array, *rest = key.split(".")
        if array not in numbers or not rest or not rest[0].isdigit():
            return key
        in_file: Sequence[int] = numbers[array]
        return ".".join([array, str(in_file[int(rest[0])]), *rest[1:]])

    return replace(fault, key=renumbered(fault.key), depends_on=tuple(map(renumbered, fault.depends_on)))
