"""Ordered rules: the first that matches decides, and if none matches the request is denied.

Every request is decided anew. The conditions are pure functions (*mismatch*, *details_mismatch*); VALT is asked only
for rules with conditions on a recording's details. If VALT cannot be asked, the request ends with that ValtError: it is
neither allowed nor denied.
"""

import fnmatch
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from gateway.errors import AccessDeniedError, RecordingExpiredError, ValtError, VideoNotFoundError
from gateway.events import GrantDecided
from gateway.model import Delivery, Grant, Identity
from gateway.ports import Clock, Observer, Recordings
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
    needs_details: bool = field(init=False)
    """Whether it has a condition on the recording's details, for which VALT must be asked."""

    def __post_init__(self) -> None:
        globs = self.rooms or self.authors or self.names or self.template
        others = self.created_within is not None or self.author_is_me or self.shared_with_me
        object.__setattr__(self, "needs_details", bool(globs or others))


def applies_to(rule: Rule, identity: Identity) -> bool:
    """Whether *rule* names this person or one of their groups, whatever the recording."""
    return not rule.groups.isdisjoint(identity.groups) or identity.subject in rule.subjects or "*" in rule.subjects


def mismatch(rule: Rule, identity: Identity, recording: str) -> str | None:
    """Returns why *rule* does not match this person and this recording id, or None if it does. Needs no details."""
    if not applies_to(rule, identity):
        return "the person is not among its subjects and in none of its groups"
    if not _any_glob(rule.recordings, recording):
        return "the recording's id is not among its recordings"
    return None


def details_mismatch(
    rule: Rule, identity: Identity, details: RecordingDetails, valt_names: ValtNames, now: float
) -> str | None:
    """Returns which conditions on the recording's details do not hold, or None if all do. *now* is Unix seconds."""
    user = valt_names.users.get(identity.subject, identity.subject)
    valt_groups = {valt_names.groups[group] for group in identity.groups if group in valt_names.groups}
    age = None if details.created is None else now - details.created
    holds = {
        "rooms": not rule.rooms or _any_glob(rule.rooms, details.room),
        "authors": not rule.authors or _any_glob(rule.authors, details.author),
        "names": not rule.names or _any_glob(rule.names, details.name),
        "template": all(_any_glob((glob,), details.template.get(key)) for key, glob in rule.template.items()),
        "created_within": rule.created_within is None or (age is not None and age <= rule.created_within),
        "author_is_me": not rule.author_is_me or user in (details.author, details.author_id),
        "shared_with_me": not rule.shared_with_me
        or user in details.shared_users
        or bool(valt_groups & details.shared_groups),
    }
    failed = [condition for condition, ok in holds.items() if not ok]
    return f"the recording does not meet {', '.join(failed)}" if failed else None


class Verdict(NamedTuple):
    """The result of one rule. *matches* is None if VALT could not be asked; *error* is then that error, or a
    RecordingExpiredError for a recording that matches and is over. *details* is set if VALT was asked."""

    rule: Rule
    matches: bool | None
    reason: str
    error: ValtError | RecordingExpiredError | None = None
    details: RecordingDetails | None = None


