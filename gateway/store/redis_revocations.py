"""The revocations in Redis, for commands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.errors import BusyError
from gateway.redis_url import RedisUrl
from gateway.store.redis import REVOCATION, UNDONE
from gateway.store.redis_client import FAILURES, close_client, parse_entry, reason_of, redis_client
from gateway.store.redis_scripts import PUT, put_arguments
from gateway.store.revocations import Revocation, StoredRevocations


class RedisRevocations:
    """The revocations at *url*, whose keys begin with *prefix*. Every method raises BusyError if Redis fails."""

    receivers = 0
    """How many gateways have received what was written last."""

    def __init__(self, url: RedisUrl, prefix: str) -> None:
        self._url = url
        self._prefix = prefix.encode()

    async def read(self) -> StoredRevocations:
        """Returns the revocations."""
        async with self._client() as client:
            return await self._read(client)

    async def revoke(self, subject: str, at: float, until: float) -> None:
        """Writes a revocation (see ports.Store.revoke)."""
        async with self._client() as client:
            next_time = (await self._read(client)).next_time(subject, at)
            await self._put(client, REVOCATION, subject, next_time, until)

    async def undo(self, subject: str, now: float) -> Revocation | None:
        """Undoes the revocation of *subject*, and returns it; None if none is in force at *now*."""
        async with self._client() as client:
            undoing = (await self._read(client)).undoing(subject, now)
            if undoing is not None:
                await self._put(client, UNDONE, undoing.name, undoing.at, undoing.until)
            return undoing

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        client = redis_client(self._url)
        try:
            yield client
        except FAILURES as error:
            raise BusyError(f"Redis cannot be used: {reason_of(error)}") from None
        finally:
            await close_client(client)

    async def _read(self, client: Any) -> StoredRevocations:
        return StoredRevocations(*[await self._entries(client, kind) for kind in (REVOCATION, UNDONE)])

    async def _entries(self, client: Any, kind: bytes) -> dict[str, tuple[float, float]]:
        entries = {}
        async for name, content in client.hscan_iter(self._prefix + kind, count=1000):
            until, value = parse_entry(self._prefix + kind, name, content)
            entries[name.decode("utf-8", "surrogatepass")] = value, until
        return entries

    async def _put(self, client: Any, kind: bytes, name: str, value: float, until: float) -> None:
        self.receivers = int(await client.register_script(PUT)(*put_arguments(self._prefix, kind, name, until, value)))
