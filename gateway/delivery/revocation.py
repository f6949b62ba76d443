"""Running streams end when what allowed them goes: a sign-out, a revocation, a session's end, a changed rule.

A bearer token's own expiry does not end a stream that it opened: its holder would be allowed again at once.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from gateway.delivery.streams import Stream, Streams
from gateway.errors import BusyError, GatewayError, ValtError
from gateway.events import LogEvent
from gateway.model import Identity, IdentityKind
from gateway.ports import Clock, Observer, Policy, Store

REVOKED = "revoked"
_LOOK_SECONDS = 1.0


def is_void(stream: Stream, store: Store, now: float) -> bool:
    """Whether what vouched for the stream's person is void at *now*, Unix seconds."""
    identity = stream.grant.identity
    if identity.session is not None and store.is_signed_out(identity.session):
        return True
    if identity.kind is IdentityKind.SESSION and identity.expires_at is not None and identity.expires_at <= now:
        return True
    revoked_at = store.revoked_at(identity.subject, *identity.revocation_keys)
    return revoked_at is not None and revoked_at >= _since(identity, stream)


class Revocation:
    """Looks at the running streams every second. What fails in it is told, and tried again at the next look."""

    def __init__(self, streams: Streams, store: Store, clock: Clock, observer: Observer) -> None:
        self._streams = streams
        self._store = store
        self._clock = clock
        self._observer = observer

    async def run(self) -> None:
        """Cut the streams whose person's proof is void, for as long as there are any."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            with self._told():
                self._streams.end(REVOKED, partial(is_void, store=self._store, now=self._clock.now()))

    async def decide_again(self, policy: Policy, vouched: Callable[[Identity], bool], decided: set[Stream]) -> None:
        """Cut the streams whose person is no longer *vouched* for, and those that *policy*, the rules as they are now,
        would not grant as they run. What cannot be found out because VALT is down, slow or overrun is left running: it
        was granted when it could be. *decided* gathers what the rules allow and is passed over."""
        with self._told():
            for stream in self._streams:
                if stream not in decided and await _is_over(stream, policy, vouched, decided):
                    stream.end(REVOKED)

    async def settle(
        self, policy: Policy, vouched: Callable[[Identity], bool], seconds: float, in_force: Callable[[], bool]
    ) -> None:
        """Likewise for *seconds*, while *policy* is *in_force*: what the rules before it granted may begin after they
        have gone, for as long as VALT keeps it waiting."""
        decided, until, last = set[Stream](), self._clock.monotonic() + seconds, False
        while in_force() and not last:
            await asyncio.sleep(_LOOK_SECONDS)
            last = self._clock.monotonic() >= until
            await self.decide_again(policy, vouched, decided)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            told = f"revocation has to be tried again: {type(error).__name__}"
            self._observer.on_event(LogEvent("error", told))


def _since(identity: Identity, stream: Stream) -> float:
    return stream.opened_at if identity.issued_at is None else identity.issued_at


async def _is_over(stream: Stream, policy: Policy, vouched: Callable[[Identity], bool], decided: set[Stream]) -> bool:
    old = stream.grant
    try:
        new = await policy.decide(old.identity, old.recording, old.video) if vouched(old.identity) else None
    except (ValtError, BusyError):
        return False
    except GatewayError:
        new = None
    if new is None or (new.account, new.delivery) != (old.account, old.delivery):
        return True
    decided.add(stream)
    return False
