"""What VALT knows of a recording, as an account sees it: believed for a moment, loaded once however many wait."""

from gateway.cache import CacheEntry, LoadingCache
from gateway.errors import VideoNotFoundError
from gateway.model import RecordingDetails
from gateway.ports import Clock, Observer, Valt
from gateway.valt.tokens import Tokens


class ValtRecordings:
    """Implements ports.Recordings. *ttl* is seconds."""

    def __init__(self, valt: Valt, tokens: Tokens, clock: Clock, observer: Observer, *, ttl: float) -> None:
        self._valt = valt
        self._tokens = tokens
        self._ttl = ttl
        self._cache: LoadingCache[tuple[str, str], RecordingDetails] = LoadingCache(
            "recording",
            clock,
            observer,
            max_entries=10_000,
            negative=(VideoNotFoundError,),
            negative_ttl=min(5.0, ttl),
        )

    async def get(self, account: str, recording: str) -> RecordingDetails:
        return await self._cache.get((account, recording), lambda: self._load(account, recording))

    async def close(self) -> None:
        await self._cache.close()

    async def _load(self, account: str, recording: str) -> CacheEntry[RecordingDetails]:
        details = await self._tokens.use(account, lambda token: self._valt.record(token, recording))
        return CacheEntry(details, self._ttl)
