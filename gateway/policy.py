"""Ordered rules: the first that matches decides, and if none matches the request is denied.

Every request is decided anew. The conditions are pure functions of `rules`; VALT is asked only for rules with
conditions on a recording's details. If VALT cannot be asked, the request ends with that ValtError: it is neither
allowed nor denied.
"""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.errors import AccessDeniedError, RecordingExpiredError, ValtError, VideoNotFoundError
from gateway.events import GrantDecided
from gateway.model import Grant, Identity
from gateway.ports import Clock, Observer, Policy, Recordings
from gateway.recording_details import RecordingDetails
from gateway.rule_index import RuleIndex
from gateway.rules import Rule, ValtNames, any_glob, applies_to, details_mismatch, end_of_match, is_in_force, mismatch

_FEW_RULES = 8
"""So many are looked at one by one, which costs less than their index, and a denial states the reason of each."""
_NOT_IN_LISTS = frozenset({"template"})
"""The details that VALT's lists omit (VALT: API Search Recordings), besides those that a row does not state."""


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
        days = {day for rule in rules for day in (rule.valid_from, rule.valid_until) if day is not None}
        self._changes = tuple(sorted(days))
        """When a rule begins to count or ceases to, Unix seconds."""
        self._index = RuleIndex(rules) if len(rules) > _FEW_RULES else None

    async def decide(
        self, identity: Identity, recording: str, video: str | None = None, client: str | None = None
    ) -> Grant:
        """Returns the grant of the first rule that matches. *client* is the client's address, None on a unix socket.

        Raises AccessDeniedError if none does or the first that does refuses, RecordingExpiredError if the recording's
        retention is over, and ValtError if VALT could not be asked for a rule's condition.
        """
        is_limited = identity.recording is not None or identity.video is not None
        if is_limited and not identity.covers(recording, video):
            raise self._denied("the ticket or session is for another recording or video")
        reasons, now = [], self._clock.now()
        rules = self.rules if self._index is None else self._index.rules_for(identity)
        for rule in rules:
            until, refusal = None, "the rule matches and refuses"
            reason = mismatch(rule, identity, recording, client, now)
            if reason is None and rule.needs_details:
                verdict = await self._evaluate_details(rule, identity, recording)
                if verdict.error is not None:
                    outcome = "denied" if verdict.matches else "unknown"
                    self._report(self._decisions[rule.name, outcome])
                    raise verdict.error
                reason, refusal = None if verdict.matches else verdict.reason, verdict.reason
                until = None if verdict.details is None else end_of_match(rule, verdict.details)
            if reason is None and not rule.allow:
                self._report(self._decisions[rule.name, "denied"])
                raise AccessDeniedError(f"{rule.name}: {refusal}")
            if reason is None:
                if identity.recording is None and identity.video is not None:
                    until = end_of_match(rule, await self._confirm_video(rule, recording, identity.video))
                self._report(self._decisions[rule.name, "allowed"])
                return Grant(
                    identity,
                    recording,
                    video,
                    rule.account,
                    rule.delivery,
                    rule.name,
                    rule.download,
                    identity.groups & rule.groups,
                    client,
                    now,
                    until,
                )
            reasons.append(f"{rule.name}: {reason}")
        if others := len(self.rules) - len(rules):
            reasons.append(f"{others} rules name neither the person nor one of their groups")
        raise self._denied("; ".join(reasons) or "there is no rule")

    async def _confirm_video(self, rule: Rule, recording: str, video: str) -> RecordingDetails:
        """Returns the details. Raises AccessDeniedError unless VALT says that *recording* holds *video*: an identity
        that is limited to a video names no recording, so that its id proves nothing about it. Raises
        RecordingExpiredError and ValtError."""
        try:
            details = await self._recordings.get(rule.account, recording)
        except VideoNotFoundError:
            raise self._denied("VALT has no such recording, or does not show it to the rule's account") from None
        if all(entry.video != video for entry in details.videos):
            raise self._denied("the recording does not hold the video that the ticket or session is for")
        if details.is_over(self._clock.now()):
            raise RecordingExpiredError("retention.until has passed")
        return details

    def is_due(self, grant: Grant) -> bool:
        """Whether *grant* has to be decided again: since it was decided, a day of a rule has begun or ended, or the
        recording has become too old for the rule or is over. See ports.Policy."""
        now = self._clock.now()
        if grant.until is not None and now >= grant.until:
            return True
        return bool(self._changes) and bisect_right(self._changes, now) != bisect_right(self._changes, grant.decided_at)

    def decides_like(self, other: Policy) -> bool:
        """Whether *other* has the same rules, and the same names in VALT for people, groups and accounts."""
        return isinstance(other, Rules) and (self.rules, self._valt_names) == (other.rules, other._valt_names)

    def _denied(self, reason: str) -> AccessDeniedError:
        self._report(self._decisions["", "denied"])
        return AccessDeniedError(reason)

    def accounts(self, identity: Identity, client: str | None) -> list[str]:
        """Returns the accounts of the rules that may allow this person something, in the rules' order."""
        return list(dict.fromkeys(rule.account for rule in self._rules_for(identity, client) if rule.allow))

    def may_see_room(self, identity: Identity, account: str, room: str, client: str | None) -> bool:
        """Whether a rule of *account* may allow this person a recording of *room*. Always False for identities limited
        to single recordings (tickets)."""
        for rule in () if identity.is_narrowed else self._rules_for(identity, client, account):
            if rule.rooms and not any_glob(rule.rooms, room):
                continue
            if rule.allow:
                return True
            if "*" in rule.recordings and not replace(rule, rooms=()).needs_details:
                return False  # it refuses every recording of the room
        return False

    def may_list(self, identity: Identity, account: str, row: RecordingDetails, client: str | None) -> bool | None:
        """Whether the rules let this person see, through *account*, the recording that VALT listed for it as *row*.

        None if that depends on details that the row does not state, or on what VALT shows to the account of a rule that
        refuses, or by which the recording is over.
        """
        result: bool | None = False
        may_be_refused = False
        now, unstated = self._clock.now(), row.unstated | _NOT_IN_LISTS
        for rule in self._rules_for(identity, client) if identity.covers(row.recording) else ():
            if rule.allow and rule.account != account and not (rule.needs_details and row.is_over(now)):
                continue
            reason = mismatch(rule, identity, row.recording, client, now) or details_mismatch(
                rule, identity, row, self._valt_names, now, ignored=unstated
            )
            if reason is not None:
                continue
            allows = rule.allow and not (rule.needs_details and row.is_over(now))
            states_all = rule.needed_details.isdisjoint(unstated)
            if not rule.needs_details or (states_all and rule.account == account):
                return (True if not may_be_refused else None) if allows else result
            if allows:
                result = None
            else:
                may_be_refused = True
        return result

    async def may_see(self, identity: Identity, account: str, recording: str, client: str | None) -> bool:
        """Whether the rules let this person see *recording* through *account*. Raises ValtError if VALT could not be
        asked for its details."""
        rules = self._rules_for(identity, client)
        own = [rule for rule in rules if rule.account == account or not rule.allow]
        verdict = await self._first_match(own, identity, recording, client)
        if verdict is None or not verdict.rule.allow or verdict.error is not None:
            return False
        # What is over for an earlier rule of another account is over for the person.
        others = [rule for rule in rules[: rules.index(verdict.rule)] if rule not in own]
        earlier = None if verdict.details else await self._first_match(others, identity, recording, client)
        return earlier is None or earlier.error is None

    async def _first_match(
        self, rules: Sequence[Rule], identity: Identity, recording: str, client: str | None
    ) -> Verdict | None:
        """Returns the verdict of the first of *rules* that matches, or None. Raises ValtError."""
        for rule in rules:
            verdict = await self.evaluate(rule, identity, recording, client)
            if isinstance(verdict.error, ValtError):
                raise verdict.error
            if verdict.matches:
                return verdict
        return None

    def _rules_for(self, identity: Identity, client: str | None, account: str | None = None) -> list[Rule]:
        """Returns the rules in force that name this person; with *account* those that allow through it or refuse."""
        now = self._clock.now()
        return [
            rule
            for rule in (self.rules if self._index is None else self._index.rules_for(identity))
            if (account is None or rule.account == account or not rule.allow)
            and applies_to(rule, identity)
            and is_in_force(rule, client, now)
        ]

    async def explain(self, identity: Identity, recording: str, client: str | None = None) -> list[Verdict]:
        """Returns the verdicts of the rules in order, up to and including the one that decides."""
        verdicts = []
        for rule in self.rules:
            verdict = await self.evaluate(rule, identity, recording, client)
            verdicts.append(verdict)
            if verdict.matches is not False:
                break
        return verdicts

    async def evaluate(self, rule: Rule, identity: Identity, recording: str, client: str | None) -> Verdict:
        """Returns whether *rule* matches, and why. Never raises ValtError: it is in the verdict."""
        reason = mismatch(rule, identity, recording, client, self._clock.now())
        if reason is None and rule.needs_details:
            return await self._evaluate_details(rule, identity, recording)
        return Verdict(rule, reason is None, reason or rule.match_reason)

    async def _evaluate_details(self, rule: Rule, identity: Identity, recording: str) -> Verdict:
        try:
            details = await self._recordings.get(rule.account, recording)
        except VideoNotFoundError:
            return Verdict(rule, False, "VALT has no such recording, or does not show it to the rule's account")
        except ValtError as error:
            return Verdict(rule, None, f"VALT could not be asked for the recording's details: {error}", error)
        now = self._clock.now()
        # What VALT does not state must not undo a refusal: a detail that cannot be read counts as one that fits.
        ignored: Collection[str] = () if rule.allow else details.unstated
        reason = details_mismatch(rule, identity, details, self._valt_names, now, ignored=ignored)
        if reason is None and rule.allow and details.is_over(now):
            expired = RecordingExpiredError("retention.until has passed")
            return Verdict(rule, True, "the rule matches, and the recording's retention is over", expired, details)
        unstated = sorted(rule.needed_details & frozenset(ignored))
        because = f": VALT does not state {', '.join(unstated)}" if unstated else ""
        return Verdict(rule, reason is None, reason or rule.match_reason + because, None, details)
