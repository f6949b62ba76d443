"""Loads that replicas share in Redis: one of them loads a value, the others wait for it.

How it works: a value is encrypted with a key of ours before it leaves the process, and names its key, so that nobody
who can write to Redis can exchange two of them. Whoever finds none takes a lease, which is renewed while its holder
loads and expires soon after the holder's death; the others look again every tenth of a second. A holder that has lost
its lease stores nothing. If Redis cannot be used, or no value appears in time, everyone loads for themselves.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from redis.asyncio import Redis

from gateway.model import Secret
from gateway.ports import Clock
from gateway.sealed import SealedTokens, keyed_digest
from gateway.shared_loads import Refusal, SharedValue
from gateway.store.redis_client import FAILURES
from gateway.store.redis_scripts import RENEW, STORE

T = TypeVar("T")

_PURPOSE, _VERSION = "shared value", 1
_POLL_INTERVAL = 0.1
_MAX_WAIT = 30.0


class _NotSharedError(Exception):
    """Redis cannot be used."""


class RedisLoads:
    """Implements SharedLoads. *is_available* tells whether Redis is worth trying.

    *timeout* is the time in seconds for an answer of Redis where it must not be missed: here a quarter of it is worth
    waiting. A lease outlives its holder for two and a half times as long.
    """

    def __init__(
        self,
        redis: "Redis",
        prefix: bytes,
        secret: Secret,
        clock: Clock,
        is_available: Callable[[], bool],
        timeout: float,
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._secret = secret
        self._sealed = SealedTokens([secret], _PURPOSE, _VERSION)
        self._clock = clock
        self._is_available = is_available
        self._timeout = timeout / 4
        self._lease = 2.5 * timeout
        self._store_script, self._renew_script = redis.register_script(STORE), redis.register_script(RENEW)

    async def load(
        self,
        key: str,
        load: Callable[[], Awaitable[SharedValue]],
        usable: Callable[[SharedValue], bool],
        refusal: Refusal | None = None,
    ) -> SharedValue:
        """Returns the shared value of *key* if it is *usable*, or what *load* returns. See SharedLoads."""
        if not self._is_available():
            return await load()
        digest = keyed_digest(self._secret, _PURPOSE, key)
        token = secrets.token_hex(8)
        try:
            value = await self._find_or_lease(digest, token, usable, refusal)
        except _NotSharedError:
            token, value = "", None
        if value is not None:
            return value
        return await (self._load_and_store(digest, token, load, refusal) if token else load())

    async def _find_or_lease(
        self, digest: str, token: str, usable: Callable[[SharedValue], bool], refusal: Refusal | None
    ) -> SharedValue | None:
        """Returns the value, or None with the lease of *token*. Raises _NotSharedError if neither is to be had, and the
        refusal that is stored."""
        deadline = self._loop_time() + _MAX_WAIT
        leased = False
        while True:
            value = await self._read(digest, refusal)
            if value is not None and usable(value):
                if leased:
                    await self._finish(digest, token)
                return value
            if leased:
                return None
            milliseconds = int(self._lease * 1000)
            # Once more after the lease was taken: its last holder may have stored a value since.
            leased = bool(await self._call(self._redis.set(self._lease_key(digest), token, nx=True, px=milliseconds)))
            if not leased:
                if self._loop_time() >= deadline:
                    raise _NotSharedError
                await asyncio.sleep(_POLL_INTERVAL)

    async def _load_and_store(
        self, digest: str, token: str, load: Callable[[], Awaitable[SharedValue]], refusal: Refusal | None
    ) -> SharedValue:
        renewal = asyncio.create_task(self._renew(digest, token), name="lease")
        sealed, ttl = "", 0.0
        try:
            value = await load()
            ttl = value.expires_at - self._clock.now()
            sealed = self._seal(digest, value.expires_at, value=dict(value.content))
        except Exception as error:
            if refusal is not None and isinstance(error, refusal.error):
                ttl = refusal.ttl
                sealed = self._seal(digest, self._clock.now() + ttl, refused=str(error))
            raise
        finally:
            renewal.cancel()
            with suppress(_NotSharedError):  # the lease expires, and another replica loads; the store reports Redis
                await self._finish(digest, token, sealed, ttl)
        return value

    async def _renew(self, digest: str, token: str) -> None:
        """Renews the lease until cancelled."""
        while True:
            await asyncio.sleep(self._lease / 3)
            with suppress(_NotSharedError):  # renewed by the next turn, or another replica loads too
                await self._call(self._renew_script([self._lease_key(digest)], [token, int(self._lease * 1000)]))

    async def _read(self, digest: str, refusal: Refusal | None) -> SharedValue | None:
        """Returns the value of that key, None if there is none that was sealed here. Raises a *refusal* there."""
        sealed = await self._call(self._redis.get(self._value_key(digest)))
        content = self._sealed.unseal(sealed.decode("latin-1")) if isinstance(sealed, bytes) else None
        if content is None or content["key"] != digest or content["expires_at"] <= self._clock.now():
            return None
        if "refused" in content:
            if refusal is None:
                return None
            raise refusal.error(content["refused"])
        return SharedValue(content["value"], content["expires_at"])

    async def _finish(self, digest: str, token: str, sealed: str = "", ttl: float = 0.0) -> None:
        """Releases the lease, and stores *sealed* unless the lease was lost or *ttl* is over."""
        keys = [self._lease_key(digest), self._value_key(digest)]
        await self._call(self._store_script(keys, [token, sealed, max(0, int(ttl * 1000))]))

    async def _call(self, call: Awaitable[T]) -> T:
        """Returns the answer of Redis. Raises _NotSharedError if there is none in time."""
        try:
            async with asyncio.timeout(self._timeout):
                return await call
        except FAILURES:
            raise _NotSharedError from None

    def _seal(self, digest: str, expires_at: float, **content: object) -> str:
        return self._sealed.seal({"key": digest, "expires_at": expires_at, **content})

    def _value_key(self, digest: str) -> bytes:
        return self._prefix + b"value:" + digest.encode()

    def _lease_key(self, digest: str) -> bytes:
        return self._prefix + b"lease:" + digest.encode()

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()
