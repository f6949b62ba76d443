"""Reading the file: all faults at once, each with key, line, reason and remedy."""

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.settings import checks, secrets
from gateway.settings.faults import VARIANTS, Fault, line_of, locate, read_faults, without
from gateway.settings.model import Settings

PREFIX = "VALT_GATEWAY_"
_PATHS = (
    ("server", "tls_cert_file"),
    ("server", "tls_key_file"),
    ("valt", "ca_file"),
    ("state", "dir"),
    ("branding", "logo_file"),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """*settings* is None where there is a fault."""

    settings: Settings | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


def load(
    path: Path, environ: Mapping[str, str], *, try_examples: Callable[[Settings], Iterable[Fault]] | None = None
) -> Loaded:
    """Read *path* and the environment's twins of its keys. *try_examples* tries ``[[examples]]`` against the rules."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8"
        return _failed(Fault(path.name, None, f"cannot be read: {why}", "name a file with --config"))
    except tomllib.TOMLDecodeError as error:
        return _failed(_syntax(path.name, str(error)))
    lines = locate(text)
    faults = _environment(raw, environ)
    secret_faults, warnings = secrets.resolve(raw, path.parent, environ)
    faults += secret_faults
    _anchor(raw, path.parent)
    settings = None
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        faults += read_faults(error, Settings, lines)
        right = _right_part(raw, error)
        faults += [] if right is None else checks.faults_of(right)
    else:
        faults += checks.faults_of(settings)
        warnings += checks.warnings_of(settings)
        if not faults and try_examples is not None:
            faults += try_examples(settings)
    placed = tuple(_place(fault, lines) for fault in faults)
    return Loaded(None if placed else settings, placed, tuple(_place(warning, lines) for warning in warnings))


def _right_part(raw: dict[str, Any], error: ValidationError) -> Settings | None:
    """What is left without the values that are wrong, so that contradictions are told in the same run."""
    places = [tuple(part for part in detail["loc"] if part not in VARIANTS) for detail in error.errors()]
    try:
        return Settings.model_validate(without(raw, places))
    except ValidationError:
        return None


def _failed(fault: Fault) -> Loaded:
    return Loaded(None, (fault,), ())


def _syntax(name: str, message: str) -> Fault:
    """tomllib says "… (at line 3, column 7)"."""
    reason, _, place = message.partition(" (at line ")
    number = place.partition(",")[0]
    line = int(number) if number.isdigit() else None
    return Fault(name, line, f"is not TOML: {reason[:1].lower()}{reason[1:]}", "mend that line first")


def _environment(raw: dict[str, Any], environ: Mapping[str, str]) -> list[Fault]:
    """Lay ``VALT_GATEWAY_SECTION__KEY`` over the file. Names without ``__`` are left alone: Kubernetes sets some."""
    faults = []
    for name, value in sorted(environ.items()):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        *tables, key = name.removeprefix(PREFIX).lower().split("__")
        node: Any = raw
        for table in tables:
            node = node.setdefault(table, {}) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            faults.append(Fault(name, None, "names a key of an array", "state the array as whole JSON, or in the file"))
            continue
        node[key] = _from_environment(value)
    return faults


def _from_environment(value: str) -> Any:
    """Arrays and tables are whole JSON; a number or truth value is itself; anything else is text."""
    try:
        parsed = json.loads(value)
    except ValueError:
        return value
    return parsed if isinstance(parsed, list | dict | bool | int) else value


def _anchor(raw: dict[str, Any], folder: Path) -> None:
    """Paths are relative to the file."""
    for table, key in _PATHS:
        node = raw.get(table)
        if isinstance(node, dict) and isinstance(node.get(key), str):
            node[key] = str((folder / node[key]).absolute()) if node[key] else None
    audit = raw.get("audit")
    if isinstance(audit, dict) and isinstance(audit.get("file"), str) and audit["file"] != "-":
        audit["file"] = str((folder / audit["file"]).absolute())


def _place(fault: Fault, lines: Mapping[str, int]) -> Fault:
    return fault if fault.line is not None else replace(fault, line=line_of(lines, fault.key))
