"""Warnings about texts that are hardly meant as they stand: spaces around them, characters that nobody sees, and paths
with what only a shell expands."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from gateway.model import Secret
from gateway.settings.faults import Fault
from gateway.settings.file_access import is_unexpanded
from gateway.settings.model import Settings
from gateway.settings.secret_texts import UNEXPANDED, UNSEEN, secret_doubt

_FREE = frozenset({"groups_separator", "public_key_files", "notice"})
"""Keys whose texts may have spaces around them, several lines, or no-break spaces."""
_KEYS_IN_PEM = frozenset({"public_key", "private_key"})
"""Secrets with checks of their own: a text may stand before them."""
_TAGS = "a|b|i|u|p|br|em|strong|small|span|div|font|center|img|hr|h[1-6]|ul|ol|li|script|style"
_ENTITIES = "#x?[0-9A-Fa-f]+|amp|lt|gt|quot|nbsp|szlig|[AOUaou]uml|[A-Za-z]acute"
_MARKUP = re.compile(rf"</?({_TAGS})( +[\w-]+=[^<>]*| */?)>|&({_ENTITIES});", re.IGNORECASE)
"""HTML, and not "R&D;" or "5 < 6"."""
_STREAMS = ("stdout", "stderr")
_NO_FILES = frozenset({"off", "none", "null", "false", "syslog", "journal", "journald", "console"})
"""What other programs write to have no file."""
_MOVE = {
    "state.dir": ": stop the gateway before, and move the directory there",
    "state.prefix": ", and revoke again, before the restart, what `valt-gateway revoke --list` shows now",
}
"""What keeps revocations where another value names another state."""
_CHECKED_BY_NAME = frozenset({"groups", "subjects", "subject"})
"""Keys of rules and examples that `name_warnings` warns about."""


def text_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    yield from _leaf_warnings(settings)
    for number, provider in enumerate(settings.identity):
        if "*" in getattr(provider, "audience", ""):
            reason = "has a *, which is compared as it is written: no token has it"
            yield Fault(f"identity.{number}.audience", None, reason, "name the audience of the tokens")
        claim = getattr(provider, "groups_claim", "groups")
        if not all(claim.split(".")):
            reason = "has nothing between two dots, or is empty: no claim has that path"
            yield Fault(f"identity.{number}.groups_claim", None, reason, 'write it as "groups" or "realm_access.roles"')
    if not settings.branding.name.strip():
        yield Fault("branding.name", None, "is empty, and the title of every page", "leave it out, or name the site")
    yield from _no_files(settings)
    branding = {f"branding.{name}": getattr(settings.branding, name) for name in ("name", "notice")}
    titles = {f"identity.{number}.title": getattr(one, "title", "") for number, one in enumerate(settings.identity)}
    for key, text in {**branding, **titles}.items():
        if _MARKUP.search(text):
            yield Fault(key, None, "has HTML, which people see as it is written", "write it without markup")


def _leaf_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings about single values, wherever they stand."""
    for key, value in _leaves("", settings):
        last = key.rpartition(".")[2]
        if isinstance(value, Secret) and last in _KEYS_IN_PEM:
            continue
        if isinstance(value, Secret):
            own = last in ("secret", "secrets") or key.startswith("session.")
            why = secret_doubt(value, is_bearer=key == "admin.token", may_be_pem=own)
            if why is not None:
                yield Fault(_key_of_secret(key), None, why, "correct it, if that is not part of the secret")
        elif last not in _FREE and any(_is_unseen(key, text) for text in _texts(value)):
            yield Fault(key, None, UNSEEN, f"write it without them{_MOVE.get(key, '')}")
        elif last in ("issuer", "audience") and re.search("<[^<>]*>", value):
            yield Fault(key, None, "has a placeholder in <>", "write the text itself")
        elif isinstance(value, str) and not value.startswith("unix:") and UNEXPANDED.fullmatch(value):
            yield Fault(key, None, "has ${}, $() or {{}}, which is not replaced", "write the text itself")
        if _is_unexpanded(key, value):
            reason = "has ~, $, % or {} in a path, which is not expanded"
            yield Fault(key, None, reason, f"write the whole path{_MOVE.get(key, '')}")


def _no_files(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each word that has a meaning elsewhere, and is the name of a file or directory here."""
    folder, _, name = settings.audit.file.rpartition("/")
    if name in _STREAMS or folder in ("/dev/fd", "/proc/self/fd") or (name.lower() in _NO_FILES and folder != "/dev"):
        reason = "is opened as a file of that name"
        yield Fault("audit.file", None, reason, 'write "-" for standard output, or name a file')
    if settings.state.dir is not None and settings.state.dir.name in (":memory:", "memory"):
        reason = "is a directory of that name"
        remedy = "leave dir out to have the state in memory; else stop the gateway and move it to another name"
        yield Fault("state.dir", None, reason, remedy)


def _texts(value: Any) -> Iterable[str]:
    """Returns the texts of *value*: itself, or the parts of a path."""
    return value.parts if isinstance(value, Path) else (value,) if isinstance(value, str) else ()


def _is_unseen(key: str, text: str) -> bool:
    """Whether *text* has spaces around it, characters that nobody sees, or, as a name of a table or in a list, nothing
    at all."""
    is_entry = key.endswith(".") or key.rpartition(".")[2].isdigit()
    return text != text.strip() or not text.isprintable() or (not text and is_entry)


def _leaves(key: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Yields the dotted key of each single value below *node* with the value; a table's own names are values too."""
    if isinstance(node, BaseModel):
        for name, field in type(node).model_fields.items():
            if name not in _CHECKED_BY_NAME or ("examples" not in key and "grants" not in key):
                yield from _leaves(f"{key}.{field.alias or name}".strip("."), getattr(node, name))
    elif isinstance(node, dict):
        for name, value in node.items():
            yield f"{key}.{name}", name
            yield from _leaves(f"{key}.{name}", value)
    elif isinstance(node, tuple):
        for number, value in enumerate(node):
            yield from _leaves(key if key.endswith("public_key_files") else f"{key}.{number}", value)
    else:
        yield key, node


def _key_of_secret(key: str) -> str:
    return "session.secret" if key.startswith("session.secrets") else key


def _is_unexpanded(key: str, value: Any) -> bool:
    """Whether *value* is a path, or the address of a unix socket, with what a shell would have replaced."""
    if isinstance(value, Path):
        path = value
    elif isinstance(value, str) and (key == "audit.file" or value.startswith("unix:")):
        path = Path(value.removeprefix("unix:"))
    else:
        return False
    return is_unexpanded(path)
