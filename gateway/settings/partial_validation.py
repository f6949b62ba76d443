"""What of a file is right although some of its values are not, so that contradictions are told in the same run."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from gateway.settings import checks
from gateway.settings.faults import Fault, place_of
from gateway.settings.model import Settings

_STAND_INS: dict[str, Any] = {
    "server": {"public_url": "https://stand-in.invalid"},
    "valt": {"base_url": "https://stand-in.invalid"},
    "public_url": "https://stand-in.invalid",
    "base_url": "https://stand-in.invalid",
    "username": "stand-in",
    "password": "stand-in",
    "secrets": ["stand-in"],
}
"""For keys that have no default: without them there is nothing to check. An array's entry is left out instead."""

Place = tuple[int | str, ...]


class Remainder:
    """*raw* without what *error* found wrong."""

    def __init__(self, raw: dict[str, Any], error: ValidationError) -> None:
        details = error.errors(include_url=False, include_input=False)
        self._wrong = [place_of(detail) for detail in details]
        self._raw = _copy(raw)
        self._gone: set[tuple[str, int]] = set()
        for detail in sorted(details, key=lambda detail: len(detail["loc"]), reverse=True):
            self._mend(place_of(detail), missing=detail["type"] == "missing")

    def contradictions(self) -> list[Fault]:
        """What the rest says against itself, save what may only follow from a value that is wrong."""
        kept = {
            array: [n for n in range(len(entries)) if (array, n) not in self._gone]
            for array, entries in self._raw.items()
            if isinstance(entries, list)
        }
        rest = {key: [value[n] for n in kept[key]] if key in kept else value for key, value in self._raw.items()}
        try:
            settings = Settings.model_validate(rest)
        except ValidationError:
            return []
        found = [_renumbered(fault, kept) for fault in checks.faults_of(settings)]
        return [fault for fault in found if not self._follows(fault)]

    def _mend(self, place: Place, *, missing: bool) -> None:
        node: Any = self._raw
        for part in place[:-1]:
            try:
                node = node[part]
            except (KeyError, IndexError, TypeError):
                return
        last = place[-1]
        if last in _STAND_INS and isinstance(node, dict):
            node[last] = _copy(_STAND_INS[str(last)])
        elif len(place) == 2 and isinstance(last, int):
            self._gone.add((str(place[0]), last))
        elif missing and len(place) > 2 and isinstance(place[1], int):
            self._gone.add((str(place[0]), place[1]))
        elif isinstance(node, dict):
            node.pop(last, None)
        elif isinstance(node, list) and isinstance(last, int):
            self._mend(place[:-1], missing=False)

    def _follows(self, fault: Fault) -> bool:
        parts = fault.key.split(".")
        return any([str(part) for part in place[: len(parts)]] == parts for place in self._wrong)


def _copy(node: Any) -> Any:
    """Tables and arrays anew; a Secret refuses to be copied, and need not be."""
    if isinstance(node, dict):
        return {key: _copy(value) for key, value in node.items()}
    return [_copy(value) for value in node] if isinstance(node, list) else node


def _renumbered(fault: Fault, kept: dict[str, list[int]]) -> Fault:
    """*fault* with its entry's number in the file, not in what was left of it."""
    array, *rest = fault.key.split(".")
    if array not in kept or not rest or not rest[0].isdigit():
        return fault
    numbers: Sequence[int] = kept[array]
    key = ".".join([array, str(numbers[int(rest[0])]), *rest[1:]])
    return Fault(key, fault.line, fault.reason, fault.remedy)
