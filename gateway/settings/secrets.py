"""Secrets by their three spellings: ``x``, ``x_file`` or ``x_env``, exactly one. Read before anything is validated."""

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.model import Secret
from gateway.settings.faults import Fault

SECRETS = {
    "valt.accounts.*": ("password",),
    "identity.*": ("secret", "client_secret", "private_key", "public_key"),
    "session": ("secret",),
}
"""Which keys of which tables are secrets; a star is any name or number."""

PUBLIC = frozenset({"public_key"})
"""Given like a secret, and none: anybody may read the file."""

UNREAD = "not read " * 8
"""Stands for a secret that could not be read: long enough that nothing else is found wrong with it."""


def resolve(raw: dict[str, Any], folder: Path, environ: Mapping[str, str]) -> tuple[list[Fault], list[Fault]]:
    """Replace every spelling in *raw* by the Secret it names. Returns faults and warnings, without lines."""
    faults: list[Fault] = []
    warnings: list[Fault] = []
    for pattern, names in SECRETS.items():
        for place, table in _tables(raw, pattern):
            for name in names:
                _resolve_one(table, place, name, folder, environ, faults, warnings)
    session = raw.get("session")
    if isinstance(session, dict):
        _session_secrets(session, folder, faults, warnings)
    return faults, warnings


def _tables(raw: Mapping[str, Any], pattern: str) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, Any]] = [("", raw)]
    for part in pattern.split("."):
        if part == "*":
            found = [
                (f"{place}.{key}", value)
                for place, node in found
                for key, value in (
                    node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
                )
            ]
        else:
            found = [
                (f"{place}.{part}".strip("."), node[part])
                for place, node in found
                if isinstance(node, dict) and part in node
            ]
    return [(place, node) for place, node in found if isinstance(node, dict)]


def _resolve_one(
    table: dict[str, Any],
    place: str,
    name: str,
    folder: Path,
    environ: Mapping[str, str],
    faults: list[Fault],
    warnings: list[Fault],
) -> None:
    given = {key: table.pop(key) for key in (name, f"{name}_file", f"{name}_env") if key in table}
    if not given:
        return
    first, *others = given
    value, key = given[first], f"{place}.{first}"
    if others:
        faults.append(Fault(f"{place}.{others[0]}", None, f"is given as well as {first}", "keep one of the two"))
    if first == f"{name}_file":
        value = _from_file(value, folder, key, name not in PUBLIC, faults, warnings)
    elif first == f"{name}_env":
        value = environ.get(value, "") if isinstance(value, str) else ""
        if not value:
            faults.append(Fault(key, None, "names an environment variable that is not set", "set it, or use _file"))
            value = UNREAD
    table[name] = Secret(value) if isinstance(value, str) and value else value


def _from_file(value: Any, folder: Path, key: str, secret: bool, faults: list[Fault], warnings: list[Fault]) -> str:
    path = folder / str(value)
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not text"
        faults.append(
            Fault(key, None, f"names a file that cannot be read: {why}", "create it, readable for the gateway")
        )
        return UNREAD
    if not text:
        faults.append(Fault(key, None, "names a file that is empty", "write the secret into it"))
        return UNREAD
    if secret and mode & stat.S_IROTH:
        warnings.append(Fault(key, None, "names a file that everybody may read", "chmod 600 it"))
    return text


def _session_secrets(session: dict[str, Any], folder: Path, faults: list[Fault], warnings: list[Fault]) -> None:
    if session.pop("secrets", None) is not None:
        faults.append(Fault("session.secrets", None, "is no key that is known", "did you mean secrets_file?"))
    secret, file = session.pop("secret", None), session.pop("secrets_file", None)
    if secret is not None and file is not None:
        faults.append(Fault("session.secrets_file", None, "is given as well as secret", "keep one of the two"))
    if file is not None:
        text = _from_file(file, folder, "session.secrets_file", True, faults, warnings)
        session["secrets"] = tuple(Secret(line.strip()) for line in text.splitlines() if line.strip())
    elif secret is not None:
        session["secrets"] = (secret,)
    else:
        faults.append(Fault("session.secret", None, "is missing", "name a file that holds it with secret_file"))
        session["secrets"] = (Secret(UNREAD),)
    for one in session["secrets"]:
        if isinstance(one, Secret) and len(one.reveal().encode()) < 32:
            faults.append(
                Fault(
                    "session.secrets" if file else "session.secret",
                    None,
                    "is shorter than 32 bytes",
                    "make one with: openssl rand -base64 48",
                )
            )
