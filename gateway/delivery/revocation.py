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
from gateway.validity import Validity, renew

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
        deciding: set[Stream] = set()
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def decide(stream: Stream, policy: Policy) -> None:
            with self._log_failure():
                async with at_once:
                    await self._decide(stream, policy)
            deciding.discard(stream)

        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(_CHECK_SECONDS)
                with self._log_failure():
                    _, policy = self._checks()
                    for stream in {one for one in self._streams if policy.is_due(one.grant)} - deciding:
                        deciding.add(stream)
                        group.create_task(decide(stream, policy))

    async def decide_again(self, policy: Policy) -> None:
        """Resets those of the running streams whose identity is not valid any more, and those that *policy*, the rules
        in force, would not grant as they run. Those that cannot be decided because VALT does not respond run on, and
        are tried again each second. Returns when all are decided or other rules are in force."""
        undecided = set(self._streams)
        while undecided and self._checks()[1] is policy:
            with self._log_failure():
                await self._decide_those(undecided, policy)
            if undecided:
                await asyncio.sleep(_CHECK_SECONDS)
                undecided.intersection_update(self._streams)

    async def _decide_those(self, undecided: set[Stream], policy: Policy) -> None:
        """Removes from *undecided* what is decided. A VALT that is slow about one stream delays few others."""
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def decide(stream: Stream) -> None:
            async with at_once:
                if await self._decide(stream, policy):
                    undecided.discard(stream)

        async with asyncio.TaskGroup() as group:
            for stream in tuple(undecided):
                group.create_task(decide(stream))

    def _is_void(self, stream: Stream) -> bool:
        validity, _ = self._checks()
        return validity.refusal(stream.grant.identity, first_used_at=stream.record.identified_at) is not None

    async def _decide(self, stream: Stream, policy: Policy) -> bool:
        """Resets *stream* if it is not to run on by *policy*. False if VALT does not respond, or if other rules are in
        force by then, by which somebody else decides."""
        if self._is_void(stream):
            stream.end(REVOKED)
            return True
        old = stream.grant
        try:
            again = await policy.decide(old.identity, old.recording, old.video, old.client)
        except (ValtError, BusyError):
            return False
        except GatewayError:
            again = None
        if self._checks()[1] is not policy:
            return False
        if again is None or not renew(old, again):
            stream.end(REVOKED)
        return True

    @contextmanager
    def _log_failure(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            message = f"checking the running streams failed and will be repeated: {type(error).__name__}"
            self._observer.on_event(LogEvent("error", message))
