"""Comments on recordings, cached like the recordings' details."""

from cachetools import TTLCache

from gateway.cache import CacheEntry, LoadingCache
from gateway.errors import CallRefusedError, ValtError, VideoNotFoundError
from gateway.ports import Clock, Observer
from gateway.recording_details import Comments
from gateway.valt.client import ValtClient
from gateway.valt.tokens import ValtTokens

_NEGATIVE_TTL = 5.0
_REFUSED_TTL = 300.0
"""Seconds for which VALT is not asked again for any comments as an account to which it refuses them: a refusal by 401
costs another login."""


class ValtComments:
    """Implements ports.CommentsOfRecordings.

    Comments are cached for *ttl* seconds, and failures for at most 5: the page of a recording is shown without comments
    if VALT fails to return them, and must not wait for each of its reloads.
    """

    def __init__(self, client: ValtClient, tokens: ValtTokens, clock: Clock, observer: Observer, *, ttl: float) -> None:
        self._client = client
        self._tokens = tokens
        self._ttl = ttl
        self._cache: LoadingCache[tuple[str, str], Comments] = LoadingCache(
            "recording",
            clock,
            observer,
            max_entries=1000,
            negative=(VideoNotFoundError, ValtError),
            negative_ttl=min(_NEGATIVE_TTL, ttl),
            admit=tokens.admit,
        )
        self._refused: TTLCache[str, CallRefusedError] = TTLCache(1000, _REFUSED_TTL, timer=clock.monotonic)

    async def get(self, account: str, recording: str) -> Comments:
        """Returns VALT's comments on *recording* as *account* sees them. Raises VideoNotFoundError or ValtError."""
        return await self._cache.get((account, recording), lambda: self._load(account, recording))

    async def close(self) -> None:
        """Cancels the running loads."""
        await self._cache.close()

    async def _load(self, account: str, recording: str) -> CacheEntry[Comments]:
        if account in self._refused:
            raise self._refused[account].with_traceback(None)
        try:
            comments = await self._tokens.use(account, lambda token: self._client.comments(token, recording))
        except CallRefusedError as error:
            self._refused[account] = error
            raise
        return CacheEntry(comments, self._ttl)
