"""Ends running streams when what allowed them ends: a sign-out, a revocation, a session's end, a changed rule.

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
_CHECK_SECONDS = 1.0


def is_void(stream: Stream, store: Store, now: float) -> bool:
    """Whether the identity of the stream is no longer valid at *now*, Unix seconds: its session was signed out or has
    expired, or it was revoked after it was issued."""
    identity = stream.grant.identity
    if identity.session is not None and store.is_signed_out(identity.session):
        return True
    if identity.kind is IdentityKind.SESSION and identity.expires_at is not None and identity.expires_at <= now:
        return True
    revoked_at = store.revoked_at(identity.subject, *identity.revocation_keys)
    return revoked_at is not None and revoked_at >= _issued_at(identity, stream)


class Revocation:
    """Checks the running streams every second. A failure is logged, and the next check tries again."""

    def __init__(self, streams: Streams, store: Store, clock: Clock, observer: Observer) -> None:
        self._streams = streams
        self._store = store
        self._clock = clock
        self._observer = observer

    async def run(self) -> None:
        """Reset the streams whose identity is void, until cancelled."""
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            with self._log_failure():
                self._streams.end(REVOKED, partial(is_void, store=self._store, now=self._clock.now()))

    async def decide_again(self, policy: Policy, is_valid: Callable[[Identity], bool], allowed: set[Stream]) -> None:
        """Reset the streams whose identity is not valid any more, and those that *policy*, the rules in force, would
        not grant as they run. A stream is left running if that cannot be decided because VALT does not respond.

        *allowed* holds the streams that are not to be checked; those that pass are added.
        """
        with self._log_failure():
            for stream in self._streams:
                if stream not in allowed and await _is_over(stream, policy, is_valid, allowed):
                    stream.end(REVOKED)

    async def settle(
        self, policy: Policy, is_valid: Callable[[Identity], bool], seconds: float, in_force: Callable[[], bool]
    ) -> None:
        """Repeat *decide_again* for *seconds*, while *policy* is *in_force*: a request that the previous rules granted
        may become a stream later, for as long as VALT keeps it waiting."""
        allowed, until, last = set[Stream](), self._clock.monotonic() + seconds, False
        while in_force() and not last:
            await asyncio.sleep(_CHECK_SECONDS)
            last = self._clock.monotonic() >= until
            await self.decide_again(policy, is_valid, allowed)

    @contextmanager
    def _log_failure(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            message = f"checking the running streams failed and will be repeated: {type(error).__name__}"
            self._observer.on_event(LogEvent("error", message))


def _issued_at(identity: Identity, stream: Stream) -> float:
    return stream.opened_at if identity.issued_at is None else identity.issued_at


async def _is_over(stream: Stream, policy: Policy, is_valid: Callable[[Identity], bool], allowed: set[Stream]) -> bool:
    old = stream.grant
    try:
        new = await policy.decide(old.identity, old.recording, old.video) if is_valid(old.identity) else None
    except (ValtError, BusyError):
        return False
    except GatewayError:
        new = None
    if new is None or (new.account, new.delivery) != (old.account, old.delivery):
        return True
    allowed.add(stream)
    return False
