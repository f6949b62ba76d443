"""Tries ``[[examples]]``: decisions that the rules must make, with the facts about the recording that each states."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, tzinfo

from gateway.clock import SystemClock
from gateway.errors import AccessDeniedError
from gateway.events import Event
from gateway.identity_factory import provider_names
from gateway.model import Identity, IdentityKind
from gateway.policy import Rules
from gateway.ports import Observer
from gateway.recording_details import RecordingDetails
from gateway.request_record import RequestRecord
from gateway.rule_factory import rules_of, valt_names_of
from gateway.rules import details_mismatch, mismatch
from gateway.settings.faults import Fault, Findings
from gateway.settings.grants import ExampleSettings
from gateway.settings.model import Settings
from gateway.validity import SERVICE_KEY_PROVIDER


class NullObserver(Observer):
    """An observer that ignores everything."""

    def on_event(self, event: Event) -> None: ...

    def on_request_end(self, record: RequestRecord) -> None: ...


class StatedClock(SystemClock):
    """A clock whose wall time is that for which an example is tried, so that its age is exact."""

    def __init__(self) -> None:
        self.wall_time = 0.0
        """Unix seconds."""

    def now(self) -> float:
        return self.wall_time


class StatedDetails:
    """Implements ports.Recordings with the details that an example states, the same for every account. A condition on
    a detail that it does not state does not hold."""

    def __init__(self) -> None:
        self.details = RecordingDetails("")

    async def get(self, account: str, recording: str) -> RecordingDetails:
        return self.details


def try_examples(settings: Settings, now: float | None = None) -> Findings:
    """Returns a fault for each example that the rules decide otherwise, for its subject at any provider. *now* is the
    time of those that state no day, in Unix seconds, by default the present.

    A file must not stop being accepted because time passes: that such an example must be allowed, and is on another day
    of the rules, is a warning. That it will be allowed on a later day, and must not, is a warning until then.
    """
    return asyncio.run(Trial(settings).findings(SystemClock().now() if now is None else now))


class Trial:
    """Tries the examples of *settings*, for any time, with rules that are built once: an example without a day may be
    tried for each day on which one of hundreds of rules begins to count or ceases to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._zone = settings.server.zone
        self._clock, self._details, self._valt_names = StatedClock(), StatedDetails(), valt_names_of(settings)
        rules = rules_of(settings)
        self._policy = Rules(rules, self._details, self._valt_names, self._clock, NullObserver())
        self._always = [
            (rule, replace(rule, valid_from=None, valid_until=None))
            for rule in rules
            if (rule.valid_from, rule.valid_until) != (None, None)
        ]
        """The rules with days, and each without them."""

    async def findings(self, now: float) -> Findings:
        """Returns the faults and warnings, with *now* as the time of examples without a day, in Unix seconds."""
        faults: list[Fault] = []
        warnings: list[Fault] = []
        for number, example in enumerate(self._settings.examples):
            key = f"examples.{number}"
            identities = stated_identities(self._settings, example.subject, example.groups)
            moment = now if example.day is None else _noon(example.day, self._zone)
            failure = await self._failure(example, identities, moment)
            doubt = None if example.day is not None else await self._doubt(example, identities, failure, now)
            if doubt is not None:
                warnings.append(Fault(key, None, *doubt))
            elif failure is not None:
                wrong = "must be allowed and is denied" if example.allowed else "must be denied and is allowed"
                faults.append(Fault(key, None, f"{wrong}{failure}", "correct the rules or the example"))
        return Findings(faults, warnings)

    async def _doubt(
        self, example: ExampleSettings, identities: Sequence[Identity], failure: str | None, now: float
    ) -> tuple[str, str] | None:
        """Returns reason and remedy of a warning about *example*, which states no day, None if there is none. *failure*
        is why it does not hold at *now*, None if it does."""
        if (failure is None) == example.allowed:
            return None
        changes = self._changes(example, identities)
        later = [moment for moment in changes if moment > now]
        if failure is None:
            for moment in later:
                if (why := await self._failure(example, identities, moment)) is not None:
                    day, first = _day(moment - 1, self._zone), _day(moment, self._zone)
                    wrong = f"from {first} on the file is refused, because it must be denied and is allowed{why}"
                    return f"holds until {day}: {wrong}", f"state the day for which it is meant, as day = {day}"
            return None
        earlier = [moment - 1 for moment in reversed(changes) if moment <= now]
        for moment in (*earlier, *later):
            if await self._failure(example, identities, moment) is None:
                day = _day(moment, self._zone)
                when = f"holds from {day} on" if moment > now else f"held until {day}"
                reason = f"{when}, and not today: it must be allowed and is denied{failure}"
                return reason, f"state the day for which it is meant, as day = {day}"
        return None

    async def _failure(self, example: ExampleSettings, identities: Sequence[Identity], now: float) -> str | None:
        """Returns who of *identities* is decided about otherwise than *example* states, and why, None if nobody is."""
        self._clock.wall_time, self._details.details = now, _details(example, now)
        for identity in identities:
            try:
                grant = await self._policy.decide(identity, example.recording, client=example.client)
            except AccessDeniedError as denied:
                allowed, why = False, str(denied)
            else:
                allowed, why = True, f"rule {grant.rule} matches"
            if allowed != example.allowed:
                who = f" as {identity.provider}#{identity.subject}" if len(identities) > 1 else ""
                return f"{who}: {why}"
        return None

    def _changes(self, example: ExampleSettings, identities: Sequence[Identity]) -> list[float]:
        """Returns when rules that match *example* begin to count or cease to, in Unix seconds and in order. Its age is
        the same at any time, so that no other rule ever matches it."""
        details = _details(example, 0.0)
        moments: set[float] = set()
        for rule, always in self._always:
            if any(
                mismatch(always, identity, example.recording, example.client, 0.0) is None
                and details_mismatch(always, identity, details, self._valt_names, 0.0) is None
                for identity in identities
            ):
                moments.update(moment for moment in (rule.valid_from, rule.valid_until) if moment is not None)
        return sorted(moments)


