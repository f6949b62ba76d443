"""Loads the indexes of films in the background, one at a time, and keeps those of the last films.

How it works. The end of a stream requests the index of its film. It is read from the media server by a link of its own,
built in a process of its own, and kept by the film's address, size and validators. A film that has no index that can
be read is remembered too, for a minute if the reason may pass. Nothing waits for it but the audit's ``close`` line, and
that only for a while.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from cachetools import TTLCache

from gateway.delivery.film_boxes import IndexUnreadableError
from gateway.delivery.film_index import FilmBoxes, FilmIndex, Read, find_boxes
from gateway.delivery.film_parser import build_in_process
from gateway.delivery.verdicts import Representation
from gateway.errors import GatewayError
from gateway.events import CacheLookup, FilmIndexLoaded, LogEvent
from gateway.model import Link, Video
from gateway.ports import Links, Observer
from gateway.request_record import FilmSeconds

_MAX_BYTES = 64 * 1024 * 1024
"""Of all indexes: that of an hour at 25 frames a second has 3 MB. One that has been dropped is read anew at the end of
the film's next stream."""
_UNREADABLE_BYTES = 4096
"""What a film counts as that has no index."""
_TTL = 3600.0
_RETRY_SECONDS = 60.0
_TIMEOUT = 20.0
"""Seconds for all requests of one index."""
_MAX_WAITING = 32
"""Indexes that wait to be loaded; more are not."""
_LASTING = frozenset({"damaged", "too_large", "no_index"})
"""Outcomes that another attempt would have too."""

_HIT, _NEGATIVE = CacheLookup("index", "hit"), CacheLookup("index", "negative")

ReadRange = Callable[[Link, int, int, Representation], Awaitable[bytes]]
"""MediaServer.read_range."""


class _Film(NamedTuple):
    """The file's validators belong to the key, because it may be replaced by one of equal size."""

    recording: str
    video: str
    size: int
    etag: str | None
    last_modified: str | None


class FilmIndexes:
    """*read_range* reads bytes of a file by a link."""

    def __init__(self, read_range: ReadRange, links: Links, observer: Observer) -> None:
        self.read_range = read_range
        self._links = links
        self._observer = observer
        self._report_lookup = observer.reporter(CacheLookup)
        self._indexes: TTLCache[_Film, FilmIndex | None] = TTLCache(_MAX_BYTES, _TTL, getsizeof=_size)
        self._failures: TTLCache[_Film, None] = TTLCache(_MAX_WAITING, _RETRY_SECONDS)
        self._loading: dict[_Film, asyncio.Task[FilmSeconds | None]] = {}
        self._one_at_a_time = asyncio.Lock()

    def request(
        self, account: str, video: Video, body: Representation
    ) -> FilmSeconds | asyncio.Future[FilmSeconds | None] | None:
        """Returns the index of the film of which *body* is a part, None if it cannot be read, or the future result of a
        load."""
        film = _Film(video.recording, video.video, body.total or 0, body.etag, body.last_modified)
        try:
            index = self._indexes[film]
        except KeyError:
            pass  # not in the cache
        else:
            self._report_lookup(_HIT if index else _NEGATIVE)
            return index
        if film in self._failures:
            self._report_lookup(_NEGATIVE)
            return None
        task = self._loading.get(film)
        if task is not None:
            self._report_lookup(CacheLookup("index", "joined"))
            return task
        if len(self._loading) >= _MAX_WAITING:
            self._report_lookup(_NEGATIVE)
            self._observer.on_event(FilmIndexLoaded("busy"))
            return None
        self._report_lookup(CacheLookup("index", "loaded"))
        task = self._loading[film] = asyncio.create_task(self._load(account, film, body), name="index of a film")
        task.add_done_callback(lambda _task: self._loading.pop(film, None))
        return task

    async def close(self) -> None:
        """Ends all loads, and returns when their processes have ended."""
        loads = list(self._loading.values())
        for task in loads:
            task.cancel()
        await asyncio.gather(*loads, return_exceptions=True)

    async def _load(self, account: str, film: _Film, body: Representation) -> FilmSeconds | None:
        async with self._one_at_a_time:
            try:
                index, failure = await self._attempt(account, film, body), None
            except IndexUnreadableError as error:
                index, failure = None, error
        if failure is not None:
            fields = (("reason", str(failure)),)
            self._observer.on_event(LogEvent("info", "a film has no index that can be read", fields))
        self._observer.on_event(FilmIndexLoaded("ok" if failure is None else failure.outcome))
        if failure is None or failure.outcome in _LASTING:
            self._indexes[film] = index
        else:
            self._failures[film] = None
        return index

    async def _attempt(self, account: str, film: _Film, body: Representation) -> FilmIndex:
        """Raises IndexUnreadableError, whatever the reason."""
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await self._read(account, film, body)
        except IndexUnreadableError:
            raise
        except TimeoutError:
            raise IndexUnreadableError("it took too long", "timeout") from None
        except GatewayError as error:
            raise IndexUnreadableError(error.code, "unavailable") from None
        except Exception as error:
            raise IndexUnreadableError(type(error).__name__, "internal") from None

    async def _read(self, account: str, film: _Film, body: Representation) -> FilmIndex:
        link = await self._links.get(account, Video(film.recording, film.video))
        reads = find_boxes(film.size)
        data: bytes | None = None
        while True:
            needed = _advance(reads, data)
            if isinstance(needed, FilmBoxes):
                return await build_in_process(needed)
            data = await self.read_range(link, *needed, body)


def _advance(reads: Read, data: bytes | None) -> FilmBoxes | tuple[int, int]:
    try:
        return next(reads) if data is None else reads.send(data)
    except StopIteration as stop:
        boxes: FilmBoxes = stop.value
        return boxes


def _size(index: FilmIndex | None) -> int:
    """Returns the bytes that an index counts as; at most a quarter of `_MAX_BYTES`, because samples are limited."""
    return _UNREADABLE_BYTES if index is None else 4 * index.offsets.itemsize * len(index.offsets)
