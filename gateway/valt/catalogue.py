"""What recordings and rooms an account sees. A search is always VALT's whole answer: what *offset* means to VALT is not
known (valt-api.md, 4.1), so paging is the asker's."""

import asyncio
from collections.abc import Mapping
from typing import Any

from gateway.model import RecordingDetails
from gateway.valt.client import ValtClient
from gateway.valt.tokens import Tokens

_SEARCHES = 2
"""At once. An answer has up to 32 MiB and is held whole while it is judged, and VALT is often a small server."""


class ValtCatalogue:
    def __init__(self, client: ValtClient, tokens: Tokens) -> None:
        self._client = client
        self._tokens = tokens
        self._searching = asyncio.Semaphore(_SEARCHES)

    async def search(self, account: str, query: Mapping[str, Any]) -> list[RecordingDetails]:
        """Every recording that matches VALT's own *query*, as *account* sees it. ValtError."""
        async with self._searching:
            return await self._tokens.use(account, lambda token: self._client.search(token, query))

    async def rooms(self, account: str) -> list[tuple[int, str]]:
        """Ids and names of the rooms that *account* sees. ValtError."""
        return await self._tokens.use(account, self._client.rooms)
