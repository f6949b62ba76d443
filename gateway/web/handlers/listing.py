"""The recordings that a person may see, newest first and a page at a time: a page to search, or JSON for scripts."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from gateway.access import Access
from gateway.model import Identity, RecordingDetails
from gateway.web.credentials import CredentialsReader
from gateway.web.negotiation import is_navigation
from gateway.web.pages.render import Pages, timestamp
from gateway.web.request import Request
from gateway.web.search import Candidate, Search
from gateway.web.session_cookies import SessionCookies

_ROWS = 25
_LONGEST_SEARCH = 200
"""Characters."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Page *page* of what was found for *text*. *total* is None where not everything was looked at; *complete* is False
    where that would have taken too many looks, and then only a narrower search finds what is left out."""

    text: str
    page: int
    rows: list[RecordingDetails]
    more: bool
    total: int | None = None
    complete: bool = True

    @property
    def last(self) -> int:
        """The last page there is known to be."""
        return self.page + self.more if self.total is None else -(-self.total // _ROWS)


class ListingHandlers:
    def __init__(
        self,
        access: Access,
        search: Search,
        reader: CredentialsReader,
        session_cookies: SessionCookies,
        pages: Pages,
        *,
        public_url: str,
    ) -> None:
        self._access = access
        self._search = search
        self._reader = reader
        self._session_cookies = session_cookies
        self._pages = pages
        self._public_url = public_url.rstrip("/")

    async def recordings(self, request: Request) -> web.StreamResponse:
        """GET /recordings?q=TEXT&page=N"""
        record = request.record
        credentials = self._reader.read(request)
        exchanged = await self._session_cookies.exchange_ticket(request, credentials)
        if exchanged is not None:
            return exchanged
        record.api = True
        identity = await self._access.authenticate(credentials, record)
        self._session_cookies.refresh(request, identity)
        text = request.query.get("q", "").strip()[:_LONGEST_SEARCH]
        page = page_number(request.query.get("page", ""))
        listed = await self._newest(identity, text, page)
        if is_navigation(request):
            return self._pages.recordings(request, _told(listed) | _shown(listed))
        told = _told(listed, self._public_url)
        return web.json_response(told, headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})

    async def _newest(self, identity: Identity, text: str, page: int) -> Listed:
        """What is found for *text*, newest first. Details are looked at only as far as this page needs them."""
        query = {"search": text} if text else {}
        candidates = [candidate async for candidate in self._search.candidates(identity, query)]
        candidates.sort(key=_age)
        looks = self._search.looks(identity)
        begin, end = (page - 1) * _ROWS, page * _ROWS
        found: dict[str, RecordingDetails] = {}
        total, complete = None, True
        for candidate in candidates:
            if candidate.row.recording in found:
                continue
            if not candidate.seen and (len(found) > end or looks.spent):
                complete = not looks.spent
                break
            if await looks.sees(candidate):
                found[candidate.row.recording] = candidate.row
        else:
            total = len(found)
        return Listed(text, page, list(found.values())[begin:end], len(found) > end, total, complete)


def _told(listed: Listed, base: str = "") -> dict[str, Any]:
    """What a script is told: of each recording what its own address tells, and where the other pages are."""
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
            for row in listed.rows
        ],
        "page": listed.page,
        "total": listed.total,
        "complete": listed.complete,
        "previous": base + address(listed.text, min(listed.page - 1, listed.last)) if listed.page > 1 else None,
        "next": base + address(listed.text, listed.page + 1) if listed.more else None,
    }


def _shown(listed: Listed) -> dict[str, Any]:
    """What the page needs besides."""
    return {
        "text": listed.text,
        "first": (listed.page - 1) * _ROWS + 1,
        "longest": _LONGEST_SEARCH,
        "steps": [
            (step, None if step is None else address(listed.text, step)) for step in steps(listed.page, listed.last)
        ],
    }


def _age(candidate: Candidate) -> tuple[float, str, bool]:
    """Newest first, those without a date last, of equals always the same first; and of one recording's rows first that
    which needs no look."""
    return -(candidate.row.created or 0.0), candidate.row.recording, not candidate.seen


def page_number(text: str) -> int:
    """The page that *text* asks for; the first where it is no number of one."""
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) <= 6 else 1


def address(text: str, page: int) -> str:
    """The path of a page of a search."""
    query = {"q": text} if text else {}
    if page > 1:
        query["page"] = str(page)
    return "/recordings" + ("?" + urlencode(query) if query else "")


def steps(page: int, last: int) -> list[int | None]:
    """The pages to offer: the first, the last, and those about *page*; None stands for what lies between."""
    told: list[int | None] = []
    for step in sorted({step for step in (1, page - 1, page, page + 1, last) if 1 <= step <= last}):
        if told and told[-1] is not None and step - told[-1] > 1:
            told.append(None)
        told.append(step)
    return told
