"""Tries ``[[examples]]``: decisions that the rules must make, with the facts about the recording that each states."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime, time

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
from gateway.settings.faults import Fault
from gateway.settings.grants import ExampleSettings
from gateway.settings.model import Settings
from gateway.validity import SERVICE_KEY_PROVIDER


class NullObserver(Observer):
    """An observer that ignores everything."""

    def on_event(self, event: Event) -> None: ...

    def on_request_end(self, record: RequestRecord) -> None: ...


class FrozenClock(SystemClock):
    """A clock whose wall time stays at *now*, by default the moment of its creation, so that an example's age is
    exact."""

    def __init__(self, now: float | None = None) -> None:
        self._now = super().now() if now is None else now

    def now(self) -> float:
        return self._now


class StatedDetails:
    """Implements ports.Recordings with the details that an example states, the same for every account. A condition on
    a detail that it does not state does not hold."""

    def __init__(self, details: RecordingDetails) -> None:
        self._details = details

    async def get(self, account: str, recording: str) -> RecordingDetails:
        return self._details


def try_examples(settings: Settings) -> Iterator[Fault]:
    """Yields a fault for each example that the rules decide otherwise, for its subject at any provider."""
    for number, example in enumerate(settings.examples):
        clock = FrozenClock(_noon(settings, example))
        details = StatedDetails(_details(example, clock.now()))
        policy = Rules(rules_of(settings), details, valt_names_of(settings), clock, NullObserver())
        identities = stated_identities(settings, example.subject, example.groups)
        for identity in identities:
            try:
                grant = asyncio.run(policy.decide(identity, example.recording, client=example.client))
            except AccessDeniedError as denied:
                allowed, why = False, str(denied)
            else:
                allowed, why = True, f"rule {grant.rule} matches"
            if allowed != example.allowed:
                reason = "must be allowed and is denied" if example.allowed else "must be denied and is allowed"
                who = f" as {identity.provider}#{identity.subject}" if len(identities) > 1 else ""
                yield Fault(f"examples.{number}", None, f"{reason}{who}: {why}", "correct the rules or the example")
                break


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


def _noon(settings: Settings, example: ExampleSettings) -> float | None:
    """Returns noon of the day that *example* states, in Unix seconds; None is now."""
    if example.day is None:
        return None
    return datetime.combine(example.day, time(12), settings.server.zone).timestamp()


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
