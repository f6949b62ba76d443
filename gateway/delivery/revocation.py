"""Ends running streams when what allowed them ends: a sign-out, a revocation, a session's end, a changed rule, the last
day of a rule, a provider that is removed from the configuration. Whether an identity is still valid is
`validity.Validity`'s decision.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.delivery.streams import Stream, Streams
from gateway.errors import BusyError, GatewayError, ValtError
from gateway.events import LogEvent
from gateway.ports import Clock, Observer, Policy
from gateway.validity import Validity

REVOKED = "revoked"
_CHECK_SECONDS = 1.0


class Revocation:
    """Checks the running streams every second. A failure is logged, and the next check tries again.

    *checks* returns those of the configuration in force.
    """

    def __init__(
        self, streams: Streams, checks: Callable[[], tuple[Validity, Policy]], clock: Clock, observer: Observer
    ) -> None:
        self._streams = streams
        self._checks = checks
        self._clock = clock
        self._observer = observer

    async def run(self) -> None:
        """Resets the streams whose identity is no longer valid, and those that the rules no longer allow because time
        has passed, until cancelled. The first do not wait for VALT, which the second may have to ask."""
        await asyncio.gather(self._run_validity(), self._run_rules())

    async def _run_validity(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            with self._log_failure():
                self._streams.end(REVOKED, self._is_void)

    async def _run_rules(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            with self._log_failure():
                _, policy = self._checks()
                for stream in self._streams:
                    if policy.is_due(stream.grant) and await self._is_over(stream, policy, set()):
                        stream.end(REVOKED)

    async def decide_again(self, policy: Policy, allowed: set[Stream]) -> None:
        """Resets the streams whose identity is not valid any more, and those that *policy*, the rules in force, would
        not grant as they run. A stream is left running if that cannot be decided because VALT does not respond.

        *allowed* holds the streams that are not to be checked; those that pass are added.
        """
        with self._log_failure():
            for stream in self._streams:
                if stream not in allowed and await self._is_over(stream, policy, allowed):
                    stream.end(REVOKED)

    async def settle(self, policy: Policy, seconds: float, in_force: Callable[[], bool]) -> None:
        """Repeats *decide_again* for *seconds*, while *policy* is *in_force*, for the streams that could not be decided
        because VALT did not respond."""
        allowed, until, last = set[Stream](), self._clock.monotonic() + seconds, False
        while in_force() and not last:
            await asyncio.sleep(_CHECK_SECONDS)
            last = self._clock.monotonic() >= until
            await self.decide_again(policy, allowed)

    def _is_void(self, stream: Stream) -> bool:
        validity, _ = self._checks()
        return validity.refusal(stream.grant.identity, first_used_at=stream.record.identified_at) is not None

    async def _is_over(self, stream: Stream, policy: Policy, allowed: set[Stream]) -> bool:
        if self._is_void(stream):
            return True
        old = stream.grant
        try:
            new = await policy.decide(old.identity, old.recording, old.video, old.client)
        except (ValtError, BusyError):
            return False
        except GatewayError:
            return True
        if (new.account, new.delivery) != (old.account, old.delivery) or (old.attachment and not new.download):
            return True
        old.decided_at, old.until = new.decided_at, new.until
        allowed.add(stream)
        return False

    @contextmanager
    def _log_failure(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            message = f"checking the running streams failed and will be repeated: {type(error).__name__}"
            self._observer.on_event(LogEvent("error", message))
