"""What recordings and rooms an account sees. A search is always VALT's whole answer: what *offset* means to VALT is not
known (valt-api.md, 4.1), so paging is the asker's. Who asks for what is being searched already shares the answer."""

import asyncio
from collections.abc import Mapping
from typing import Any

from gateway.cache import SingleFlight
from gateway.model import RecordingDetails
from gateway.valt.client import ValtClient
from gateway.valt.tokens import Tokens

_SEARCHES = 2
"""At once. An answer has up to 32 MiB and is held whole while it is judged, and VALT is often a small server."""


class ValtCatalogue:
    def __init__(self, client: ValtClient, tokens: Tokens) -> None:
        self._client = client
        self._tokens = tokens
        self._free = asyncio.Semaphore(_SEARCHES)
        self._searches = SingleFlight[tuple[Any, ...], list[RecordingDetails]]("search")

    async def search(self, account: str, query: Mapping[str, Any]) -> list[RecordingDetails]:
        """Every recording that matches VALT's own *query*, of texts and numbers, as *account* sees it. The list is
        others' as well. ValtError."""
        key = (account, *sorted(query.items()))
        return await self._searches.run(key, lambda: self._search(account, query))

    async def rooms(self, account: str) -> list[tuple[int, str]]:
        """Ids and names of the rooms that *account* sees. ValtError."""
        return await self._tokens.use(account, self._client.rooms)

    async def close(self) -> None:
        """Cancel what is still being searched."""
        await self._searches.close()

    async def _search(self, account: str, query: Mapping[str, Any]) -> list[RecordingDetails]:
        async with self._free:
            return await self._tokens.use(account, lambda token: self._client.search(token, query))
