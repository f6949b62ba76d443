"""VALT's own API behind single sign-on, read-only, for clients written for VALT that hold no credential of VALT's.

What the caller may not see, and every call that is not offered, is answered with VALT's 404.
"""

import json
from collections.abc import Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Any

from aiohttp import web

from gateway.access import Access, details_to_show
from gateway.errors import BadRequestError, InvalidCredentialsError, NotFoundError
from gateway.model import Grant, Secret, Video, parse_id
from gateway.ports import Audit, Clock, CommentsOfRecordings, Recordings, ServiceKeys
from gateway.recording_details import RecordingDetails
from gateway.recording_search import RecordingSearch
from gateway.web.credentials import CredentialsReader
from gateway.web.handlers.valt_call import ValtHandlers, as_valt
from gateway.web.request import Request
from gateway.web.schemas import valt_api as schemas

_VALT_QUERY = ("search", "filter")
_VALT_DAYS = ("start_date", "end_date")
"""The keys of a search that are passed on to VALT. Paging is done here; all other keys are ignored."""


class ValtApiHandlers(ValtHandlers):
    """The calls under /api/v3 that log in, and those that concern recordings; valt_rooms has the others."""

    def __init__(
        self,
        access: Access,
        search: RecordingSearch,
        recordings: Recordings,
        comments: CommentsOfRecordings,
        keys: ServiceKeys,
        reader: CredentialsReader,
        audit: Audit,
        clock: Clock,
        *,
        public_url: str,
    ) -> None:
        super().__init__(access, reader, audit)
        self._search = search
        self._recordings = recordings
        self._comments = comments
        self._keys = keys
        self._clock = clock
        self._public_url = public_url.rstrip("/")

    @as_valt(unauthorized=schemas.LOGIN_FAILED)
    async def login(self, request: Request) -> Any:
        """POST /api/v3/login: exchanges a service key's name and secret for an access token."""
        body = await _read_body(request)
        name, secret = body.get("username"), body.get("password")
        if not isinstance(name, str) or not isinstance(secret, str):
            raise InvalidCredentialsError("the login has no user name or no password")
        identity, token = self._keys.log_in(name, Secret(secret))
        request.record.set_identity(identity)
        return {"data": {"access_token": token.reveal()}}

    @as_valt()
    async def search(self, request: Request) -> Any:
        """POST /api/v3/records: the matching recordings that the caller may see; *limit* of them from *offset* on."""
        identity = await self.authenticate(request)
        body = await _read_body(request)
        offset, limit = _row_count(body.get("offset")) or 0, _row_count(body.get("limit"))
        end = None if limit is None else offset + limit
        query = _valt_query(body)
        rows: dict[str, dict[str, Any]] = {}
        client = request.record.peer
        budget = self._search.detail_lookups(identity, client)
        async with aclosing(self._search.candidates(identity, query, client)) as candidates:
            async for candidate in candidates:
                recording = candidate.row.recording
                if recording not in rows and await budget.can_see(candidate):
                    rows[recording] = schemas.row(candidate.row)
                    if len(rows) == end:
                        break
        return {"data": {"records": list(rows.values())[offset:end]}}

    @as_valt()
    async def record(self, request: Request) -> Any:
        """GET /api/v3/records/{recording}"""
        grant, details = await self._open(request)
        videos = [entry for entry in details.videos if grant.identity.covers(grant.recording, entry.video)]
        return {"data": schemas.details(details, videos)}

    @as_valt(not_found=schemas.NOT_FOUND_DOWNLOAD)
    async def download(self, request: Request) -> Any:
        """GET /api/v3/records/download/{recording}/{video}: a link to this gateway with a token for that one video."""
        video = Video.parse(request.parts["recording"], request.parts["video"])
        request.record.set_target(video.recording, video.video)
        credentials = self.reader.read(request, access_token=True)
        grant, _ = await self.access.authorize(credentials, video, request.record, download=True)
        # A revocation since then, of which this process has not read yet, ends the link too.
        token = self._keys.issue_video_token(grant.identity, video, request.record.identified_at).reveal()
        path = f"/recordings/{video.recording}/videos/{video.video}"
        return {"url": f"{self._public_url}{path}?access_token={token}"}

    @as_valt()
    async def comments(self, request: Request) -> Any:
        """GET /api/v3/comment/record/{recording}: a bare list."""
        grant, details = await self._open(request)
        comments = await self._comments.get(grant.account, details.recording)
        return schemas.comments(details.recording, comments.entries)

    @as_valt()
    async def other(self, _request: Request) -> Any:
        """Every other call: 404, whoever the caller is."""
        raise NotFoundError("this call of VALT's API is not offered")

    async def _open(self, request: Request) -> tuple[Grant, RecordingDetails]:
        """Returns the grant for the whole recording, and its details. Raises GatewayError."""
        recording = parse_id(request.parts["recording"])
        request.record.set_target(recording)
        credentials = self.reader.read(request, access_token=True)
        grant = await self.access.decide(credentials, recording, None, request.record)
        return grant, await details_to_show(self._recordings, grant, self._clock)


async def _read_body(request: Request) -> Mapping[str, Any]:
    """Returns the JSON object in the body; an empty body is an empty object. Raises BadRequestError."""
    try:
        body = json.loads(await request.read_body() or b"{}")
    except (ValueError, RecursionError, web.HTTPRequestEntityTooLarge):
        body = None
    if not isinstance(body, dict):
        raise BadRequestError("the body is not a JSON object, or too large")
    return body


def _valt_query(body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what of a search is passed on to VALT. Raises BadRequestError for a day that is not MM-DD-YYYY, which
    VALT would answer with 500, as if it had failed itself."""
    query = {key: body[key] for key in _VALT_QUERY if isinstance(body.get(key), str | int)}
    for key in _VALT_DAYS:
        day = body.get(key)
        if not isinstance(day, str) or not day:
            continue
        try:
            datetime.strptime(day if day.isascii() else "", "%m-%d-%Y")
        except ValueError:
            raise BadRequestError(f"{key} is not a day in the form MM-DD-YYYY") from None
        query[key] = day
    return query


def _row_count(value: Any) -> int | None:
    """Returns a number of rows, which may be given as text; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