class Rules:
    """Implements ports.Policy."""

    def __init__(
        self, rules: tuple[Rule, ...], recordings: Recordings, valt_names: ValtNames, clock: Clock, observer: Observer
    ) -> None:
        self.rules = rules
        self._recordings = recordings
        self._valt_names = valt_names
        self._clock = clock
        self._report = observer.reporter(GrantDecided)
        self._decisions = {
            (rule, outcome): GrantDecided(rule, outcome)
            for rule in ["", *(rule.name for rule in rules)]
            for outcome in ("allowed", "denied", "unknown")
        }

    async def decide(self, identity: Identity, recording: str, video: str | None = None) -> Grant:
        """Returns the grant of the first rule that matches.

        Raises AccessDeniedError if none does, RecordingExpiredError if the recording's retention is over, and ValtError
        if VALT could not be asked for a rule's condition.
        """
        if not identity.covers(recording, video):
            raise self._denied("the ticket or session is for another recording or video")
        reasons = []
        for rule in self.rules:
            reason = mismatch(rule, identity, recording)
            if reason is None and rule.needs_details:
                verdict = await self._evaluate_details(rule, identity, recording)
                if verdict.error is not None:
                    outcome = "denied" if verdict.matches else "unknown"
                    self._report(self._decisions[rule.name, outcome])
                    raise verdict.error
                reason = None if verdict.matches else verdict.reason
            if reason is None:
                if identity.recording is None and identity.video is not None:
                    await self._confirm_video(rule, recording, identity.video)
                self._report(self._decisions[rule.name, "allowed"])
                groups = identity.groups & rule.groups
                return Grant(identity, recording, video, rule.account, rule.delivery, rule.name, rule.download, groups)
            reasons.append(f"{rule.name}: {reason}")
        raise self._denied("; ".join(reasons) or "there is no rule")

    async def _confirm_video(self, rule: Rule, recording: str, video: str) -> None:
        """Raises AccessDeniedError unless VALT says that *recording* holds *video*: an identity that is limited to a
        video names no recording, so that its id proves nothing about it. Raises RecordingExpiredError and ValtError."""
        try:
            details = await self._recordings.get(rule.account, recording)
        except VideoNotFoundError:
            raise self._denied("VALT has no such recording, or does not show it to the rule's account") from None
        if all(entry.video != video for entry in details.videos):
            raise self._denied("the recording does not hold the video that the ticket or session is for")
        if details.is_over(self._clock.now()):
            raise RecordingExpiredError("retention.until has passed")

    def _denied(self, reason: str) -> AccessDeniedError:
        self._report(self._decisions["", "denied"])
        return AccessDeniedError(reason)

    def accounts(self, identity: Identity) -> list[str]:
        """Returns the accounts of the rules that name this person, in the rules' order."""
        return list(dict.fromkeys(rule.account for rule in self.rules if applies_to(rule, identity)))

    def may_see_room(self, identity: Identity, account: str, room: str) -> bool:
        """Whether a rule of *account* may allow this person a recording of *room*. Always False for identities limited
        to single recordings (tickets)."""
        rules = () if identity.is_narrowed else self._rules_for(identity, account)
        return any(not rule.rooms or _any_glob(rule.rooms, room) for rule in rules)

    def may_list(self, identity: Identity, account: str, row: RecordingDetails) -> bool | None:
        """Whether a rule of *account* lets this person see the recording that VALT listed for that account as *row*.
        None if that depends on the recording's template, which VALT's lists omit (VALT API, 4.1)."""
        result: bool | None = False
        for rule in self._rules_for(identity, account) if identity.covers(row.recording) else ():
            reason = mismatch(rule, identity, row.recording) or details_mismatch(
                replace(rule, template={}), identity, row, self._valt_names, self._clock.now()
            )
            if reason is None and not rule.template:
                return True
            if reason is None:
                result = None
        return result

    async def may_see(self, identity: Identity, account: str, recording: str) -> bool:
        """Whether a rule of *account* with a template condition lets this person see *recording*. Raises ValtError if
        VALT could not be asked for its details."""
        for rule in self._rules_for(identity, account):
            if rule.template:
                verdict = await self.evaluate(rule, identity, recording)
                if isinstance(verdict.error, ValtError):
                    raise verdict.error
                if verdict.matches:
                    return verdict.error is None
        return False

    def _rules_for(self, identity: Identity, account: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.account == account and applies_to(rule, identity)]

    async def explain(self, identity: Identity, recording: str) -> list[Verdict]:
        """Returns the verdicts of the rules in order, up to and including the one that decides."""
        verdicts = []
        for rule in self.rules:
            verdict = await self.evaluate(rule, identity, recording)
            verdicts.append(verdict)
            if verdict.matches is not False:
                break
        return verdicts

    async def evaluate(self, rule: Rule, identity: Identity, recording: str) -> Verdict:
        """Returns whether *rule* matches, and why. Never raises ValtError: it is in the verdict."""
        reason = mismatch(rule, identity, recording)
        if reason is None and rule.needs_details:
            return await self._evaluate_details(rule, identity, recording)
        return Verdict(rule, reason is None, reason or "the rule matches")

    async def _evaluate_details(self, rule: Rule, identity: Identity, recording: str) -> Verdict:
        try:
            details = await self._recordings.get(rule.account, recording)
        except VideoNotFoundError:
            return Verdict(rule, False, "VALT has no such recording, or does not show it to the rule's account")
        except ValtError as error:
            return Verdict(rule, None, f"VALT could not be asked for the recording's details: {error}", error)
        now = self._clock.now()
        reason = details_mismatch(rule, identity, details, self._valt_names, now)
        if reason is None and details.is_over(now):
            expired = RecordingExpiredError("retention.until has passed")
            return Verdict(rule, True, "the rule matches, and the recording's retention is over", expired, details)
        return Verdict(rule, reason is None, reason or "the rule matches", None, details)


def _any_glob(globs: tuple[str, ...], text: str | None) -> bool:
    """Whether *text* matches one of *globs*."""
    return text is not None and _pattern(globs).match(text) is not None


@functools.cache
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    """Returns one pattern for all *globs*; no globs match nothing. The settings hold few, so the cache is small."""
    return re.compile("|".join(map(fnmatch.translate, globs)) or "(?!)")
