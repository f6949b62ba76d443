"""Rules and their conditions, as pure functions: time, client address and VALT's details are arguments.

`policy` decides in which order they are considered, and asks VALT for the details.
"""

import fnmatch
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.model import Delivery, Identity
from gateway.network import TrustedNetworks
from gateway.recording_details import RecordingDetails


@dataclass(frozen=True, slots=True)
class ValtNames:
    """VALT's names for the identity provider's: *users* maps a subject to a VALT user name or user id, *groups* maps a
    group to a VALT group id."""

    users: Mapping[str, str | int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One ``[[grants]]`` table. *created_within* is seconds. Globs match the whole text, case-sensitively."""

    name: str
    account: str
    groups: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    recordings: tuple[str, ...] = ("*",)
    delivery: Delivery = Delivery.PROXY
    download: bool = True
    rooms: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    template: Mapping[str, str] = field(default_factory=dict)
    created_within: float | None = None
    author_is_me: bool = False
    shared_with_me: bool = False
    allow: bool = True
    """False: a recording that the rule matches is denied, and no later rule is considered."""
    provider_subjects: frozenset[tuple[str, str]] = frozenset()
    """Provider and subject of people that one provider alone may name (``PROVIDER#SUBJECT``)."""
    networks: TrustedNetworks | None = None
    """Where the client's address must be; None is anywhere."""
    valid_from: float | None = None
    valid_until: float | None = None
    """Unix seconds from which on, and before which, the rule counts."""
    is_limited: bool = field(init=False)
    """Whether it depends on the client's address or on the time."""
    needs_details: bool = field(init=False)
    """Whether it has a condition on the recording's details, for which VALT must be asked."""

    def __post_init__(self) -> None:
        globs = self.rooms or self.authors or self.names or self.template
        others = self.created_within is not None or self.author_is_me or self.shared_with_me
        object.__setattr__(self, "needs_details", bool(globs or others))
        limits = (self.networks, self.valid_from, self.valid_until)
        object.__setattr__(self, "is_limited", any(limit is not None for limit in limits))


def applies_to(rule: Rule, identity: Identity) -> bool:
    """Whether *rule* names this person or one of their groups, whatever the recording, the place and the time."""
    return (
        not rule.groups.isdisjoint(identity.groups)
        or identity.subject in rule.subjects
        or "*" in rule.subjects
        or (identity.provider, identity.subject) in rule.provider_subjects
    )


def is_in_force(rule: Rule, client: str | None, now: float) -> bool:
    """Whether *rule* counts for a client at the address *client* at the time *now*, in Unix seconds."""
    return (
        (rule.networks is None or client in rule.networks)
        and (rule.valid_from is None or now >= rule.valid_from)
        and (rule.valid_until is None or now < rule.valid_until)
    )


def mismatch(rule: Rule, identity: Identity, recording: str, client: str | None, now: float) -> str | None:
    """Returns why *rule* does not match this person and this recording id, or None if it does. Needs no details.

    *client* is the client's address, None on a unix socket; *now* is Unix seconds.
    """
    if not applies_to(rule, identity):
        return "the person is not among its subjects and in none of its groups"
    if not any_glob(rule.recordings, recording):
        return "the recording's id is not among its recordings"
    if rule.is_limited and not is_in_force(rule, client, now):
        if rule.networks is not None and client not in rule.networks:
            return "the client's address is in none of its networks"
        return "today is not between valid_from and valid_until"
    return None


def details_mismatch(
    rule: Rule, identity: Identity, details: RecordingDetails, valt_names: ValtNames, now: float
) -> str | None:
    """Returns which conditions on the recording's details do not hold, or None if all do. *now* is Unix seconds."""
    user = valt_names.users.get(identity.subject, identity.subject)
    valt_groups = {valt_names.groups[group] for group in identity.groups if group in valt_names.groups}
    age = None if details.created is None else now - details.created
    holds = {
        "rooms": not rule.rooms or any_glob(rule.rooms, details.room),
        "authors": not rule.authors or any_glob(rule.authors, details.author),
        "names": not rule.names or any_glob(rule.names, details.name),
        "template": all(any_glob((glob,), details.template.get(key)) for key, glob in rule.template.items()),
        "created_within": rule.created_within is None or (age is not None and age <= rule.created_within),
        "author_is_me": not rule.author_is_me or user in (details.author, details.author_id),
        "shared_with_me": not rule.shared_with_me
        or user in details.shared_users
        or bool(valt_groups & details.shared_groups),
    }
    failed = [condition for condition, ok in holds.items() if not ok]
    return f"the recording does not meet {', '.join(failed)}" if failed else None


def any_glob(globs: tuple[str, ...], text: str | None) -> bool:
    """Whether *text* matches one of *globs*."""
    return text is not None and _pattern(globs).match(text) is not None


@functools.cache
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    """Returns one pattern for all *globs*; no globs match nothing. The settings hold few, so the cache is small."""
    return re.compile("|".join(map(fnmatch.translate, globs)) or "(?!)")
