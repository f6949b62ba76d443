"""A second implementation of the rules, slow and obviously correct, to compare with; and rules as TOML."""

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
    if not named and not (who.groups & rule.groups):
        return False
    if rule.networks is not None and client not in rule.networks:
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
    for globs, value in ((rule.rooms, details.room), (rule.authors, details.author), (rule.names, details.name)):
        if globs and (value is None or not any(fnmatchcase(value, glob) for glob in globs)):
            return False
    for key, glob in rule.template.items():
        if key not in details.template or not fnmatchcase(details.template[key], glob):
            return False
    if rule.created_within is not None and (details.created is None or now - details.created > rule.created_within):
        return False
    valt_user = people.users.get(who.subject, who.subject)
    if rule.author_is_me and valt_user != details.author and valt_user != details.author_id:
        return False
    if rule.shared_with_me:
        theirs = {people.groups[group] for group in who.groups if group in people.groups}
        if valt_user not in details.shared_users and not (theirs & details.shared_groups):
            return False
    return True


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
