"""The promises of promises.toml and their tests, which carry a marker: ``@pytest.mark.promise("streams-14")``."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

_FILE = Path(__file__).parents[1] / "promises.toml"


def catalogue() -> dict[str, str]:
    """Returns every promise by its id, such as ``streams-14``, in the order of the file."""
    sections: Mapping[str, Mapping[str, str]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {f"{section}-{key}": text for section, texts in sections.items() for key, text in texts.items()}


def tests_by_promise(items: Iterable[pytest.Item]) -> dict[str, list[str]]:
    """Returns the ids of the tests in *items* by the promise of their marker; a parametrised test counts once."""
    tests: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for item in items:
        for marker in item.iter_markers("promise"):
            for promise in marker.args:
                tests[promise].setdefault(item.nodeid.partition("[")[0])
    return {promise: list(names) for promise, names in tests.items()}


def report(items: Iterable[pytest.Item]) -> str:
    """Returns a line for each promise, and below it its tests, indented, or "NO TEST"."""
    tests = tests_by_promise(items)
    lines = []
    for promise, text in catalogue().items():
        lines.append(f"{promise}  {text}")
        lines += [f"    {name}" for name in tests.get(promise, ["NO TEST"])]
    return "\n".join(lines)
