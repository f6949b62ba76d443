"""Rules and their conditions, as pure functions: time, client address and VALT's details are arguments.

`policy` decides in which order they are considered, and asks VALT for the details.
"""

import fnmatch
import functools
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gateway.model import Delivery, Identity, fold_name
from gateway.network import TrustedNetworks, parse_address
from gateway.recording_details import RecordingDetails

_DETAIL_OF = {
    "rooms": "room",
    "authors": "author",
    "names": "name",
    "template": "template",
    "created_within": "created",
    "author_is_me": "author",
    "shared_with_me": "sharing",
}
"""The detail that each condition needs, as `RecordingDetails.unstated` names it."""


@dataclass(frozen=True, slots=True)
class ValtNames:
    """VALT's names for the identity provider's: *users* maps a subject to a VALT user name or user id, *groups* maps a
    group to a VALT group id. *server* is VALT's URL, and *logins* maps an account to the user that it logs in as: what
    VALT shows to one user it may not show to another."""

    users: Mapping[str, str | int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)
    server: str = ""
    logins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One ``[[grants]]`` table. *created_within* is seconds. Globs match the whole text, case-sensitively.

    People and groups are compared exactly by a rule that allows, and in every spelling of their names by one that
    refuses, also with their names in VALT: nobody escapes a refusal because a provider writes "Anna" for "anna".
    """

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
    needed_details: frozenset[str] = field(init=False)
    """The details that its conditions need, as `RecordingDetails.unstated` names them."""
    folded_groups: frozenset[str] = field(init=False)
    folded_subjects: frozenset[str] = field(init=False)
    folded_provider_subjects: frozenset[tuple[str, str]] = field(init=False)
    """The names that a rule that refuses compares; empty for one that allows."""

    @property
    def match_reason(self) -> str:
        """What a match means, for people."""
        return "the rule matches" if self.allow else "the rule matches and refuses"

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in _DETAIL_OF} | {"created_within": self.created_within is not None}
        needed = frozenset(_DETAIL_OF[name] for name, value in given.items() if value)
        object.__setattr__(self, "needed_details", needed)
        object.__setattr__(self, "needs_details", bool(needed))
        refused = not self.allow
        object.__setattr__(self, "folded_groups", frozenset(map(fold_name, self.groups if refused else ())))
        object.__setattr__(self, "folded_subjects", frozenset(map(fold_name, self.subjects if refused else ())))
        people = {(provider, fold_name(subject)) for provider, subject in self.provider_subjects if refused}
        object.__setattr__(self, "folded_provider_subjects", frozenset(people))
        limits = (self.networks, self.valid_from, self.valid_until)
        object.__setattr__(self, "is_limited", any(limit is not None for limit in limits))


def applies_to(rule: Rule, identity: Identity) -> bool:
    """Whether *rule* names this person or one of their groups, whatever the recording, the place and the time."""
    return (
        not rule.groups.isdisjoint(identity.groups)
        or identity.subject in rule.subjects
        or "*" in rule.subjects
        or (identity.provider, identity.subject) in rule.provider_subjects
        or (not rule.allow and _is_refused(rule, identity))
    )


def _is_refused(rule: Rule, identity: Identity) -> bool:
    """Whether *rule*, which refuses, names this person or one of their groups in any spelling."""
    subject = fold_name(identity.subject)
    return (
        subject in rule.folded_subjects
        or (identity.provider, subject) in rule.folded_provider_subjects
        or not rule.folded_groups.isdisjoint(map(fold_name, identity.groups))
    )


def is_in_force(rule: Rule, client: str | None, now: float) -> bool:
    """Whether *rule* counts for a client at the address *client* at the time *now*, in Unix seconds."""
    return (
        _is_in_networks(rule, client)
        and (rule.valid_from is None or now >= rule.valid_from)
        and (rule.valid_until is None or now < rule.valid_until)
    )


def _is_in_networks(rule: Rule, client: str | None) -> bool:
    """Whether *client* is in the networks of *rule*. An address that cannot be read gives no right and undoes no
    refusal."""
    if rule.networks is None or client in rule.networks:
        return True
    return not rule.allow and client is not None and parse_address(client) is None


def mismatch(rule: Rule, identity: Identity, recording: str, client: str | None, now: float) -> str | None:
    """Returns why *rule* does not match this person and this recording id, or None if it does. Needs no details.

    *client* is the client's address, None on a unix socket; *now* is Unix seconds.
    """
    if not applies_to(rule, identity):
        return "the person is not among its subjects and in none of its groups"
    if not any_glob(rule.recordings, recording):
        return "the recording's id is not among its recordings"
    if rule.is_limited and not is_in_force(rule, client, now):
        if not _is_in_networks(rule, client):
            return "the client's address is in none of its networks"
        return "today is not between valid_from and valid_until"
    return None


def details_mismatch(
    rule: Rule,
    identity: Identity,
    details: RecordingDetails,
    valt_names: ValtNames,
    now: float,
    *,
    ignored: Collection[str] = (),
) -> str | None:
    """Returns which conditions on the recording's details do not hold, or None if all do. *now* is Unix seconds.

    Conditions that need one of the *ignored* details count as if they held.
    """
    users, valt_groups = _names_in_valt(rule, identity, valt_names)
    author = details.author if rule.allow or details.author is None else fold_name(details.author)
    age = None if details.created is None else now - details.created
    holds = {
        "rooms": not rule.rooms or any_glob(rule.rooms, details.room),
        "authors": not rule.authors or any_glob(rule.authors, details.author),
        "names": not rule.names or any_glob(rule.names, details.name),
        "template": all(any_glob((glob,), _field(details, label)) for label, glob in rule.template.items()),
        "created_within": rule.created_within is None or (age is not None and age <= rule.created_within),
        "author_is_me": not rule.author_is_me or not users.isdisjoint((author, details.author_id)),
        "shared_with_me": not rule.shared_with_me
        or not users.isdisjoint(details.shared_users)
        or bool(valt_groups & details.shared_groups),
    }
    failed = [condition for condition, ok in holds.items() if not ok and _DETAIL_OF[condition] not in ignored]
    return f"the recording does not meet {', '.join(failed)}" if failed else None


def end_of_match(rule: Rule, details: RecordingDetails) -> float | None:
    """Returns when *details*, which fit *rule*, no longer do, Unix seconds; None if that is never."""
    ends = [] if details.deleted_at is None else [details.deleted_at]
    if rule.created_within is not None and details.created is not None:
        ends.append(details.created + rule.created_within)
    return min(ends, default=None)


def _names_in_valt(rule: Rule, identity: Identity, valt_names: ValtNames) -> tuple[set[str | int], set[int]]:
    """Returns the person's VALT user, by name or id, and the ids of their VALT groups. For a rule that refuses, those
    of every spelling of their names, with user names folded."""
    if rule.allow:
        groups = {valt_names.groups[group] for group in identity.groups if group in valt_names.groups}
        return {valt_names.users.get(identity.subject, identity.subject)}, groups
    subject, theirs = fold_name(identity.subject), set(map(fold_name, identity.groups))
    users = {user for name, user in valt_names.users.items() if fold_name(name) == subject} or {subject}
    groups = {group for name, group in valt_names.groups.items() if fold_name(name) in theirs}
    return {fold_name(user) if isinstance(user, str) else user for user in users}, groups


def _field(details: RecordingDetails, label: str) -> str | None:
    """Returns the value of the template's field with that *label*, in whichever spelling (see `any_glob`), or None."""
    if label in details.template:
        return details.template[label]
    own = unicodedata.normalize("NFC", label)
    return next((text for other, text in details.template.items() if unicodedata.normalize("NFC", other) == own), None)


def any_glob(globs: tuple[str, ...], text: str | None) -> bool:
    """Whether *text* matches one of *globs*, in whichever of two canonically equivalent spellings (Unicode NFC): one
    system writes an umlaut as one character, another as two."""
    if text is None or "*" in globs:
        return text is not None
    return _pattern(globs).match(unicodedata.normalize("NFC", text)) is not None


@functools.cache
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    """Returns one pattern for all *globs*; no globs match nothing. The settings hold few, so the cache is small."""
    return re.compile("|".join(fnmatch.translate(unicodedata.normalize("NFC", glob)) for glob in globs) or "(?!)")
