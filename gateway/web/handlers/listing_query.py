"""What a person wants to see in the list of recordings, as its address states it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Self
from urllib.parse import urlencode

from gateway.recording_details import RecordingDetails

MAX_LENGTH = 200
"""Characters of a text in the query."""


@dataclass(frozen=True, slots=True)
class ListingQuery:
    """*text* is for VALT's own search. *since* and *until* are the first and the last day of recording. *room* and
    *author* are parts of the names, in any case. What is empty or None does not limit the list."""

    text: str = ""
    since: date | None = None
    until: date | None = None
    room: str = ""
    author: str = ""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        """Returns the parameters ``q``, ``since``, ``until``, ``room`` and ``author``. A day that is no day in the form
        YYYY-MM-DD does not limit the list."""
        text, room, author = (query.get(name, "").strip()[:MAX_LENGTH].rstrip() for name in ("q", "room", "author"))
        return cls(text, _day(query.get("since", "")), _day(query.get("until", "")), room, author)

    @property
    def has_filters(self) -> bool:
        """Whether anything but the text limits the list."""
        return bool(self.since or self.until or self.room or self.author)

    def parameters(self) -> dict[str, str]:
        """Returns the parameters that :meth:`parse` reads, without empty ones."""
        values = {"q": self.text, "since": self.since, "until": self.until, "room": self.room, "author": self.author}
        return {name: str(value) for name, value in values.items() if value}

    def for_valt(self) -> dict[str, Any]:
        """Returns VALT's query, whose result holds at least what :meth:`matches` accepts: VALT's time zone may be
        another one, so that its days begin up to a day earlier or later."""
        query: dict[str, Any] = {"search": self.text} if self.text else {}
        if self.since is not None and self.since > date.min:
            query["start_date"] = f"{self.since - timedelta(days=1):%m-%d-%Y}"
        if self.until is not None and self.until < date.max:
            query["end_date"] = f"{self.until + timedelta(days=1):%m-%d-%Y}"
        return query

    def matches(self, row: RecordingDetails, zone: tzinfo | None) -> bool:
        """Whether the filters accept *row*. Days are those of *zone*, None for the machine's. A recording without a
        date matches no day."""
        if self.room.casefold() not in (row.room or "").casefold():
            return False
        if self.author.casefold() not in (row.author or "").casefold():
            return False
        if self.since is None and self.until is None:
            return True
        if row.created is None:
            return False
        day = datetime.fromtimestamp(row.created, zone).date()
        return (self.since or day) <= day <= (self.until or day)

    def address(self, page: int) -> str:
        """Returns the path of page *page* of the result."""
        query = self.parameters()
        if page > 1:
            query["page"] = str(page)
        return "/recordings" + ("?" + urlencode(query) if query else "")


def _day(text: str) -> date | None:
    # date.fromisoformat also accepts 20260301 and 2026-W09-7.
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
