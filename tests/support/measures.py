"""Figures of the source code that the architecture tests hold. ``python -m tests.support.measures [PATH ...]`` prints
what is against a limit, one line each, for the files below each PATH (all files without one).
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

BANNED_WORDS = frozenset(
    ("told", "kept", "begun", "asked", "found", "known", "said", "made", "shown", "visit", "road", "cohort")
)
"""Words that say too little as a part of an identifier."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_STANDARD_NAMES = re.compile(r"not_?found|connection_made", re.IGNORECASE)
"""The name of a status, and a method of asyncio.Protocol."""
_RECORD_NAMES = ("record", "request_record")


def modules(*folders: str) -> list[Path]:
    """Returns every Python file below *folders*, which are relative to the root of the repository, sorted."""
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "node_modules" not in path.parts and "__pycache__" not in path.parts
    )


@cache
def syntax_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def banned_identifiers(path: Path) -> list[tuple[int, str]]:
    """Returns line and name of every identifier in *path* that has one of ``BANNED_WORDS`` as a part."""
    return [(line, name) for line, name in _identifiers(path) if _words(name) & BANNED_WORDS]


def long_test_names(path: Path) -> list[tuple[int, str]]:
    """Returns line and name of every test function whose name has 80 characters or more."""
    return [
        (node.lineno, node.name)
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and len(node.name) >= 80
    ]


def private_names_of_others(path: Path) -> list[tuple[int, str]]:
    """Returns line and expression of every private name in *path* that another module defines.

    Those are imports of a name with a leading underscore, attributes with one on anything but ``self`` and ``cls``, and
    attributes of ``self`` that no module of ours defines: they belong to a base class of a library. ``os._exit`` is
    none: Python's documentation has it.
    """
    tree = syntax_tree(path)
    own = _defined_private_names(path)
    ours = _all_private_names()
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names += [(node.lineno, f"import {alias.name}") for alias in node.names if _is_private(alias.name)]
        elif isinstance(node, ast.Attribute) and _is_private(node.attr):
            of_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if node.attr not in (ours if of_self else own) and ast.unparse(node) != "os._exit":
                names.append((node.lineno, ast.unparse(node)))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "hasattr", "delattr"):
            name = node.args[1]
            if isinstance(name, ast.Constant) and _is_private(str(name.value)) and name.value not in own:
                names.append((node.lineno, ast.unparse(node)))
    return names


def private_attribute_reads(path: Path) -> list[tuple[int, str]]:
    """Returns line and expression of every private attribute in *path* of anything but ``self`` and ``cls``."""
    return [
        (node.lineno, ast.unparse(node))
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.Attribute)
        and _is_private(node.attr)
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    ]


def protocols(path: Path) -> list[tuple[int, str]]:
    """Returns line and name of every Protocol that *path* defines."""
    return [
        (node.lineno, node.name)
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.ClassDef) and any("Protocol" in _base_names(base) for base in node.bases)
    ]


def record_writes(path: Path) -> list[tuple[int, str]]:
    """Returns line and target of every assignment in *path* to an attribute of a request record."""
    targets: list[tuple[int, ast.expr]] = []
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.Assign):
            targets += [(node.lineno, target) for target in node.targets]
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets.append((node.lineno, node.target))
    return [
        (line, ast.unparse(attribute))
        for line, target in targets
        for attribute in ast.walk(target)
        if isinstance(attribute, ast.Attribute) and _is_record(attribute.value)
    ]


def length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def is_one_docstring(path: Path) -> bool:
    """Whether *path* consists of a module docstring and nothing else."""
    tree = syntax_tree(path)
    return len(tree.body) == 1 and ast.get_docstring(tree) is not None


def _identifiers(path: Path) -> Iterator[tuple[int, str]]:
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string
    if sys.version_info < (3, 12):  # later versions tokenize what stands inside f-strings as well
        for text in ast.walk(syntax_tree(path)):
            if isinstance(text, ast.JoinedStr):
                for node in ast.walk(text):
                    if isinstance(node, ast.Name):
                        yield node.lineno, node.id
                    elif isinstance(node, ast.Attribute):
                        yield node.lineno, node.attr


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(_STANDARD_NAMES.sub("", name))}


def _is_private(name: str) -> bool:
    return name.startswith("_") and name != "_" and not name.startswith("__")


@cache
def _all_private_names() -> frozenset[str]:
    return frozenset().union(*(_defined_private_names(path) for path in modules("gateway", "tests")))


@cache
def _defined_private_names(path: Path) -> frozenset[str]:
    names = set()
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return frozenset(name for name in names if _is_private(name))


def _base_names(base: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(base) if isinstance(node, ast.Name)} | {
        node.attr for node in ast.walk(base) if isinstance(node, ast.Attribute)
    }


def _is_record(node: ast.expr) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in _RECORD_NAMES


def main(arguments: Iterable[str]) -> None:
    folders = list(arguments) or ["gateway", "tests"]
    chosen = [path for name in folders for path in ([ROOT / name] if name.endswith(".py") else modules(name))]
    counts: dict[str, int] = {}
    for path in chosen:
        reports = {"banned identifier": banned_identifiers(path), "private name": private_names_of_others(path)}
        if path.is_relative_to(ROOT / "gateway"):
            if path.name != "ports.py":
                reports["Protocol outside ports.py"] = protocols(path)
            reports["write to the request record"] = record_writes(path) if path.name != "request_record.py" else []
            reports["lines, more than 250"] = [(length(path), "")] if length(path) > 250 else []
        else:
            reports["private attribute"] = private_attribute_reads(path)
            reports["test name of 80 characters or more"] = long_test_names(path)
        if path.name == "__init__.py" and not is_one_docstring(path):
            reports["__init__.py is not one docstring"] = [(1, "")]
        for kind, lines in reports.items():
            counts[kind] = counts.get(kind, 0) + len(lines)
            for line, name in lines:
                print(f"{relative(path)}:{line}: {kind}: {name}")
    print("\n".join(f"{count:6} {kind}" for kind, count in counts.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
