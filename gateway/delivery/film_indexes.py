"""Loads the indexes of films in the background, one at a time, and keeps those of the last films.

How it works. The end of a stream requests the index of its film. It is read from the media server by a link of its own,
parsed in a thread, and kept by the film's address and size. A film that has no index that can be read is remembered
too. Nothing waits for it but the audit's ``close`` line, and that only for a while.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from cachetools import TTLCache

from gateway.delivery.film_boxes import IndexUnreadableError
from gateway.delivery.film_index import FilmIndex, Read, read_index
from gateway.errors import GatewayError
from gateway.events import CacheLookup, LogEvent
from gateway.model import Link, Video
from gateway.ports import Links, Observer
from gateway.request_record import FilmSeconds

_MAX_INDEXES = 8
"""The index of an hour at 25 frames a second is 3 MB."""
_TTL = 3600.0
_TIMEOUT = 20.0
"""Seconds for all requests of one index."""
_MAX_WAITING = 32
"""Indexes that wait to be loaded; more are not."""

ReadRange = Callable[[Link, int, int], Awaitable[bytes]]
"""MediaServer.read_range."""


FutureIndex = FilmSeconds | asyncio.Future[FilmSeconds | None] | None


class _Film(NamedTuple):
    video: Video
    size: int


class FilmIndexes:
    """*read_range* reads bytes of a file by a link."""

    def __init__(self, read_range: ReadRange, links: Links, observer: Observer) -> None:
        self.read_range = read_range
        self._links = links
        self._observer = observer
        self._indexes: TTLCache[_Film, FilmIndex | None] = TTLCache(_MAX_INDEXES, _TTL)
        self._loading: dict[_Film, asyncio.Task[FilmSeconds | None]] = {}
        self._one_at_a_time = asyncio.Lock()

    def request(
        self, account: str, video: Video, size: int
    ) -> "FilmSeconds | asyncio.Future[FilmSeconds | None] | None":
        """Returns the index of a film of *size* bytes, None if it cannot be read, or the future result of a load."""
        film = _Film(video, size)
        if film in self._indexes:
            index = self._indexes[film]
            self._observer.on_event(CacheLookup("index", "hit" if index else "negative"))
            return index
        task = self._loading.get(film)
        if task is not None:
            self._observer.on_event(CacheLookup("index", "joined"))
            return task
        if len(self._loading) >= _MAX_WAITING:
            self._observer.on_event(CacheLookup("index", "negative"))
            return None
        self._observer.on_event(CacheLookup("index", "loaded"))
        task = self._loading[film] = asyncio.create_task(self._load(account, film), name="index of a film")
        task.add_done_callback(lambda _task: self._loading.pop(film, None))
        return task

    def close(self) -> None:
        """Ends all loads."""
        for task in self._loading.values():
            task.cancel()

    async def _load(self, account: str, film: _Film) -> FilmSeconds | None:
        async with self._one_at_a_time:
            reason = "internal error"
            index = None
            try:
                async with asyncio.timeout(_TIMEOUT):
                    index = await self._read(account, film)
            except IndexUnreadableError as error:
                reason = str(error)
            except TimeoutError:
                reason = "it took too long"
            except GatewayError as error:
                reason = error.code
            except (ArithmeticError, ValueError, MemoryError) as error:
                reason = type(error).__name__
            if index is None:
                self._observer.on_event(LogEvent("info", "a film has no index that can be read", (("reason", reason),)))
            self._indexes[film] = index
            return index

    async def _read(self, account: str, film: _Film) -> FilmIndex | None:
        link = await self._links.get(account, film.video)
        reads = read_index(film.size)
        data: bytes | None = None
        while True:
            needed = await asyncio.to_thread(_advance, reads, data)
            if isinstance(needed, FilmIndex):
                return needed
            data = await self.read_range(link, *needed)


def _advance(reads: Read, data: bytes | None) -> FilmIndex | tuple[int, int]:
    try:
        return next(reads) if data is None else reads.send(data)
    except StopIteration as stop:
        index: FilmIndex = stop.value
        return index
