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
from gateway.validity import Validity, allows_what_began

REVOKED = "revoked"
_CHECK_SECONDS = 1.0
_AT_ONCE = 32
"""Streams about which VALT is asked at once."""


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
                await self._end_those_over({one for one in self._streams if policy.is_due(one.grant)}, policy)

    async def decide_again(self, policy: Policy, undecided: set[Stream]) -> None:
        """Resets those of the streams *undecided* whose identity is not valid any more, and those that *policy*, the
        rules in force, would not grant as they run. Only those remain in the set that cannot be decided because VALT
        does not respond; they run on.
        """
        undecided.intersection_update(self._streams)
        with self._log_failure():
            await self._end_those_over(undecided, policy)

    async def settle(self, policy: Policy, undecided: set[Stream], in_force: Callable[[], bool]) -> None:
        """Repeats *decide_again*, while *policy* is *in_force*, until none of *undecided* is left."""
        while undecided and in_force():
            await asyncio.sleep(_CHECK_SECONDS)
            await self.decide_again(policy, undecided)

    async def _end_those_over(self, undecided: set[Stream], policy: Policy) -> None:
        """Resets those of *undecided* that are not to run on by *policy*, unless another one is in force by then. What
        cannot be decided yet remains in the set. A VALT that is slow about one stream delays few others."""
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def decide(stream: Stream) -> None:
            async with at_once:
                is_over = await self._is_over(stream, policy)
            if is_over and self._checks()[1] is policy:
                stream.end(REVOKED)
            if is_over is not None:
                undecided.discard(stream)

        async with asyncio.TaskGroup() as group:
            for stream in tuple(undecided):
                group.create_task(decide(stream))

    def _is_void(self, stream: Stream) -> bool:
        validity, _ = self._checks()
        return validity.refusal(stream.grant.identity, first_used_at=stream.record.identified_at) is not None

    async def _is_over(self, stream: Stream, policy: Policy) -> bool | None:
        """Whether *stream* is not to run on; None if VALT does not respond."""
        if self._is_void(stream):
            return True
        old = stream.grant
        try:
            new = await policy.decide(old.identity, old.recording, old.video, old.client)
        except (ValtError, BusyError):
            return None
        except GatewayError:
            return True
        if not allows_what_began(old, new):
            return True
        old.decided_at, old.until = new.decided_at, new.until
        return False

    @contextmanager
    def _log_failure(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            message = f"checking the running streams failed and will be repeated: {type(error).__name__}"
            self._observer.on_event(LogEvent("error", message))
