"""A link per account and video, kept until its token's ``exp`` less a margin; one load however many wait."""

from gateway.cache import CacheEntry, LoadingCache
from gateway.errors import VideoNotFoundError
from gateway.events import LinkUsed
from gateway.model import Link, Video
from gateway.ports import Clock, Observer, Valt
from gateway.valt.tokens import Tokens

_MAX_LIFE = 24 * 3600.0
"""Seconds. No link is kept for longer, whatever its ``exp`` claims."""

Key = tuple[str, str, str]
"""Account, recording, video."""


class ValtLinks:
    """Implements ports.Links. *margin* and *negative_ttl* are seconds. The key holds the account as well as the video:
    what VALT shows to one account it may not show to another."""

    def __init__(
        self,
        valt: Valt,
        tokens: Tokens,
        clock: Clock,
        observer: Observer,
        *,
        margin: float,
        negative_ttl: float,
        max_entries: int,
    ) -> None:
        self._valt = valt
        self._tokens = tokens
        self._clock = clock
        self._observer = observer
        self._margin = margin
        self._cache: LoadingCache[Key, Link] = LoadingCache(
            "link",
            clock,
            observer,
            max_entries=max_entries,
            negative=(VideoNotFoundError,),
            negative_ttl=negative_ttl,
        )

    def cached(self, account: str, video: Video, *, min_life: float = 0.0) -> Link | None:
        """Returns the cached link that stays valid for at least *min_life* seconds, or None: then await `get`."""
        link = self._cache.cached((account, video.recording, video.video), min_life - self._margin)
        return None if link is None else self._used(link)

    async def get(self, account: str, video: Video, *, min_life: float = 0.0) -> Link:
        """A link with at least *min_life* seconds left, or a fresh one whatever it has left."""
        link = await self._cache.get(
            (account, video.recording, video.video),
            lambda: self._load(account, video),
            min_life=min_life - self._margin,
        )
        return self._used(link)

    async def renew(self, account: str, video: Video, stale: Link) -> Link:
        """Another link than *stale*: the one that somebody else has fetched meanwhile, or a fresh one."""
        self._cache.forget((account, video.recording, video.video), stale)
        return await self.get(account, video)

    async def close(self) -> None:
        await self._cache.close()

    def _used(self, link: Link) -> Link:
        remaining = 0.0 if link.expires_at is None else max(0.0, link.expires_at - self._clock.now())
        self._observer.on_event(LinkUsed(remaining))
        return link

    async def _load(self, account: str, video: Video) -> CacheEntry[Link]:
        link = await self._tokens.use(account, lambda token: self._valt.download(token, video))
        if link.expires_at is None:
            return CacheEntry(link, 0.0)
        return CacheEntry(link, min(link.expires_at - self._clock.now() - self._margin, _MAX_LIFE))
