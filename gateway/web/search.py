"""Which of VALT's recordings a person sees: one search for each account that their rules name, and every row judged.

What is done with the rows, and in which order, is the asker's.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.errors import BusyError
from gateway.model import Identity, RecordingDetails

_ROWS_AT_ONCE = 250
"""Judged without letting anybody else have a turn."""
_LOOKS = 500
"""Details that one search may need. One that needs more has to be narrowed, for VALT is often a small server."""


class Listing(Protocol):
    """The rules, as far as lists need them."""

    def accounts(self, identity: Identity) -> list[str]:
        """As whom VALT is asked for this person."""
        ...

    def may_list(self, identity: Identity, account: str, row: RecordingDetails) -> bool | None:
        """Whether the person sees what *account* was told of; None where only the recording's details can tell."""
        ...

    async def may_see(self, identity: Identity, account: str, recording: str) -> bool:
        """The same by its details. ValtError where it could not be found out."""
        ...


class Catalogue(Protocol):
    """What an account sees of VALT."""

    async def search(self, account: str, query: Mapping[str, Any]) -> list[RecordingDetails]: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that VALT listed for *account* and that some rule may show. *seen* is False where only the recording's
    details can tell."""

    account: str
    row: RecordingDetails
    seen: bool


class DetailLookups:
    """One search's looks at recordings' details."""

    def __init__(self, listing: Listing, identity: Identity) -> None:
        self._listing = listing
        self._identity = identity
        self._left = _LOOKS

    @property
    def spent(self) -> bool:
        return self._left == 0

    async def sees(self, candidate: Candidate) -> bool:
        """Whether the person sees it. BusyError where that would take a look too many; ValtError."""
        if candidate.seen:
            return True
        if self.spent:
            raise BusyError("too many recordings would have to be looked at one by one")
        self._left -= 1
        return await self._listing.may_see(self._identity, candidate.account, candidate.row.recording)


class Search:
    def __init__(self, listing: Listing, catalogue: Catalogue) -> None:
        self._listing = listing
        self._catalogue = catalogue

    async def candidates(self, identity: Identity, query: Mapping[str, Any]) -> AsyncGenerator[Candidate]:
        """What VALT finds for its own *query*, in its order, an account after another, each asked only as one reads
        on; a recording stands there once for each account that is told of it. ValtError."""
        for account in self._listing.accounts(identity):
            for number, row in enumerate(await self._catalogue.search(account, query)):
                if number % _ROWS_AT_ONCE == 0:
                    await asyncio.sleep(0)
                seen = self._listing.may_list(identity, account, row)
                if seen is not False:
                    yield Candidate(account, row, seen is True)

    def looks(self, identity: Identity) -> DetailLookups:
        """For one search of that person's."""
        return DetailLookups(self._listing, identity)
