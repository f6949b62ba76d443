"""Reads secrets before validation: each may be given as ``x``, ``x_file`` or ``x_env``, exactly one of them."""

import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gateway.model import Secret
from gateway.settings.faults import Fault
from gateway.settings.file_access import remedy_of_unreadable
from gateway.settings.file_modes import exposures
from gateway.settings.values import UNREAD

SECRETS = {
    "valt.accounts.*": ("password",),
    "identity.*": ("secret", "client_secret", "private_key", "public_key"),
    "session": ("secret",),
    "admin": ("token",),
    "state": ("url", "secret"),
}
"""The secret keys of each table; a star is any name or number."""

_NONE_IF_EMPTY = frozenset({"admin.token_file", "state.secret_file", "state.url", "state.url_file"})
"""Keys that are empty by default and may be written as empty. A variable without value remains a fault."""

PUBLIC = frozenset({"public_key"})
"""Keys that may be given by file like a secret although they are public: anybody may read the file."""

_DAY = 24 * 3600.0
_WARNED_AGE = 166
"""Days. VALT's password rules, where they apply, have the password of a local user expire after 180 days."""
_MINIMUM_BYTES = 32
_MAXIMUM_BYTES = 65_536
_GENERATE = "make one with: openssl rand -base64 48"


def resolve(
    raw: dict[str, Any],
    folder: Path,
    environ: Mapping[str, str],
    *,
    world_readable: bool = False,
    from_environment: Collection[str] = (),
    needed: Collection[str] | None = None,
    now: float = 0.0,
) -> tuple[list[Fault], list[Fault]]:
    """Replace the keys ``x``, ``x_file`` and ``x_env`` in *raw* by ``x`` with a Secret. Paths are relative to *folder*.

    *world_readable*: whether every user may read the configuration file. *from_environment* are the dotted keys that
    are not in the file. *needed* are the tables or secrets whose files and variables are read, None for all: the others
    have a placeholder. *now*, in Unix seconds, decides which passwords are about to expire. Returns faults and
    warnings, without lines.
    """
    private = from_environment if world_readable else None
    return _Resolver(folder, environ, private, needed, now, from_environment).run(raw)


