"""What rules mean, slowly and so plainly that one can see that it is right; and rules as a configuration has them."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from gateway.model import Identity, RecordingDetails
from gateway.policy import Rule, ValtNames
from tests.support.configuration import grant

DAY = 86_400.0


def plainly_fits(
    rule: Rule, who: Identity, recording: str, details: RecordingDetails | None, people: ValtNames, now: float
) -> bool:
    """Whether *rule* lets *who* see *recording*, of which VALT tells *details*, or that it knows of none."""
    if "*" not in rule.subjects and who.subject not in rule.subjects and not (who.groups & rule.groups):
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
    at_valt = people.users.get(who.subject, who.subject)
    if rule.author_is_me and at_valt != details.author and at_valt != details.author_id:
        return False
    if rule.shared_with_me:
        theirs = {people.groups[group] for group in who.groups if group in people.groups}
        if at_valt not in details.shared_users and not (theirs & details.shared_groups):
            return False
    return True


def in_toml(rules: Iterable[Rule]) -> str:
    """The ``[[grants]]`` that say *rules*."""
    return "".join(_grant(rule) for rule in rules)


def _grant(rule: Rule) -> str:
    asked: dict[str, Any] = {"template": dict(rule.template)}
    asked |= {name: sorted(getattr(rule, name)) for name in ("groups", "subjects", "rooms", "authors", "names")}
    asked |= {name: getattr(rule, name) for name in ("author_is_me", "shared_with_me")}
    if rule.created_within is not None:
        asked["created_within"] = f"{rule.created_within / DAY:.0f}d"
    return grant(rule.name, account=rule.account, recordings=list(rule.recordings), **asked)
