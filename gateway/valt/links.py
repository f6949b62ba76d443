"""VALT's download links, cached per account and video until shortly before they expire."""

from gateway.cache import CacheEntry, LoadingCache
from gateway.errors import VideoNotFoundError
from gateway.events import LinkUsed
from gateway.model import Link, Secret, Video
from gateway.ports import Clock, Observer
from gateway.shared_loads import SharedLoads, SharedValue
from gateway.valt.client import ValtClient
from gateway.valt.tokens import ValtTokens

_MAX_TTL = 24 * 3600.0
"""Seconds. The longest time that a link is cached, whatever the ``exp`` of its token."""

_Key = tuple[str, str, str]
"""Account, recording, video. VALT may show one account what it does not show another."""


class ValtLinks:
    """Implements ports.Links.

    A link is cached until *margin* seconds before the ``exp`` of its token. That VALT does not have a video is cached
    for *negative_ttl* seconds.
    """

    def __init__(
        self,
        valt: ValtClient,
        tokens: ValtTokens,
        clock: Clock,
        observer: Observer,
        loads: SharedLoads,
        *,
        margin: float,
        negative_ttl: float,
        max_entries: int,
    ) -> None:
        self._valt = valt
        self._tokens = tokens
        self._clock = clock
        self._report = observer.reporter(LinkUsed)
        self._loads = loads
        self._margin = margin
        self._cache: LoadingCache[_Key, Link] = LoadingCache(
            "link",
            clock,
            observer,
            max_entries=max_entries,
            negative=(VideoNotFoundError,),
            negative_ttl=negative_ttl,
            admit=tokens.admit,
        )

    def cached(self, account: str, video: Video, *, min_life: float = 0.0) -> Link | None:
        """Returns the cached link that stays valid for at least *min_life* seconds, or None: then await `get`."""
        link = self._cache.cached((account, video.recording, video.video), min_life - self._margin)
        return None if link is None else self._report_use(link)

    async def get(self, account: str, video: Video, *, min_life: float = 0.0) -> Link:
        """Returns a link that stays valid for at least *min_life* seconds, or a new one whatever its lifetime."""
        return await self._get(account, video, min_life, None)

    async def _get(self, account: str, video: Video, min_life: float, stale: Link | None) -> Link:
        link = await self._cache.get(
            (account, video.recording, video.video),
            lambda: self._load(account, video, min_life, stale),
            min_life=min_life - self._margin,
            other_than=stale,
        )
        return self._report_use(link)

    async def renew(self, account: str, video: Video, stale: Link) -> Link:
        """Returns another link than *stale*: the one that a concurrent caller has fetched already, or a new one."""
        self._cache.forget((account, video.recording, video.video), stale)
        return await self._get(account, video, 0.0, stale)

    async def close(self) -> None:
        """Cancels the running loads."""
        await self._cache.close()

    def _report_use(self, link: Link) -> Link:
        remaining = 0.0 if link.expires_at is None else max(0.0, link.expires_at - self._clock.now())
        self._report(LinkUsed(remaining))
        return link

    async def _load(self, account: str, video: Video, min_life: float, stale: Link | None) -> CacheEntry[Link]:
        """Returns the link that another replica has fetched, unless it is *stale* or ends too soon, or a new one."""

        def is_usable(shared: SharedValue) -> bool:
            remaining = shared.expires_at - self._clock.now()
            is_stale = stale is not None and Secret(shared.content["url"]) == stale.url
            return not is_stale and remaining >= max(min_life, self._margin)

        is_shared = True

        async def fetch() -> SharedValue:
            nonlocal is_shared
            is_shared = False
            return await self._fetch(account, video)

        key = f"link {self._valt.user_digest(account)} {video.recording} {video.video}"
        shared = await self._loads.load(key, fetch, is_usable)
        link = self._valt.read_link(shared.content["url"])
        if link.expires_at is None:
            return CacheEntry(link, 0.0)
        return CacheEntry(link, min(link.expires_at - self._clock.now() - self._margin, _MAX_TTL), is_shared)

    async def _fetch(self, account: str, video: Video) -> SharedValue:
        link = await self._tokens.use(account, lambda token: self._valt.download(token, video))
        return SharedValue({"url": link.url.reveal()}, link.expires_at or 0.0)