class _Resolver:
    """*private* are the dotted keys whose inline secrets not every user may read; None is all of them."""

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        private: Collection[str] | None,
        needed: Collection[str] | None,
        now: float,
        variables: Collection[str],
    ) -> None:
        self._none_if_empty = _NONE_IF_EMPTY.difference(variables)
        self._variables = variables
        self._now = now
        self._private = private
        self._needed = needed
        self._folder = folder
        self._environ = environ
        self._faults: list[Fault] = []
        self._warnings: list[Fault] = []

    def run(self, raw: dict[str, Any]) -> tuple[list[Fault], list[Fault]]:
        for pattern, names in SECRETS.items():
            for path, table in _tables(raw, pattern):
                for name in names:
                    self._resolve_key(table, path, name)
        for path, table in _tables(raw, "identity.*"):
            files = table.get("public_key_files")
            if isinstance(files, list):
                table["public_key_files"] = [
                    self._read_file(file, f"{path}.public_key_files.{number}", secret=False)
                    for number, file in enumerate(files)
                ]
        session = raw.get("session")
        if isinstance(session, dict):
            self._resolve_session(session)
        state = raw.get("state")
        if isinstance(state, dict):
            self._check_length(state.get("secret"), "state.secret")
        return self._faults, self._warnings

    def _fault(self, key: str, reason: str, remedy: str) -> None:
        self._faults.append(Fault(key, None, reason, remedy))

    def _twice(self, key: str, other: str) -> None:
        """Adds a fault of *other*, or, so that it is named, of the one that a variable sets."""
        if key in self._variables and other not in self._variables:
            key, other = other, key
        self._fault(other, f"is given as well as {key.rpartition('.')[2]}", "remove one of the two")

    def _resolve_key(self, table: dict[str, Any], path: str, name: str) -> None:
        given = {key: table.pop(key) for key in (name, f"{name}_file", f"{name}_env") if key in table}
        given = {
            key: value for key, value in given.items() if value != "" or f"{path}.{key}" not in self._none_if_empty
        }
        if not given:
            return
        first, *others = given
        value, key = given[first], f"{path}.{first}"
        if others:
            self._twice(f"{path}.{first}", f"{path}.{others[0]}")
        if first == f"{name}_file":
            value = self._read_file(value, key, secret=name not in PUBLIC, expires=name == "password")
        elif first == f"{name}_env" and not self._is_needed(key):
            value = UNREAD
        elif first == f"{name}_env":
            value = self._environ.get(value) if isinstance(value, str) else None
            why = _why_no_secret(value)
            if why is not None:
                self._fault(key, f"names an environment variable that is {why}", f"set it, or use {name}_file")
                value = UNREAD
        elif _is_secret(name, value) and self._private is not None and key not in self._private:
            reason = "is in a configuration file that every user may read"
            self._warnings.append(Fault(key, None, reason, f"chmod o-r the file, or use {name}_file"))
        table[name] = Secret(value) if isinstance(value, str) and value.strip() else value

    def _is_needed(self, key: str) -> bool:
        secret = key.removesuffix("_file").removesuffix("_env")
        return self._needed is None or key.partition(".")[0] in self._needed or secret in self._needed

    def _read_file(self, value: Any, key: str, *, secret: bool, expires: bool = False) -> str:
        if not self._is_needed(key):
            return UNREAD
        if not isinstance(value, str) or not value:
            self._fault(key, "is not a path", 'write it in quotes: "/etc/valt-gateway/name"')
            return UNREAD
        path = self._folder / value
        try:
            status = path.stat()
            # The content of a device or a pipe may have no end, or never come.
            if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
                self._fault(key, "names a device or a pipe", "write the secret into a file")
                return UNREAD
            if status.st_size > _MAXIMUM_BYTES:
                self._fault(key, f"names a file of more than {_MAXIMUM_BYTES} bytes", "name the secret's own file")
                return UNREAD
            text = path.read_text(encoding="utf-8-sig").rstrip("\r\n")
        except OSError as error:
            why = error.strerror or "it cannot be opened"
            self._fault(key, f"names a file that cannot be read: {why}", remedy_of_unreadable(path))
            return UNREAD
        except ValueError:
            self._fault(key, "names a file that is not text", "save it as UTF-8, and random bytes as base64")
            return UNREAD
        if not text.strip():
            self._fault(key, "names a file that is empty", "write the secret into it")
            return UNREAD
        self._warnings += exposures(key, path, secret=secret)
        days = int((self._now - status.st_mtime) // _DAY)
        if expires and days >= _WARNED_AGE:
            reason = f"was written {days} days ago: VALT's password rules have a local user's expire after 180 days"
            self._warnings.append(Fault(key, None, reason, "change it in VALT and in the file, then send SIGHUP"))
        return text

    def _resolve_session(self, session: dict[str, Any]) -> None:
        """Set ``secrets`` from ``secret``, which is resolved already, or from ``secrets_file``."""
        if session.pop("secrets", None) is not None:
            self._fault("session.secrets", "is an unknown key", "did you mean secrets_file?")
        secret, file = session.pop("secret", None), session.pop("secrets_file", None)
        if secret is not None and file is not None:
            self._twice("session.secret", "session.secrets_file")
        if file is not None:
            text = self._read_file(file, "session.secrets_file", secret=True)
            session["secrets"] = tuple(Secret(line.strip()) for line in text.splitlines() if line.strip())
        elif secret is not None:
            session["secrets"] = (secret,)
        else:
            self._fault("session.secret", "is missing", "name a file that holds it with secret_file")
            session["secrets"] = (Secret(UNREAD),)
        key = "session.secrets" if file else "session.secret"
        for one in session["secrets"]:
            self._check_length(one, key)

    def _check_length(self, secret: Any, key: str) -> None:
        if isinstance(secret, Secret) and len(secret.reveal().encode()) < _MINIMUM_BYTES:
            self._fault(key, "is shorter than 32 bytes", _GENERATE)


def _why_no_secret(text: str | None) -> str | None:
    """Returns what a variable's value *text*, None without the variable, is, if it is no secret."""
    if text is None or not text.strip():
        return "not set" if text is None else "empty"
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes that the system could not decode
        return "not UTF-8"
    return None


def _is_secret(name: str, value: Any) -> bool:
    """Whether nobody else may read *value*, the secret key *name* as it stands in the file: public keys are public, and
    a URL without a password is."""
    return name not in PUBLIC and (name != "url" or "@" in str(value))


def _tables(raw: Mapping[str, Any], pattern: str) -> list[tuple[str, dict[str, Any]]]:
    """Returns the tables of *raw* that match *pattern*, each with its dotted path."""
    nodes: list[tuple[str, Any]] = [("", raw)]
    for part in pattern.split("."):
        nodes = [child for path, node in nodes for child in _children(path, node, part)]
    return [(path, node) for path, node in nodes if isinstance(node, dict)]


def _children(path: str, node: Any, part: str) -> list[tuple[str, Any]]:
    if part != "*":
        return [(f"{path}.{part}".strip("."), node[part])] if isinstance(node, dict) and part in node else []
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [(f"{path}.{key}", value) for key, value in items]
