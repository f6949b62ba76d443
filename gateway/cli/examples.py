"""``[[examples]]``: policy with its own tests, tried against the rules and what the example states of the recording."""

import asyncio
from collections.abc import Iterator

from gateway.app import rules_of, valt_names_of
from gateway.clock import SystemClock
from gateway.errors import AccessDeniedError
from gateway.events import Event
from gateway.model import Identity, IdentityKind, RecordingDetails
from gateway.policy import Rules
from gateway.request_record import RequestRecord
from gateway.settings.faults import Fault
from gateway.settings.model import ExampleSettings, Settings


class Silent:
    """A listener that has nobody to tell."""

    def on_event(self, event: Event) -> None: ...

    def on_request_end(self, record: RequestRecord) -> None: ...


class Now(SystemClock):
    """One moment."""

    def __init__(self) -> None:
        self._now = super().now()

    def now(self) -> float:
        return self._now


class Stated:
    """What an example states of its recording, to every account alike. What it does not state meets no condition."""

    def __init__(self, details: RecordingDetails) -> None:
        self._details = details

    async def get(self, account: str, recording: str) -> RecordingDetails:
        return self._details


def try_examples(settings: Settings) -> Iterator[Fault]:
    """A fault for each example that the rules do not bear out."""
    for number, example in enumerate(settings.examples):
        clock = Now()
        stated = Stated(_details(example, clock.now()))
        policy = Rules(rules_of(settings.grants), stated, valt_names_of(settings), clock, Silent())
        identity = Identity(example.subject, "example", "example", IdentityKind.JWT, frozenset(example.groups))
        try:
            grant = asyncio.run(policy.decide(identity, example.recording))
        except AccessDeniedError as denied:
            outcome, why = False, str(denied)
        else:
            outcome, why = True, f"rule {grant.rule} matches"
        if outcome != example.allowed:
            wanted = "is to be allowed and is not" if example.allowed else "is not to be allowed and is"
            yield Fault(f"examples.{number}", None, f"{wanted}: {why}", "mend the rules or the example")


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
