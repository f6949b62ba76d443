"""Ordered rules; the first that fits decides; none means no. Decided anew on every request.

What a rule says is told apart from what it needs to know: *why_not* is pure, and a rule that asks for nothing VALT
knows costs no call. What could not be found out is a ValtError, never a yes and never a quiet no.
"""

import fnmatch
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from gateway.errors import AccessDeniedError, RecordingExpiredError, ValtError, VideoNotFoundError
from gateway.events import GrantDecided
from gateway.model import Grant, Identity, RecordingDetails, RecordingGrant, Video
from gateway.ports import Clock, Observer, Recordings


@dataclass(frozen=True, slots=True)
class People:
    """SSO names to VALT's: *users* a subject to a VALT user name or user id, *groups* a group to a VALT group id."""

    users: Mapping[str, str | int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One ``[[grants]]``. *created_within* is seconds. Globs are matched as a whole and by case."""

    name: str
    account: str
    groups: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    recordings: tuple[str, ...] = ("*",)
    delivery: str = "proxy"
    download: bool = True
    rooms: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    template: Mapping[str, str] = field(default_factory=dict)
    created_within: float | None = None
    author_is_me: bool = False
    shared_with_me: bool = False
    needs_details: bool = field(init=False)
    """Whether it asks for something that only VALT knows."""

    def __post_init__(self) -> None:
        asked = self.rooms or self.authors or self.names or self.template
        mine = self.created_within is not None or self.author_is_me or self.shared_with_me
        object.__setattr__(self, "needs_details", bool(asked or mine))


def is_about(rule: Rule, identity: Identity) -> bool:
    """Whether *rule* is about this person, whatever the recording."""
    return not rule.groups.isdisjoint(identity.groups) or identity.subject in rule.subjects or "*" in rule.subjects


def why_not(rule: Rule, identity: Identity, recording: str) -> str | None:
    """Why *rule* is not about this person and this recording's id, or None if it is."""
    if not is_about(rule, identity):
        return "the person is not among its subjects and in none of its groups"
    if not _any_glob(rule.recordings, recording):
        return "the recording's id is not among its recordings"
    return None


def why_not_details(
    rule: Rule, identity: Identity, details: RecordingDetails, people: People, now: float
) -> str | None:
    """Which condition on what VALT knows of the recording does not hold, or None if all do. *now* is Unix seconds."""
    user = people.users.get(identity.subject, identity.subject)
    mine = {people.groups[group] for group in identity.groups if group in people.groups}
    age = None if details.created is None else now - details.created
    holds = {
        "rooms": not rule.rooms or _any_glob(rule.rooms, details.room),
        "authors": not rule.authors or _any_glob(rule.authors, details.author),
        "names": not rule.names or _any_glob(rule.names, details.name),
        "template": all(_any_glob((glob,), details.template.get(key)) for key, glob in rule.template.items()),
        "created_within": rule.created_within is None or (age is not None and age <= rule.created_within),
        "author_is_me": not rule.author_is_me or user in (details.author, details.author_id),
        "shared_with_me": not rule.shared_with_me or user in details.shared_users or bool(mine & details.shared_groups),
    }
    failed = [condition for condition, held in holds.items() if not held]
    return f"the recording does not meet {', '.join(failed)}" if failed else None


class Verdict(NamedTuple):
    """What one rule said. *fits* is None where it could not be found out; *error* is then why, or tells that the
    recording which it fits is gone. *details* are what VALT said, if it was asked."""

    rule: Rule
    fits: bool | None
    why: str
    error: ValtError | RecordingExpiredError | None = None
    details: RecordingDetails | None = None


class Rules:
    """Implements ports.Policy."""

    def __init__(
        self, rules: tuple[Rule, ...], recordings: Recordings, people: People, clock: Clock, observer: Observer
    ) -> None:
        self.rules = rules
        self._recordings = recordings
        self._people = people
        self._clock = clock
        self._observer = observer
        self._decided = {
            (rule, outcome): GrantDecided(rule, outcome)
            for rule in ["", *(rule.name for rule in rules)]
            for outcome in ("allowed", "denied", "unknown")
        }

    async def decide(self, identity: Identity, video: Video) -> Grant:
        """AccessDeniedError where no rule fits; RecordingExpiredError; the ValtError that kept a rule from deciding."""
        if not identity.covers(video.recording, video.video):
            raise self._denied("the ticket or session is for another video")
        rule = await self._first(identity, video.recording)
        named = identity.groups & rule.groups
        return Grant(identity, video, rule.account, rule.delivery, rule.name, rule.download, named)

    async def decide_recording(self, identity: Identity, recording: str) -> RecordingGrant:
        """Likewise for a recording as a whole."""
        if not identity.covers(recording):
            raise self._denied("the ticket or session is for another recording")
        rule = await self._first(identity, recording)
        named = identity.groups & rule.groups
        return RecordingGrant(identity, recording, rule.account, rule.delivery, rule.name, rule.download, named)

    async def _first(self, identity: Identity, recording: str) -> Rule:
        """The first rule that fits."""
        reasons = []
        for rule in self.rules:
            verdict = await self.judge(rule, identity, recording)
            if verdict.error is not None:
                self._observer.on_event(self._decided[rule.name, "denied" if verdict.fits else "unknown"])
                raise verdict.error
            if verdict.fits:
                self._observer.on_event(self._decided[rule.name, "allowed"])
                return rule
            reasons.append(f"{rule.name}: {verdict.why}")
        raise self._denied("; ".join(reasons) or "there is no rule")

    def _denied(self, reason: str) -> AccessDeniedError:
        self._observer.on_event(self._decided["", "denied"])
        return AccessDeniedError(reason)

    def accounts(self, identity: Identity) -> list[str]:
        """The accounts of the rules that are about this person, in the rules' order."""
        return list(dict.fromkeys(rule.account for rule in self.rules if is_about(rule, identity)))

    def reaches_room(self, identity: Identity, account: str, room: str) -> bool:
        """Whether some recording of *room* may fit a rule of *account* that is about this person. Proof for single
        recordings reaches none, for it says nothing of their rooms."""
        rules = self._theirs(identity, account) if identity.recording is None else ()
        return any(not rule.rooms or _any_glob(rule.rooms, room) for rule in rules)

    def lists(self, identity: Identity, account: str, row: RecordingDetails) -> bool | None:
        """Whether a rule of *account* lets this person see the recording that VALT listed for that account as *row*.
        None where only its details can tell: a list tells no template (valt-api.md, 4.1)."""
        seen: bool | None = False
        for rule in self._theirs(identity, account) if identity.covers(row.recording) else ():
            but_for_template = why_not(rule, identity, row.recording) or why_not_details(
                replace(rule, template={}), identity, row, self._people, self._clock.now()
            )
            if but_for_template is None and not rule.template:
                return True
            if but_for_template is None:
                seen = None
        return seen

    async def shows(self, identity: Identity, account: str, recording: str) -> bool:
        """Whether a rule of *account* that asks for a template lets this person see *recording*. The ValtError that
        kept such a rule from deciding."""
        for rule in self._theirs(identity, account):
            if rule.template:
                verdict = await self.judge(rule, identity, recording)
                if isinstance(verdict.error, ValtError):
                    raise verdict.error
                if verdict.fits:
                    return verdict.error is None
        return False

    def _theirs(self, identity: Identity, account: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.account == account and is_about(rule, identity)]

    async def explain(self, identity: Identity, recording: str) -> list[Verdict]:
        """What every rule says, in order, up to the one that decides."""
        verdicts = []
        for rule in self.rules:
            verdict = await self.judge(rule, identity, recording)
            verdicts.append(verdict)
            if verdict.fits is not False:
                break
        return verdicts

    async def judge(self, rule: Rule, identity: Identity, recording: str) -> Verdict:
        """What *rule* says."""
        reason = why_not(rule, identity, recording)
        if reason is not None or not rule.needs_details:
            return Verdict(rule, reason is None, reason or "it fits")
        try:
            details = await self._recordings.get(rule.account, recording)
        except VideoNotFoundError:
            return Verdict(rule, False, "VALT knows no such recording, or does not show it to the rule's account")
        except ValtError as error:
            return Verdict(rule, None, f"what VALT knows of the recording could not be found out: {error}", error)
        now = self._clock.now()
        reason = why_not_details(rule, identity, details, self._people, now)
        if reason is None and details.is_over(now):
            gone = RecordingExpiredError("retention.until has passed")
            return Verdict(rule, True, "it fits, and the recording's retention is over", gone, details)
        return Verdict(rule, reason is None, reason or "it fits", None, details)


def _any_glob(globs: tuple[str, ...], text: str | None) -> bool:
    """Whether *text* matches one of *globs*."""
    return text is not None and _pattern(globs).match(text) is not None


@functools.cache
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    """They come from the configuration, so there are few. Where there is no glob, nothing matches."""
    return re.compile("|".join(map(fnmatch.translate, globs)) or "(?!)")
