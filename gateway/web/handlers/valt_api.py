"""VALT's own API behind single sign-on, read-only, for clients written for VALT that hold no credential of VALT's.

Bodies and errors have VALT's shapes (VALT API, 1.5). What the caller may not see, and every call that is not offered,
is answered with VALT's 404.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from aiohttp import web

from gateway.access import Access
from gateway.errors import (
    BadRequestError,
    GatewayError,
    InvalidCredentialsError,
    NotFoundError,
    RecordingExpiredError,
)
from gateway.model import Identity, Secret, Video, parse_id
from gateway.ports import Audit, Clock, ListPolicy, Recordings, ServiceKeys, ValtSearch
from gateway.recording_search import RecordingSearch
from gateway.web.credentials import CredentialsReader
from gateway.web.errors import STATUS
from gateway.web.request import Request
from gateway.web.responses import json_response, set_retry_after
from gateway.web.schemas import valt_api as schemas

_VALT_QUERY = ("search", "start_date", "end_date", "filter")
"""The keys of a search that are passed on to VALT. Paging is done here; all other keys are ignored."""

Call = Callable[["ValtApiHandlers", Request], Awaitable[Any]]
Handler = Callable[["ValtApiHandlers", Request], Awaitable[web.StreamResponse]]


def _as_valt(*, unauthorized: Any = schemas.BAD_KEY, not_found: Any = schemas.NOT_FOUND) -> Callable[[Call], Handler]:
    """Makes a handler of a call: renders its result as JSON and its errors in VALT's shapes, and has it audited."""

    def decorate(call: Call) -> Handler:
        async def handle(self: "ValtApiHandlers", request: Request) -> web.StreamResponse:
            request.record.mark_api_call()
            try:
                self._audit.require_room()
                return json_response(await call(self, request))
            except GatewayError as error:
                request.record.fail(error)
                status, body = schemas.error_response(
                    error, STATUS[type(error)], unauthorized=unauthorized, not_found=not_found
                )
                response = json_response(body, status)
                set_retry_after(response, error.retry_after)
                return response

        return handle

    return decorate


class ValtApiHandlers:
    """The calls under /api/v3."""

    def __init__(
        self,
        access: Access,
        search: RecordingSearch,
        policy: ListPolicy,
        valt_search: ValtSearch,
        recordings: Recordings,
        keys: ServiceKeys,
        reader: CredentialsReader,
        audit: Audit,
        clock: Clock,
        *,
        public_url: str,
    ) -> None:
        self._access = access
        self._audit = audit
        self._search = search
        self._policy = policy
        self._valt_search = valt_search
        self._recordings = recordings
        self._keys = keys
        self._reader = reader
        self._clock = clock
        self._public_url = public_url.rstrip("/")

    @_as_valt(unauthorized=schemas.LOGIN_FAILED)
    async def login(self, request: Request) -> Any:
        """POST /api/v3/login: exchanges a service key's name and secret for an access token."""
        body = await _read_body(request)
        name, secret = body.get("username"), body.get("password")
        if not isinstance(name, str) or not isinstance(secret, str):
            raise InvalidCredentialsError("the login has no user name or no password")
        identity, token = self._keys.log_in(name, Secret(secret))
        request.record.set_identity(identity)
        return {"data": {"access_token": token.reveal()}}

    @_as_valt()
    async def search(self, request: Request) -> Any:
        """POST /api/v3/records: the matching recordings that the caller may see; *limit* of them from *offset* on."""
        identity = await self._authenticate(request)
        body = await _read_body(request)
        offset, limit = _row_count(body.get("offset")) or 0, _row_count(body.get("limit"))
        end = None if limit is None else offset + limit
        query = {key: body[key] for key in _VALT_QUERY if isinstance(body.get(key), str | int)}
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

    @_as_valt()
    async def record(self, request: Request) -> Any:
        """GET /api/v3/records/{recording}"""
        recording = parse_id(request.parts["recording"])
        request.record.set_target(recording)
        credentials = self._reader.read(request, access_token=True)
        grant, _ = await self._access.authorize(credentials, recording, None, request.record)
        details = await self._recordings.get(grant.account, recording)
        if details.is_over(self._clock.now()):
            raise RecordingExpiredError("retention.until has passed")
        videos = [entry for entry in details.videos if grant.identity.covers(recording, entry.video)]
        return {"data": schemas.details(details, videos)}

    @_as_valt(not_found=schemas.NOT_FOUND_DOWNLOAD)
    async def download(self, request: Request) -> Any:
        """GET /api/v3/records/download/{recording}/{video}: a link to this gateway with a token for that one video."""
        video = Video.parse(request.parts["recording"], request.parts["video"])
        request.record.set_target(video.recording, video.video)
        credentials = self._reader.read(request, access_token=True)
        grant, _ = await self._access.authorize(
            credentials, video.recording, video.video, request.record, download=True
        )
        token = self._keys.issue_video_token(grant.identity, video).reveal()
        path = f"/recordings/{video.recording}/videos/{video.video}"
        return {"url": f"{self._public_url}{path}?access_token={token}"}

    @_as_valt()
    async def rooms(self, request: Request) -> Any:
        """GET /api/v3/rooms/info: the rooms of which the caller may see a recording."""
        identity = await self._authenticate(request)
        rooms: dict[int, str] = {}
        client = request.record.peer
        for account in self._policy.accounts(identity, client):
            for room_id, name in await self._valt_search.rooms(account):
                if self._policy.may_see_room(identity, account, name, client):
                    rooms.setdefault(room_id, name)
        return {"data": {"rooms": [{"id": room_id, "name": name} for room_id, name in rooms.items()]}}

    @_as_valt()
    async def other(self, _request: Request) -> Any:
        """Every other call: 404, whoever the caller is."""
        raise NotFoundError("this call of VALT's API is not offered")

    async def _authenticate(self, request: Request) -> Identity:
        return await self._access.authenticate(self._reader.read(request, access_token=True), request.record)


async def _read_body(request: Request) -> Mapping[str, Any]:
    """Returns the JSON object in the body; an empty body is an empty object. Raises BadRequestError."""
    try:
        body = json.loads(await request.read_body() or b"{}")
    except (ValueError, RecursionError, web.HTTPRequestEntityTooLarge):
        body = None
    if not isinstance(body, dict):
        raise BadRequestError("the body is not a JSON object, or too large")
    return body


def _row_count(value: Any) -> int | None:
    """Returns a number of rows, which may be given as text; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
