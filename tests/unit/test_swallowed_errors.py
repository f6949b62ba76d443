"""Nothing fails in silence: wherever an error is swallowed, a comment says why nothing is lost."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

GATEWAY = Path(__file__).parents[2] / "gateway"


def swallowing_lines(tree: ast.Module) -> Iterator[tuple[int, int]]:
    """Yields the first and the last line of each ``with suppress(...)`` head and each handler that does nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With):
            names = [ast.unparse(item.context_expr).partition("(")[0] for item in node.items]
            if {"suppress", "contextlib.suppress"}.intersection(names):
                yield node.lineno, node.body[0].lineno - 1
        elif isinstance(node, ast.ExceptHandler) and all(isinstance(one, ast.Pass | ast.Continue) for one in node.body):
            yield node.lineno, node.body[-1].lineno


@pytest.mark.promise("operation-silence")
def test_each_swallowed_error_says_why_nothing_is_lost() -> None:
    without = []
    for path in sorted(GATEWAY.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for first, last in swallowing_lines(ast.parse(text)):
            before = lines[first - 2].strip()
            if not before.startswith("#") and not any("#" in line for line in lines[first - 1 : last]):
                without.append(f"{path.relative_to(GATEWAY.parent)}:{first}")
    assert without == []
