"""Counts of requests and streams that replicas share in Redis, exchanged behind the requests.

How it works: what has changed is collected while one exchange with Redis runs, and is sent with the next one, in one
pipeline. A rise above what Redis has is sent at once, a fall once a second: a player that requests range after range
causes a few messages a second, and not two for each.
Each replica's number of streams is a field of a hash, which it renews while it runs: those of a replica that was killed
expire. If Redis cannot be used, nothing is sent, and each replica counts for itself.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

from cachetools import LRUCache
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from gateway.model import Secret
from gateway.ports import Clock
from gateway.sealed import keyed_digest
from gateway.shared_counts import Who
from gateway.store.redis_client import FAILURES
from gateway.store.redis_scripts import ADD_REQUESTS, SET_STREAMS

T = TypeVar("T")

_PURPOSE = "shared counts"
_PAUSE = 1.0
"""Seconds after which the ends of streams are sent."""
_RENEWAL_INTERVAL, _LIFE = 10.0, 30.0
"""Seconds between two reports of a number of streams, and after which it does not count any more."""
_USE_INTERVAL = 5.0
"""Seconds between two messages that name the sessions in use."""
_BATCH = 500
"""Persons and addresses that are sent at a time: Redis does nothing else meanwhile."""
_CLOSE_TIMEOUT = 0.5
_MAX_DIGESTS = 10_000

_Call = tuple[list[bytes], list[str | int]]
"""Keys and arguments of a script."""


class RedisCounts:
    """Implements SharedCounts. *is_available* tells whether Redis is worth trying. *secret* hides who is counted."""

    def __init__(
        self, redis: "Redis", prefix: bytes, secret: Secret, clock: Clock, is_available: Callable[[], bool]
    ) -> None:
        self.on_requests: Callable[[Who, float], None] = lambda _who, _seconds: None
        self.on_streams: Callable[[Who, int], None] = lambda _who, _count: None
        self.sessions_in_use: Callable[[], list[str]] = list
        self.on_used: Callable[[str], None] = lambda _session: None
        self._redis = redis
        self._prefix = prefix
        self._secret = secret
        self._clock = clock
        self._is_available = is_available
        self._add_requests, self._set_streams = (redis.register_script(text) for text in (ADD_REQUESTS, SET_STREAMS))
        self._replica = secrets.token_hex(8)
        self._seconds: dict[Who, float] = {}
        """Of the requests that have not been sent."""
        self._streams: dict[Who, int] = {}
        self._sent: dict[Who, int] = {}
        """The numbers of streams that Redis has of this replica."""
        self._changed: set[Who] = set()
        """Those whose number of streams differs from the one that Redis has."""
        self._urgent: set[Who] = set()
        """Those whose number has risen, or has to be read: they are sent at once."""
        self._wake = asyncio.Event()
        self._digests: LRUCache[Who, bytes] = LRUCache(_MAX_DIGESTS)
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<RedisCounts streams_of={len(self._streams)} waiting={len(self._seconds) + len(self._urgent)}>"

    def add_request(self, who: Who, seconds: float) -> None:
        """Reports one more request, which delays the time at which the whole allowance is available by *seconds*."""
        self._seconds[who] = self._seconds.get(who, 0.0) + seconds
        self._wake.set()

    def set_streams(self, who: Who, count: int) -> None:
        """Reports how many streams *who* has in this process: at once if they are more than Redis has."""
        if count:
            self._streams[who] = count
        else:
            self._streams.pop(who, None)
        if count > self._sent.get(who, 0):
            self._urgent.add(who)
            self._wake.set()
        else:
            self._changed.add(who)

    def request_streams(self, who: Who) -> None:
        """Has `on_streams` called again."""
        self._sent.pop(who, None)
        self._urgent.add(who)
        self._wake.set()

    def receive_used(self, sessions: bytes) -> None:
        """Passes on the sessions that a replica has published."""
        for session in sessions.split():
            self.on_used(session.decode("utf-8", "surrogatepass"))

    def start(self) -> None:
        """Exchanges counts until `close`."""
        self._task = asyncio.create_task(self._run(), name="counts")

    async def close(self) -> None:
        """Ends the exchange, after a last one if Redis answers soon."""
        if self._task is None:
            return
        while not self._task.done():
            self._task.cancel()  # more than once: redis-py loses a cancellation that arrives while it connects
            await asyncio.wait({self._task}, timeout=0.05)
        with suppress(TimeoutError):  # what is not told now expires in Redis by itself
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._exchange(self._urgent | self._changed)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        renewal_at, falls_at, use_at = (loop.time() + pause for pause in (_RENEWAL_INTERVAL, _PAUSE, _USE_INTERVAL))
        while True:
            with suppress(TimeoutError):  # the pause is over
                async with asyncio.timeout(_PAUSE):
                    await self._wake.wait()
            if loop.time() >= renewal_at:
                renewal_at = loop.time() + _RENEWAL_INTERVAL
                self._sent.clear()
                self._changed.update(self._streams)
            if loop.time() >= use_at:
                use_at = loop.time() + _USE_INTERVAL
                await self._publish_used()
            changed, self._urgent = self._urgent, set()
            if loop.time() >= falls_at:
                falls_at = loop.time() + _PAUSE
                changed |= self._changed
                self._changed = set()
            await self._exchange(changed)

    async def _exchange(self, changed: set[Who]) -> None:
        """Sends the requests and the numbers of streams of *changed*, and passes on what Redis answers. What could not
        be sent is not repeated, but for the numbers of streams, which are renewed."""
        self._wake.clear()
        seconds, self._seconds = self._seconds, {}
        if not self._is_available():
            return
        with suppress(*FAILURES):  # the limits hold in each replica meanwhile; the store reports that Redis is away
            for requests in _batches(seconds.items()):
                await self._exchange_requests(requests)
            for streams in _batches([who for who in changed if self._sent.get(who) != self._streams.get(who, 0)]):
                await self._exchange_streams(streams)

    async def _publish_used(self) -> None:
        """Publishes the sessions in use here, in the form of a change without a number: see RedisStore."""
        sessions = self.sessions_in_use()
        if sessions and self._is_available():
            names = " ".join(sessions).encode("utf-8", "surrogatepass")
            with suppress(*FAILURES):  # published again in the next turn; the store reports that Redis is away
                await self._redis.publish(self._prefix + b"changes", b"0 used 0 0 " + names)

    async def _exchange_requests(self, requests: list[tuple[Who, float]]) -> None:
        now = self._clock.now()
        calls: list[_Call] = [([self._key(b"requests:", who)], [repr(now), repr(seconds)]) for who, seconds in requests]
        results = await self._execute(self._add_requests, calls)
        now = self._clock.now()
        for (who, _), arrival_time in zip(requests, results, strict=True):
            self.on_requests(who, float(arrival_time) - now + self._seconds.get(who, 0.0))

    async def _exchange_streams(self, changed: list[Who]) -> None:
        now = self._clock.now()
        counts = [self._streams.get(who, 0) for who in changed]
        calls: list[_Call] = [
            ([self._key(b"streams:", who)], [self._replica, count, repr(now), repr(now + _LIFE)])
            for who, count in zip(changed, counts, strict=True)
        ]
        for who in changed:
            self._sent.pop(who, None)
        results = await self._execute(self._set_streams, calls)
        for who, count, others in zip(changed, counts, results, strict=True):
            if count:
                self._sent[who] = count
            self.on_streams(who, others)

    async def _execute(self, script: Any, calls: list[_Call]) -> list[Any]:
        """Returns what *script* returns for the keys and arguments of each of *calls*. Raises one of FAILURES."""
        try:
            return await self._send(script, calls)
        except NoScriptError:  # Redis was restarted: it has done nothing
            await self._redis.script_load(script.script)
            return await self._send(script, calls)

    async def _send(self, script: Any, calls: list[_Call]) -> list[Any]:
        """Does what `_execute` does if Redis knows the script: a script by its name costs one round trip less."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for keys, arguments in calls:
                await pipeline.evalsha(script.sha, len(keys), *keys, *arguments)
            return await pipeline.execute()

    def _key(self, kind: bytes, who: Who) -> bytes:
        digest = self._digests.get(who)
        if digest is None:
            digest = self._digests[who] = keyed_digest(self._secret, _PURPOSE, repr(who)).encode()
        return self._prefix + kind + digest


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
