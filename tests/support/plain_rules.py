"""A second implementation of the rules, slow and obviously correct, to compare with; and rules as TOML."""

import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from gateway.model import Identity
from gateway.recording_details import RecordingDetails
from gateway.rules import Rule, ValtNames
from tests.support.configuration import grant

DAY = 86_400.0


def plainly_fits(
    rule: Rule,
    who: Identity,
    recording: str,
    details: RecordingDetails | None,
    people: ValtNames,
    now: float,
    client: str | None = None,
) -> bool:
    """Whether *rule* is about *who* and *recording*, whose *details* are None if VALT has no such recording."""
    named = (
        "*" in rule.subjects or who.subject in rule.subjects or (who.provider, who.subject) in rule.provider_subjects
    )
    if not rule.allow:  # a refusal reaches people and groups in every spelling of their names
        named = named or any(is_same_name(who.subject, name) for name in rule.subjects)
        named = named or any(
            who.provider == provider and is_same_name(who.subject, name) for provider, name in rule.provider_subjects
        )
        named = named or any(is_same_name(one, other) for one in who.groups for other in rule.groups)
    if not named and not (who.groups & rule.groups):
        return False
    is_unknown = client in ("unknown", "nonsense")  # undoes no refusal
    if rule.networks is not None and client not in rule.networks and (rule.allow or not is_unknown):
        return False
    if rule.valid_from is not None and now < rule.valid_from:
        return False
    if rule.valid_until is not None and now >= rule.valid_until:
        return False
    if not any(fnmatchcase(recording, glob) for glob in rule.recordings):
        return False
    if not rule.needs_details:
        return True
    if details is None:
        return False
    undoes = frozenset[str]() if rule.allow else details.unstated  # what VALT does not state undoes no refusal
    for detail, globs, value in (
        ("room", rule.rooms, details.room),
        ("author", rule.authors, details.author),
        ("name", rule.names, details.name),
    ):
        if globs and (value is None or not any(fnmatchcase(value, glob) for glob in globs)) and detail not in undoes:
            return False
    for key, glob in rule.template.items():
        if (key not in details.template or not fnmatchcase(details.template[key], glob)) and "template" not in undoes:
            return False
    is_new = details.created is not None and now - details.created <= (rule.created_within or 0)
    if rule.created_within is not None and not is_new and "created" not in undoes:
        return False
    same = (lambda one, other: one == other) if rule.allow else is_same_name
    users = [user for name, user in people.users.items() if same(name, who.subject)] or [who.subject]
    is_author = any(same(user, details.author) or user == details.author_id for user in users)
    if rule.author_is_me and not is_author and "author" not in undoes:
        return False
    if rule.shared_with_me and "sharing" not in undoes:
        theirs = {number for name, number in people.groups.items() for group in who.groups if same(name, group)}
        if not details.shared_users & set(users) and not (theirs & details.shared_groups):
            return False
    return True


def is_same_name(one: str | int | None, other: str | int | None) -> bool:
    """Whether two names differ in letter case, in compatible characters or in surrounding spaces at most."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    spellings = [unicodedata.normalize("NFKC", name).casefold().strip() for name in (one, other)]
    return spellings[0] == spellings[1]


def in_toml(rules: Iterable[Rule]) -> str:
    """Returns *rules* as ``[[grants]]`` tables."""
    return "".join(_grant(rule) for rule in rules)


def _grant(rule: Rule) -> str:
    keys: dict[str, Any] = {"template": dict(rule.template)}
    keys |= {name: sorted(getattr(rule, name)) for name in ("groups", "subjects", "rooms", "authors", "names")}
    keys |= {name: getattr(rule, name) for name in ("author_is_me", "shared_with_me")}
    if rule.created_within is not None:
        keys["created_within"] = f"{rule.created_within / DAY:.0f}d"
    return grant(rule.name, account=rule.account, recordings=list(rule.recordings), **keys)
