"""Reading the file: all faults at once, each with key, line, reason and remedy."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.settings import checks, secrets
from gateway.settings.environment import lay_over
from gateway.settings.faults import Fault, line_of, locate, read_faults
from gateway.settings.model import Settings
from gateway.settings.partial_validation import Remainder

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
    faults, twins = lay_over(raw, environ)
    secret_faults, warnings = secrets.resolve(raw, path.parent, environ)
    faults += secret_faults
    _anchor(raw, path.parent)
    settings = None
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        faults += read_faults(error, lines)
        faults += Remainder(raw, error).contradictions()
    else:
        faults += checks.faults_of(settings)
        warnings += checks.warnings_of(settings)
        if not faults and try_examples is not None:
            faults += try_examples(settings)
    placed = sorted((_place(fault, lines, twins) for fault in faults), key=lambda fault: fault.line or 0)
    return Loaded(
        None if placed else settings, tuple(placed), tuple(_place(warning, lines, twins) for warning in warnings)
    )


def _failed(fault: Fault) -> Loaded:
    return Loaded(None, (fault,), ())


def _syntax(name: str, message: str) -> Fault:
    """tomllib says "… (at line 3, column 7)" or "… (at end of document)"."""
    reason, _, place = message.partition(" (at ")
    number = place.removeprefix("line ").partition(",")[0]
    line = int(number) if number.isdigit() else None
    return Fault(
        name,
        line,
        f"is not TOML: {reason[:1].lower()}{reason[1:]}",
        "mend the end of the file" if line is None else "mend that line first",
    )


def _anchor(raw: dict[str, Any], folder: Path) -> None:
    """Paths are relative to the file."""
    for table, key in _PATHS:
        node = raw.get(table)
        if isinstance(node, dict) and isinstance(node.get(key), str):
            node[key] = str((folder / node[key]).absolute()) if node[key] else None
    audit = raw.get("audit")
    if isinstance(audit, dict) and isinstance(audit.get("file"), str) and audit["file"] not in ("", "-"):
        audit["file"] = str((folder / audit["file"]).absolute())


def _place(fault: Fault, lines: Mapping[str, int], twins: Mapping[str, str]) -> Fault:
    """What the environment says is told by the variable's name; anything else by its line."""
    for key, name in twins.items():
        if f"{fault.key}.".startswith(f"{key}."):
            return replace(fault, key=name + fault.key.removeprefix(key), line=None)
    return fault if fault.line is not None else replace(fault, line=line_of(lines, fault.key))
