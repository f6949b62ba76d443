"""The recordings that a person may see: one VALT search for each account that their rules name, each row judged.

Which rows are used, and in which order, is the caller's decision.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import BusyError
from gateway.model import Identity
from gateway.ports import ListPolicy, ValtSearch
from gateway.recording_details import RecordingDetails

_ROWS_PER_TURN = 250
"""Rows judged before other tasks of the event loop get a turn."""
_MAX_LOOKUPS = 500
"""Details that one search may request. A search that needs more must be narrowed: VALT is often a small server."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that VALT listed for *account* and that a rule may allow. *is_visible* is False if that depends on the
    recording's details."""

    account: str
    row: RecordingDetails
    is_visible: bool


class DetailLookups:
    """The lookups of recordings' details that one search may still make."""

    def __init__(self, policy: ListPolicy, identity: Identity, client: str | None) -> None:
        self._policy = policy
        self._identity = identity
        self._client = client
        self._remaining = _MAX_LOOKUPS

    @property
    def is_exhausted(self) -> bool:
        """Whether the limit is reached."""
        return self._remaining == 0

    async def can_see(self, candidate: Candidate) -> bool:
        """Whether the person may see the candidate. Raises BusyError if the lookup would exceed the limit, and
        ValtError if VALT could not be asked."""
        if candidate.is_visible:
            return True
        if self.is_exhausted:
            raise BusyError("the search needs the details of too many recordings")
        self._remaining -= 1
        return await self._policy.may_see(self._identity, candidate.account, candidate.row.recording, self._client)


class RecordingSearch:
    """Searches VALT for what a person may see."""

    def __init__(self, policy: ListPolicy, valt: ValtSearch) -> None:
        self._policy = policy
        self._valt = valt

    async def candidates(
        self, identity: Identity, query: Mapping[str, Any], client: str | None
    ) -> AsyncGenerator[Candidate]:
        """Yields the rows that VALT lists for its own *query*, in VALT's order, account after account. *client* is the
        client's address.

        An account is searched only when the caller iterates that far. A recording that several accounts list is yielded
        once for each. Raises ValtError.
        """
        for account in self._policy.accounts(identity, client):
            for number, row in enumerate(await self._valt.search(account, query)):
                if number % _ROWS_PER_TURN == 0:
                    await asyncio.sleep(0)
                may_list = self._policy.may_list(identity, account, row, client)
                if may_list is not False:
                    yield Candidate(account, row, may_list is True)

    def detail_lookups(self, identity: Identity, client: str | None) -> DetailLookups:
        """Returns the lookups for one search by *identity* from the address *client*."""
        return DetailLookups(self._policy, identity, client)
