"""The list of recordings that a person may see, newest first, in pages: HTML with a search box, or JSON for scripts."""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from aiohttp import web

from gateway.access import Access
from gateway.model import Identity, IdentityKind
from gateway.ports import Audit
from gateway.recording_details import RecordingDetails
from gateway.recording_search import Candidate, RecordingSearch
from gateway.web.credentials import CredentialsReader
from gateway.web.handlers.listing_query import MAX_LENGTH, ListingQuery
from gateway.web.negotiation import is_navigation
from gateway.web.pages.render import Pages, timestamp
from gateway.web.request import Request
from gateway.web.responses import json_response
from gateway.web.session_cookies import SessionCookies

_PAGE_SIZE = 25


@dataclass(frozen=True, slots=True)
class ListingPage:
    """Page *page* of what *query* shows. *visible* are the recordings evaluated so far, from the first page on.

    *total* is None if not every candidate was evaluated. *complete* is False if that would have needed too many lookups
    of details; then only a narrower search shows the rest."""

    query: ListingQuery
    page: int
    visible: list[RecordingDetails]
    total: int | None = None
    complete: bool = True

    @property
    def rows(self) -> list[RecordingDetails]:
        """The recordings of this page."""
        return self.visible[(self.page - 1) * _PAGE_SIZE : self.page * _PAGE_SIZE]

    @property
    def has_next(self) -> bool:
        """Whether another page follows."""
        return len(self.visible) > self.page * _PAGE_SIZE

    @property
    def last(self) -> int:
        """The number of the last page, or of the last page that is certain to exist if the total is not determined."""
        return self.page + self.has_next if self.total is None else -(-self.total // _PAGE_SIZE)


class ListingHandlers:
    """The address of the list."""

    def __init__(
        self,
        access: Access,
        search: RecordingSearch,
        reader: CredentialsReader,
        session_cookies: SessionCookies,
        pages: Pages,
        audit: Audit,
        *,
        public_url: str,
        zone: tzinfo | None,
    ) -> None:
        self._access = access
        self._audit = audit
        self._search = search
        self._reader = reader
        self._session_cookies = session_cookies
        self._pages = pages
        self._public_url = public_url.rstrip("/")
        self._zone = zone

    async def recordings(self, request: Request) -> web.StreamResponse:
        """GET, HEAD /recordings?q=TEXT&since=DAY&until=DAY&room=NAME&author=NAME&page=N"""
        record = request.record
        credentials = self._reader.read(request)
        exchanged = await self._session_cookies.exchange_ticket(request, credentials)
        if exchanged is not None:
            return exchanged
        record.mark_api_call()
        self._audit.require_room()
        identity = await self._access.authenticate(credentials, record)
        self._session_cookies.refresh(request, identity)
        if identity.kind is IdentityKind.NEGOTIATE:
            await self._session_cookies.begin(request, credentials, identity)
        query = ListingQuery.parse(request.query)
        page = page_number(request.query.get("page", ""))
        listing = await self._search_page(identity, query, page, request.record.peer)
        if is_navigation(request):
            return self._pages.recordings(request, _describe(listing) | _describe_navigation(listing))
        return json_response(_describe(listing, self._public_url))

    async def _search_page(self, identity: Identity, query: ListingQuery, page: int, client: str | None) -> ListingPage:
        """Returns a page of what *query* shows, newest first. Details are looked up only where it needs them."""
        candidates = [
            candidate
            async for candidate in self._search.candidates(identity, query.for_valt(), client)
            if query.matches(candidate.row, self._zone)
        ]
        candidates.sort(key=_sort_key)
        budget = self._search.detail_lookups(identity, client)
        visible: dict[str, RecordingDetails] = {}
        total, complete = None, True
        for candidate in candidates:
            if candidate.row.recording in visible:
                continue
            if not candidate.is_visible and (len(visible) > page * _PAGE_SIZE or budget.is_exhausted):
                complete = not budget.is_exhausted
                break
            if await budget.can_see(candidate):
                visible[candidate.row.recording] = candidate.row
        else:
            total = len(visible)
        return ListingPage(query, page, list(visible.values()), total, complete)


def _describe(listing: ListingPage, base: str = "") -> dict[str, Any]:
    """Returns the JSON of a page: its recordings, and the addresses of the pages before and after it."""
    previous_page = min(listing.page - 1, listing.last)
    return {
        "recordings": [
            {
                "recording": row.recording,
                "name": row.name,
                "room": row.room,
                "author": row.author,
                "created": None if row.created is None else timestamp(row.created),
                "duration": row.duration,
                "url": f"{base}/recordings/{row.recording}",
            }
            for row in listing.rows
        ],
        "page": listing.page,
        "total": listing.total,
        "complete": listing.complete,
        "previous": base + listing.query.address(previous_page) if listing.page > 1 else None,
        "next": base + listing.query.address(listing.page + 1) if listing.has_next else None,
    }


def _describe_navigation(listing: ListingPage) -> dict[str, Any]:
    """Returns what the HTML page needs in addition."""
    return {
        "query": listing.query,
        "rooms": sorted({row.room for row in listing.visible if row.room}),
        "authors": sorted({row.author for row in listing.visible if row.author}),
        "first": (listing.page - 1) * _PAGE_SIZE + 1,
        "longest": MAX_LENGTH,
        "steps": [
            (step, None if step is None else listing.query.address(step)) for step in steps(listing.page, listing.last)
        ],
    }


def _sort_key(candidate: Candidate) -> tuple[float, str, bool]:
    """Sorts newest first, rows without a date last, then by id. Of one recording, rows without a lookup are first."""
    return -(candidate.row.created or 0.0), candidate.row.recording, not candidate.is_visible


def page_number(text: str) -> int:
    """Returns the page number that *text* states, or 1 if it is not a positive number of at most six digits."""
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) <= 6 else 1


def steps(page: int, last: int) -> list[int | None]:
    """Returns the page numbers to link to: the first, the last and the neighbours of *page*; None marks a gap."""
    numbers: list[int | None] = []
    for step in sorted({step for step in (1, page - 1, page, page + 1, last) if 1 <= step <= last}):
        if numbers and numbers[-1] is not None and step - numbers[-1] > 1:
            numbers.append(None)
        numbers.append(step)
    return numbers
