"""State in Redis or Valkey, shared by replicas.

How it works: consumed keys are only in Redis: consuming one is one script there. Sign-outs and revocations are also in
memory, where they are read; Redis pushes every write to all replicas (publish and subscribe). Each write has a number.
Once a second a replica compares its number with that in Redis; if it missed one, or if the connection was lost or Redis
has restarted, it reads everything anew and writes again what it knows and Redis does not.

While Redis is away, what is in memory stays in force, and whatever has to be looked up or written raises BusyError.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from cachetools import TTLCache

from gateway.errors import BusyError
from gateway.events import LogEvent
from gateway.model import Secret
from gateway.ports import Clock, Observer
from gateway.redis_url import RedisUrl
from gateway.store.memory import ExpiringEntries, Revocations
from gateway.store.redis_client import FAILURES, close_client, parse_entry, reason_of, redis_client, repeat_if_lost
from gateway.store.redis_counts import RedisCounts
from gateway.store.redis_loads import RedisLoads
from gateway.store.redis_scripts import CONSUME, PROBE, PUT, REMOVE, put_arguments

T = TypeVar("T")

_PROBE_INTERVAL = 1.0
_PROBES_TO_SETTLE = 4
"""Intervals within which replicas have noticed that Redis is empty, also by a lost connection, and written to it."""
_SIGN_OUT, REVOCATION, UNDONE = b"signed_out", b"revoked", b"undone"
_BATCH = 1000
"""Entries that are read or written at a time."""
_KEEP = 60.0
"""Seconds that an entry stays in Redis after its expiry, for replicas whose clock is behind."""
_UNDECIDED_TTL, _NO_EVICTION = 300.0, "noeviction"


class RedisStore:
    """Implements ports.Store. *prefix* begins every key and channel. *secret* encrypts the *loads* of the replicas
    and hides who has the *counts*: without it they share none. *probe_interval* is in seconds."""

    complete_since: float | None = float("-inf")
    local_fault = None
    """No fault is this replica's alone: without Redis, all of them would cease to be ready at the same time."""

    def __init__(
        self,
        url: RedisUrl,
        prefix: str,
        clock: Clock,
        observer: Observer | None = None,
        *,
        secret: Secret | None = None,
        probe_interval: float = _PROBE_INTERVAL,
    ) -> None:
        self.fault: str | None = None
        """Why Redis cannot be used; None if it can."""
        self._url = url
        self._prefix = prefix.encode()
        self._clock = clock
        self._observer = observer
        self._probe_interval = probe_interval
        self._redis = redis_client(url)
        own = secret or Secret(secrets.token_hex(32))
        shared = self._redis, self._prefix, own, clock, lambda: self.fault is None
        self.loads, self.counts = RedisLoads(*shared, url.timeout), RedisCounts(*shared)
        self._consume, self._probe = self._redis.register_script(CONSUME), self._redis.register_script(PROBE)
        self._put, self._remove = self._redis.register_script(PUT), self._redis.register_script(REMOVE)
        revocations, sign_outs = Revocations(clock), ExpiringEntries(clock)
        self._entries = {_SIGN_OUT: sign_outs, UNDONE: revocations.undone, REVOCATION: revocations}
        self.revoked_at: Callable[..., float | None] = revocations.get
        """See ports.Store."""
        self._policy = _NO_EVICTION
        self._epoch, self._version = b"", 0
        """As of the last entry that was read or received."""
        self._undecided: TTLCache[str, str] = TTLCache(10_000, _UNDECIDED_TTL, timer=clock.monotonic)
        """The tokens of calls that failed, so that Redis may have consumed the key for them: by key."""
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        sign_outs, revocations = len(self._entries[_SIGN_OUT]), len(self._entries[REVOCATION])
        return f"<RedisStore {self._url} fault={self.fault!r} sign_outs={sign_outs} revocations={revocations}>"

    async def start(self) -> None:
        """Reads the entries: a replica that does not know the revocations must not serve. If Redis has lost them just
        now, the other replicas have the time to write them again first. Raises BusyError."""
        try:
            await self._resync()
            settling = _PROBES_TO_SETTLE * self._probe_interval
            if self._clock.now() - float(self._epoch.split()[1]) < settling:
                await asyncio.sleep(settling)
                await self._resync()
        except FAILURES as error:
            raise BusyError(f"state.url: Redis at {self._url} cannot be used: {reason_of(error)}") from None
        self._task = asyncio.create_task(self._run(), name="store")
        self.counts.start()

    async def consume(self, key: str, until: float, *, since: float | None = None) -> bool:
        """Returns True the first time that *key* is consumed, by whichever replica, and False until it expires. After a
        call that failed, the same replica may consume the key once more: it was accepted nowhere."""
        token = self._undecided.pop(key, None) or secrets.token_hex(8)
        try:
            return await self._call_consume(key, until, token, since)
        except BusyError:
            self._undecided[key] = token
            raise

    async def is_consumed(self, key: str, *, since: float | None = None) -> bool:
        """Whether *key* is consumed, by whichever replica."""
        return not await self._call_consume(key, 0.0, "", since)

    async def sign_out(self, session: str, until: float) -> None:
        """Makes the session invalid until *until*; in this replica at once, also if Redis is away."""
        await self._write(_SIGN_OUT, session, until, 0.0)

    async def revoke(self, name: str, at: float, until: float) -> None:
        """Makes credentials of *name* issued at or before *at* invalid until *until*; at once, also without Redis."""
        await self._write(REVOCATION, name, until, at)

    def is_signed_out(self, session: str) -> bool:
        """Whether the session was signed out."""
        return self._entries[_SIGN_OUT].get(session) is not None

    async def close(self) -> None:
        """Closes the connections."""
        await self.counts.close()
        while (task := self._task) is not None and not task.done():
            task.cancel()  # more than once: redis-py loses a cancellation that arrives while it connects
            await asyncio.wait({task}, timeout=0.05)
        await close_client(self._redis)

    async def _call_consume(self, key: str, until: float, token: str, since: float | None) -> bool:
        """Returns what CONSUME does: True if *key* was not consumed. Raises BusyError."""
        now = self._clock.now()
        name = self._prefix + b"consumed:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        milliseconds = int(max(0.0, until - now) * 1000 + _KEEP * 1000)
        arguments: list[str | int] = [repr(now), repr(until), token, milliseconds, "" if since is None else repr(since)]
        result = await self._attempt(lambda: self._consume([self._prefix + b"epoch", name], arguments))
        if result < 0:
            raise BusyError("Redis has restarted since this was issued: whether it was used cannot be known")
        return bool(result)

    async def _write(self, kind: bytes, name: str, until: float, value: float) -> None:
        self._entries[kind].put(name, until, value)
        await self._attempt(lambda: self._put(*put_arguments(self._prefix, kind, name, until, value)))

    async def _attempt(self, call: Callable[[], Awaitable[T]]) -> T:
        """Returns what *call* returns. Raises BusyError if Redis cannot be used."""
        try:
            return await repeat_if_lost(call)  # every script may be repeated
        except FAILURES as error:
            self._report(reason_of(error))
            raise BusyError(f"Redis cannot be used: {reason_of(error)}") from None

    async def _run(self) -> None:
        """Follows the changes until cancelled, and begins anew whenever Redis fails."""
        while True:
            pubsub = self._redis.pubsub()
            try:
                await pubsub.subscribe(self._prefix + b"changes")
                await self._resync()
                self._report(None)
                await self._follow(pubsub)
            except (*FAILURES, BusyError, ValueError) as error:
                self._report(reason_of(error))
            finally:
                await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(self._probe_interval)

    async def _follow(self, pubsub: Any) -> None:
        """Takes over what other replicas write, for as long as nothing is missed."""
        loop = asyncio.get_running_loop()
        missed_at = None
        probe_at = loop.time() + self._probe_interval
        while True:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=max(0.0, probe_at - loop.time()))
            if message is not None:
                self._receive(message["data"])
            if loop.time() < probe_at:
                continue
            probe_at = loop.time() + self._probe_interval
            epoch, version = await self._call_probe()
            self._report(None)
            # A message may still be on its way: what was missed is behind at two probes in a row.
            if epoch != self._epoch or (version != self._version and missed_at == self._version):
                await self._resync()
            missed_at = None if version == self._version else self._version

    def _receive(self, data: bytes) -> None:
        version, kind, until, value, name = data.split(b" ", 4)
        if kind in self._entries:
            self._entries[kind].put(name.decode("utf-8", "surrogatepass"), float(until), float(value))
        elif kind == b"used":
            self.counts.receive_used(name)
        self._version += int(version) == self._version + 1

    async def _call_probe(self) -> tuple[bytes, int]:
        keys = [self._prefix + name for name in (b"epoch", b"probe", b"version")]
        epoch, version = await self._probe(keys, [repr(self._clock.now())])
        return epoch, version

    async def _resync(self) -> None:
        """Reads all entries, removes those that have expired, and writes those that Redis lacks."""
        epoch, version = await self._call_probe()
        await self._warn_of_eviction()
        now = self._clock.now()
        for kind, entries in self._entries.items():
            present: dict[str, tuple[float, float]] = {}
            expired: list[bytes] = []
            async for field, content in self._redis.hscan_iter(self._prefix + kind, count=_BATCH):
                until, value = parse_entry(self._prefix + kind, field, content)
                if until + _KEEP <= now:
                    expired += field, content
                    continue
                name = field.decode("utf-8", "surrogatepass")
                present[name] = until, value
                entries.put(name, until, value)
            for start in range(0, len(expired), 2 * _BATCH):
                await self._remove([self._prefix + kind], expired[start : start + 2 * _BATCH])
            await self._write_missing(kind, present)
        self._epoch, self._version = epoch, version

    async def _write_missing(self, kind: bytes, present: dict[str, tuple[float, float]]) -> None:
        missing = [entry for entry in self._entries[kind].items() if present.get(entry[0]) != entry[1:]]
        for start in range(0, len(missing), _BATCH):
            async with self._redis.pipeline(transaction=False) as pipeline:
                for name, until, value in missing[start : start + _BATCH]:
                    keys, arguments = put_arguments(self._prefix, kind, name, until, value)
                    await self._put(keys, arguments, client=pipeline)
                await pipeline.execute()

    async def _warn_of_eviction(self) -> None:
        """Logs once that Redis removes entries when it is full, instead of refusing to write."""
        policy = str((await self._redis.info("memory")).get("maxmemory_policy", _NO_EVICTION))
        if policy not in (self._policy, _NO_EVICTION) and self._observer is not None:
            message = "Redis may remove used tickets and revocations: set its maxmemory-policy to noeviction"
            self._observer.on_event(LogEvent("warning", message, (("maxmemory_policy", policy),)))
        self._policy = policy

    def _report(self, reason: str | None) -> None:
        """Sets *fault*, and logs that it has changed from none or to none."""
        fault = None if reason is None else f"Redis at {self._url} cannot be used: {reason}"
        if (fault is None) != (self.fault is None) and self._observer is not None:
            self._observer.on_event(LogEvent("error", fault) if fault else LogEvent("info", "the state is back"))
        self.fault = fault
