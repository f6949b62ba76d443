"""Details of recordings, cached for a short time, and searches, which are shared but not cached."""

import asyncio
from collections.abc import Mapping
from typing import Any

from gateway.cache import CacheEntry, LoadingCache
from gateway.errors import VideoNotFoundError
from gateway.ports import Clock, Observer
from gateway.recording_details import RecordingDetails, Room
from gateway.single_flight import SingleFlight
from gateway.valt.client import ValtClient
from gateway.valt.concurrency_limit import Person, current_person
from gateway.valt.tokens import ValtTokens

_Query = tuple[Any, ...]
"""The account, and what is searched for."""

_CONCURRENT_SEARCHES = 2
"""A result has up to 32 MiB and is held whole while it is parsed, and VALT is often a small server. Besides those that
somebody waits for, as many of each person go on whose clients have left."""


class ValtRecordings:
    """Implements ports.Recordings.

    Details are cached for *ttl* seconds. That VALT does not have a recording is cached for at most 5 seconds.
    """

    def __init__(self, valt: ValtClient, tokens: ValtTokens, clock: Clock, observer: Observer, *, ttl: float) -> None:
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
            admit=tokens.admit,
        )

    async def get(self, account: str, recording: str) -> RecordingDetails:
        """Returns what VALT shows *account* of *recording*. Raises VideoNotFoundError or ValtError."""
        return await self._cache.get((account, recording), lambda: self._load(account, recording))

    async def close(self) -> None:
        """Cancels the running loads."""
        await self._cache.close()

    async def _load(self, account: str, recording: str) -> CacheEntry[RecordingDetails]:
        details = await self._tokens.use(account, lambda token: self._valt.record(token, recording))
        return CacheEntry(details, self._ttl)


class ValtSearch:
    """Searches recordings and lists rooms as one account sees them.

    A search returns VALT's whole result, because the meaning of VALT's *offset* is not documented (VALT: API Search
    Recordings): paging is the caller's. Callers that search for the same thing at the same time share one request.
    VALT is asked for few searches at once, and of one person's no more are in the queue for it: nobody waits behind
    everything that another person searches for. What waits for its turn ends with its clients. What has been sent does
    not, because VALT goes on with it: it keeps its person's turn, and nobody else waits behind it.
    """

    def __init__(self, client: ValtClient, tokens: ValtTokens) -> None:
        self._client = client
        self._tokens = tokens
        self._slots = asyncio.Semaphore(_CONCURRENT_SEARCHES)
        self._turns = tokens.turns(_CONCURRENT_SEARCHES)
        self._of_people = SingleFlight[tuple[Person | None, _Query], list[RecordingDetails]](
            "search of a person", cancel_unawaited=True
        )
        self._searches = SingleFlight[_Query, list[RecordingDetails]]("search")
        self._lists = SingleFlight[str, list[tuple[int, str]]]("list of rooms", admit=tokens.admit)
        self._rooms = SingleFlight[tuple[str, str], Room]("room", admit=tokens.admit)

    async def search(self, account: str, query: Mapping[str, Any]) -> list[RecordingDetails]:
        """Returns every recording that matches *query*, the body of VALT's own search with texts and numbers as values.

        Other callers may have the same list: do not change it. Raises ValtError, BusyError and TooManyRequestsError.
        """
        key = (account, *sorted(query.items()))

        async def search() -> list[RecordingDetails]:
            return await self._tokens.use(account, lambda token: self._client.search(token, query))

        async def search_in_turn() -> list[RecordingDetails]:
            with await self._tokens.admit(self._turns) as admission:
                async with self._slots:  # unlike the admission, it is given back when the clients leave
                    if key not in self._searches:
                        self._searches.start_admitted(key, search, admission)
                        return await self._searches.run(key, search)
            return await self._searches.run(key, search)

        if key in self._searches:
            return await self._searches.run(key, search)
        return await self._of_people.run((current_person(), key), search_in_turn)

    async def rooms(self, account: str) -> list[tuple[int, str]]:
        """Returns the ids and names of the rooms that *account* sees.

        Other callers may have the same list: do not change it. Raises ValtError, BusyError and TooManyRequestsError.
        """
        return await self._lists.run(account, lambda: self._tokens.use(account, self._client.rooms))

    async def room(self, account: str, room: str) -> Room:
        """Returns the room of that id as *account* sees it. Raises VideoNotFoundError, ValtError, BusyError and
        TooManyRequestsError."""

        async def load() -> Room:
            return await self._tokens.use(account, lambda token: self._client.room(token, room))

        return await self._rooms.run((account, room), load)

    async def close(self) -> None:
        """Cancels the running calls."""
        for flight in (self._of_people, self._searches, self._lists, self._rooms):
            await flight.close()
