"""Checks the valid part of a file that also has invalid values, so that contradictions are reported in the same run.

How it works: every value that pydantic refused is removed, or replaced by a placeholder where the key is required, or
its whole array entry is left out. The rest is validated and checked. Faults that may only follow from a refused value
are dropped, and entries keep their number in the file.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from gateway.settings.faults import Fault, path_of
from gateway.settings.model import Settings

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
_IDS_OF_VALT: tuple[Path, ...] = (("valt", "people"), ("valt", "groups"))
"""What `shared_with_me` needs."""


class PartialSettings:
    """The valid part of *raw*, given the *error* that its validation raised."""

    def __init__(self, raw: dict[str, Any], error: ValidationError) -> None:
        details = error.errors(include_url=False, include_input=False)
        self._invalid = [path_of(detail) for detail in details]
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
        parts = fault.key.split(".")
        if parts[-1] == "shared_with_me" and any(path[:2] in _IDS_OF_VALT for path in self._invalid):
            return True
        return any([str(part) for part in path[: len(parts)]] == parts for path in self._invalid)


def _copy(node: Any) -> Any:
    """Returns a copy of the tables and arrays. Values are shared: a Secret refuses to be copied."""
    if isinstance(node, dict):
        return {key: _copy(value) for key, value in node.items()}
    return [_copy(value) for value in node] if isinstance(node, list) else node


def _renumbered(fault: Fault, numbers: dict[str, list[int]]) -> Fault:
    """Returns *fault* with its entry's number in the file instead of the number among the valid entries."""
    array, *rest = fault.key.split(".")
    if array not in numbers or not rest or not rest[0].isdigit():
        return fault
    in_file: Sequence[int] = numbers[array]
    key = ".".join([array, str(in_file[int(rest[0])]), *rest[1:]])
    return Fault(key, fault.line, fault.reason, fault.remedy)
