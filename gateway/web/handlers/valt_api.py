"""VALT's own API behind SSO, read-only: for a client written for VALT, which never holds a credential of VALT's.

Shapes and refusals are VALT's (valt-api.md, 1.5). What the caller may not see is VALT's 404, and so is every call that
is not here.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Protocol

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
from gateway.ports import Clock, Recordings
from gateway.web.credentials import CredentialsReader
from gateway.web.errors import STATUS
from gateway.web.request import Request
from gateway.web.schemas import valt_api as shapes
from gateway.web.search import Search

_ASKED = ("search", "start_date", "end_date", "filter")
"""What of a search is handed on to VALT. Paging is ours, anything else nobody's."""


class Rooms(Protocol):
    """The rules, as far as rooms need them."""

    def accounts(self, identity: Identity) -> list[str]:
        """As whom VALT is asked for this person."""
        ...

    def may_see_room(self, identity: Identity, account: str, room: str) -> bool: ...


class Catalogue(Protocol):
    """What an account sees of VALT."""

    async def rooms(self, account: str) -> list[tuple[int, str]]: ...


class ServiceKeys(Protocol):
    """Who logs in as a client of VALT's does, and the proofs in links."""

    def log_in(self, name: str, secret: Secret) -> tuple[Identity, Secret]:
        """Who it is, and a token. InvalidCredentialsError."""
        ...

    def prove(self, identity: Identity, video: Video) -> Secret:
        """A token with which *identity* sees *video* and nothing else."""
        ...


Call = Callable[["ApiHandlers", Request], Awaitable[Any]]
Answer = Callable[["ApiHandlers", Request], Awaitable[web.StreamResponse]]


def _as_valt(*, unauthorized: Any = shapes.BAD_KEY, not_found: Any = shapes.NOT_FOUND) -> Callable[[Call], Answer]:
    """Answer JSON, audit the call, and turn errors into VALT's."""

    def decorate(call: Call) -> Answer:
        async def answer(self: "ApiHandlers", request: Request) -> web.StreamResponse:
            request_record = request.record
            request_record.api = True
            try:
                return _answer(200, await call(self, request))
            except GatewayError as error:
                request_record.code, request_record.reason = error.code, str(error)
                told = shapes.refusal(error, STATUS[type(error)], unauthorized=unauthorized, not_found=not_found)
                response = _answer(*told)
                if error.retry_after is not None:
                    response.headers["Retry-After"] = str(max(1, round(error.retry_after)))
                return response

        return answer

    return decorate


class ApiHandlers:
    def __init__(
        self,
        access: Access,
        search: Search,
        rules: Rooms,
        catalogue: Catalogue,
        recordings: Recordings,
        keys: ServiceKeys,
        reader: CredentialsReader,
        clock: Clock,
        *,
        public_url: str,
    ) -> None:
        self._access = access
        self._search = search
        self._rules = rules
        self._catalogue = catalogue
        self._recordings = recordings
        self._keys = keys
        self._reader = reader
        self._clock = clock
        self._public_url = public_url.rstrip("/")

    @_as_valt(unauthorized=shapes.LOGIN_FAILED)
    async def login(self, request: Request) -> Any:
        """POST /api/v3/login: a service key's name and secret for a token."""
        body = await _body(request)
        name, secret = body.get("username"), body.get("password")
        if not isinstance(name, str) or not isinstance(secret, str):
            raise InvalidCredentialsError("the login names no user and password")
        request.record.identity, token = self._keys.log_in(name, Secret(secret))
        return {"data": {"access_token": token.reveal()}}

    @_as_valt()
    async def search(self, request: Request) -> Any:
        """POST /api/v3/records: what matches and may be seen, from *offset*, *limit* many."""
        identity = await self._identify(request)
        body = await _body(request)
        offset, limit = _count(body.get("offset")) or 0, _count(body.get("limit"))
        end = None if limit is None else offset + limit
        query = {key: body[key] for key in _ASKED if isinstance(body.get(key), str | int)}
        found: dict[str, dict[str, Any]] = {}
        looks = self._search.looks(identity)
        async with aclosing(self._search.candidates(identity, query)) as candidates:
            async for candidate in candidates:
                recording = candidate.row.recording
                if recording not in found and await looks.sees(candidate):
                    found[recording] = shapes.row(candidate.row)
                    if len(found) == end:
                        break
        return {"data": {"records": list(found.values())[offset:end]}}

    @_as_valt()
    async def record(self, request: Request) -> Any:
        """GET /api/v3/records/{recording}"""
        request_record = request.record
        recording = request_record.recording = parse_id(request.parts["recording"])
        credentials = self._reader.read(request, access_token=True)
        grant, _ = await self._access.authorize(credentials, recording, None, request_record)
        details = await self._recordings.get(grant.account, recording)
        if details.is_over(self._clock.now()):
            raise RecordingExpiredError("retention.until has passed")
        videos = [entry for entry in details.videos if grant.identity.covers(recording, entry.video)]
        return {"data": shapes.details(details, videos)}

    @_as_valt(not_found=shapes.NOT_FOUND_DOWNLOAD)
    async def download(self, request: Request) -> Any:
        """GET /api/v3/records/download/{recording}/{video}: our own link, with a proof for that one video."""
        request_record = request.record
        video = Video.parse(request.parts["recording"], request.parts["video"])
        request_record.recording, request_record.video = video.recording, video.video
        credentials = self._reader.read(request, access_token=True)
        grant, _ = await self._access.authorize(
            credentials, video.recording, video.video, request_record, download=True
        )
        proof = self._keys.prove(grant.identity, video).reveal()
        path = f"/recordings/{video.recording}/videos/{video.video}"
        return {"url": f"{self._public_url}{path}?access_token={proof}"}

    @_as_valt()
    async def rooms(self, request: Request) -> Any:
        """GET /api/v3/rooms/info: the rooms that some rule of the caller's can reach."""
        identity = await self._identify(request)
        rooms: dict[int, str] = {}
        for account in self._rules.accounts(identity):
            for id_, name in await self._catalogue.rooms(account):
                if self._rules.may_see_room(identity, account, name):
                    rooms.setdefault(id_, name)
        return {"data": {"rooms": [{"id": id_, "name": name} for id_, name in rooms.items()]}}

    @_as_valt()
    async def other(self, _request: Request) -> Any:
        """Every other call, whoever asks."""
        raise NotFoundError("no such call of VALT's API is offered")

    async def _identify(self, request: Request) -> Identity:
        return await self._access.authenticate(self._reader.read(request, access_token=True), request.record)


async def _body(request: Request) -> Mapping[str, Any]:
    """A JSON object; no body at all is an empty one."""
    try:
        body = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError, web.HTTPRequestEntityTooLarge):
        body = None
    if not isinstance(body, dict):
        raise BadRequestError("the body is no JSON object, or too large")
    return body


def _count(value: Any) -> int | None:
    """A number of rows, also written as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _answer(status: int, body: Any) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.json_response(body, status=status, headers=headers)
