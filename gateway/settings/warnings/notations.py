"""Warnings about names and globs of rules that other products understand: words for everybody, negations, kinds in
front of names, groups that a front's header cannot carry, and names where ids are compared."""

import re
from collections.abc import Iterable, Iterator

from gateway.settings.checks import why_no_id
from gateway.settings.faults import Fault
from gateway.settings.glob_coverage import can_match, is_plain
from gateway.settings.identity import HeaderSettings
from gateway.settings.model import Settings
from gateway.settings.warnings.brackets import instead_of_negation
from gateway.settings.warnings.names import is_list
from gateway.settings.warnings.rules import GLOBS

_EVERYBODY = frozenset(
    {"all", "any", "anybody", "anyone", "everybody", "everyone", "authenticated", "allusers", "allauthenticatedusers"}
)
_WITH_KIND = re.compile(r"(user|group|domain):[^/:]+|[@%][\w-]+(\.[\w-]+)*", re.IGNORECASE)
"""Authelia, Google Cloud, mailing lists and sudo; "user:default/anna" and "@anna:example.org" are whole names."""
_IN_CAPITALS = re.compile(r"(?=.*[A-F])(?=.*[*?])[0-9A-F?*-]{4,}")
_ID = re.compile(r"[0-9]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
"""VALT: ids are numbers before version 6, and UUIDs since."""
_GLOB_OF_NUMBERS = re.compile(r"([0-9*?]|\[[^\]]+\])+", re.ASCII)
_HEX = "0123456789abcdef"
_UUID = tuple("-" if character == "-" else _HEX for character in "00000000-0000-0000-0000-000000000000")
_WITHOUT_QUOTES = ("subjects", "groups", "rooms", "authors")
_QUOTED = re.compile("[\"'\u201c\u201e\u00ab].+[\"'\u201d\u201c\u00bb]")
_NUMBERED = re.compile(r"[^\W\d_]+ *(?=[0-9])")
"""A word before a number, as in "Room 3"."""
_ESCAPED_BY_FRONTS = ";"
"""mod_shib writes a backslash before it."""


def notation_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    keys = {key.name for key in settings.service_keys}
    for number, service_key in enumerate(settings.service_keys):
        yield from _doubts(f"service_keys.{number}", [("groups", group) for group in service_key.groups], allow=True)
    for number, grant in enumerate(settings.grants):
        texts = [("subjects", name) for name in grant.subjects if name not in keys]
        texts += [(key, text) for key in ("groups", "recordings", *GLOBS) for text in getattr(grant, key)]
        texts += [(f"template.{field}", glob) for field, glob in grant.template.items()]
        yield from _doubts(f"grants.{number}", texts, allow=grant.allow)
    for number, example in enumerate(settings.examples):
        yield from _doubts(f"examples.{number}", [("recording", example.recording)], allow=example.allowed)
    yield from _groups_with_separators(settings)


def _doubts(entry: str, texts: Iterable[tuple[str, str]], *, allow: bool) -> Iterator[Fault]:
    for key, text in texts:
        doubt = _doubt(key, text, allow=allow)
        if doubt is not None:
            yield Fault(f"{entry}.{key}", None, f"has {text[:64]!r}, {doubt[0]}", doubt[1])


def _doubt(key: str, text: str, *, allow: bool) -> tuple[str, str] | None:
    """Returns reason and remedy if *text*, of the list *key* of a rule that allows or not, is hardly meant as it
    stands."""
    if text.startswith("!") and len(text) > 1:
        return "and ! is no negation", instead_of_negation(allow=allow)
    if key in ("subjects", "recordings") and text.lower() in _EVERYBODY:
        return "which is compared as it stands", 'write "*"'
    if key == "subjects" and _WITH_KIND.fullmatch(text):
        return (
            "which is compared as it stands, and is nobody's name",
            "write the name alone, or a group in groups",
        )
    if key in _WITHOUT_QUOTES and _QUOTED.fullmatch(text):
        return "with quotes in it, which are part of the text", "write it with one pair of quotes"
    if key == "authors" and re.fullmatch(r"[^(){}]*[\w*?][,;|][^(){}]*", text):
        return "which is one user name, and written like a list", 'write each in quotes of its own: ["a", "b"]'
    if (key in GLOBS or key.startswith("template.")) and not allow and _is_list_of_globs(text):
        return "which is one glob, and written like a list", "write a glob for each in quotes of its own, or a rule"
    if key in ("subjects", "groups") and re.fullmatch("<[^<>]+>", text):
        return "which is a placeholder", "write the name itself"
    if key == "recordings" and re.fullmatch("[0-9]+-[0-9]+", text):
        return "which is one id and no range", 'write a glob, as "1[0-4]?", or list the ids'
    if key == "recordings" and _IN_CAPITALS.fullmatch(text):
        return "and VALT's ids are in lower case", "write it in lower case"
    if key in ("recordings", "recording") and why_no_id(text) is None and not _can_be_id(text):
        return (
            "which is no id as VALT has them, a number or a UUID",
            "copy the id from VALT, or write it in names",
        )
    return None


def _can_be_id(text: str) -> bool:
    """Whether *text* is an id of VALT's, or a glob that matches one. A class of a glob may be any digit."""
    if is_plain(text):
        return _ID.fullmatch(text) is not None
    return _GLOB_OF_NUMBERS.fullmatch(text) is not None or can_match(text, _UUID)


def _is_list_of_globs(text: str) -> bool:
    """Whether *text* is several globs with a "*" in each, which no name has in a row: they have one at both ends, as
    "*private*|*intern*", or the same word before a number. "Smith A*, Smith B*" may be of one name."""
    parts = [part.strip() for part in re.split("[,;|]", text)]
    if len(parts) < 2 or not all("*" in part for part in parts):
        return False
    words = {match and match[0] for match in map(_NUMBERED.match, parts)}
    is_numbered = len(words) == 1 and None not in words
    return is_numbered or all(part[0] == part[-1] == "*" and part.strip("*?") for part in parts)


def _groups_with_separators(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each group that a front's header would have as two, where nobody else names groups."""
    separators = [one.groups_separator for one in settings.identity if isinstance(one, HeaderSettings)]
    if not separators or len(separators) < len(settings.identity) or _ESCAPED_BY_FRONTS in separators:
        return
    of_keys = {group for key in settings.service_keys for group in key.groups}
    for number, grant in enumerate(settings.grants):
        for group in grant.groups:
            if all(one in group for one in separators) and group not in of_keys and not is_list(group, "groups"):
                reason = f"has {group[:64]!r}, and groups_separator separates it into several groups"
                remedy = "choose another separator, or have the proxy write a backslash before it"
                yield Fault(f"grants.{number}.groups", None, reason, remedy)