def stated_identities(settings: Settings, subject: str, groups: Iterable[str]) -> list[Identity]:
    """Returns *subject* as each provider would state it, or as the one that ``PROVIDER#SUBJECT`` names. A service key
    has the groups of the file, whatever *groups* are."""
    keys = {key.name: key.groups for key in settings.service_keys}
    provider, separator, name = subject.partition("#")
    if separator and provider in provider_names(settings):
        providers = [provider]
    else:
        name, own_provider = subject, [SERVICE_KEY_PROVIDER] if subject in keys else []
        providers = [one.name for one in settings.identity] + own_provider

    def groups_at(provider: str) -> Iterable[str]:
        return keys.get(name, groups) if provider == SERVICE_KEY_PROVIDER else groups

    return [Identity(name, "", one, IdentityKind.JWT, frozenset(groups_at(one))) for one in providers or [""]]


def _noon(day: date, zone: tzinfo | None) -> float:
    """Returns noon of *day* in *zone*, in Unix seconds; None is the machine's time zone."""
    return datetime.combine(day, time(12), zone).timestamp()


def _day(moment: float, zone: tzinfo | None) -> date:
    """Returns the day in *zone* of *moment*, in Unix seconds; None is the machine's time zone."""
    return datetime.fromtimestamp(moment, zone).date()


def _details(example: ExampleSettings, now: float) -> RecordingDetails:
    return RecordingDetails(
        recording=example.recording,
        name=example.name,
        room=example.room,
        author=example.author if isinstance(example.author, str) else None,
        author_id=example.author if isinstance(example.author, int) else None,
        created=None if example.age is None else now - example.age,
        template=dict(example.template),
        shared_users=frozenset(example.shared_users),
        shared_groups=frozenset(example.shared_groups),
    )
