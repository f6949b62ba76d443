"""The simulated VALT's API: login, download links, details, comments, search, rooms and version."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from weakref import WeakSet

from aiohttp import web

from gateway.ports import Clock
from gateway.sim import responses
from gateway.sim.catalogue import Recording
from gateway.sim.knobs import Knobs
from gateway.sim.link_signer import LinkSigner


class Api:
    """Serves the API. *users* are names and passwords. *on_call* is called with the name of each operation, *on_change*
    after it. *media* returns the media server's ``scheme://host:port``."""

    def __init__(
        self,
        recordings: list[Recording],
        users: dict[str, str],
        knobs: Knobs,
        clock: Clock,
        signer: LinkSigner,
        on_call: Callable[[str], None],
        media: Callable[[], str],
        on_change: Callable[[], None],
    ) -> None:
        self.recordings = recordings
        self.tokens: dict[str, float] = {}
        self.issued: list[str] = []
        """Every access token that has been issued."""
        self.traceparents: list[tuple[str, str | None]] = []
        """The header of each request, with its operation."""
        self._users = users
        self._knobs = knobs
        self._clock = clock
        self._signer = signer
        self._on_call = on_call
        self._media = media
        self._on_change = on_change
        self._used_connections: WeakSet[asyncio.Transport] = WeakSet()

    def application(self) -> web.Application:
        application = web.Application()
        add = application.router.add_route
        add("POST", "/api/v3/login", self._operation("login", self._login))
        add("GET", "/api/v3/records/download/{recording}/{video}", self._operation("download", self._download))
        add("GET", "/api/v3/records/{recording}", self._operation("record", self._record))
        add("POST", "/api/v3/records", self._operation("search", self._search))
        add("GET", "/api/v3/rooms/info", self._operation("rooms", self._rooms))
        add("GET", "/api/v3/rooms/info/{room}", self._operation("rooms", self._room))
        add("GET", "/api/v3/comment/record/{recording}", self._operation("comments", self._comments))
        add("GET", "/api/v3/admin/general", self._operation("general", self._general))
        return application

    def recording(self, recording: str) -> Recording | None:
        return next((one for one in self.recordings if one.recording == recording), None)

    def _operation(
        self, name: str, handler: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def operate(request: web.Request) -> web.Response:
            self.traceparents.append((name, request.headers.get("traceparent")))
            self._on_call(name)
            self._on_change()
            knobs = self._knobs
            if name in knobs.gate:
                await knobs.gate[name].wait()
            if knobs.delay.get(name):
                await asyncio.sleep(knobs.delay[name])
            if self._drops(name, request):
                return web.Response()
            if knobs.fail.get(name):
                answer = web.Response(status=knobs.fail[name].pop(0), text="<html><h1>nginx</h1></html>")
                if answer.status == 408 and not knobs.keep_after_408:
                    answer.force_close()
                return answer
            if name in knobs.refuse:
                return web.json_response(responses.BAD_KEY, status=knobs.refuse[name])
            if name in knobs.rubbish:
                return web.Response(text="<html><body>It works!</body></html>", content_type="text/html")
            if name != "login" and (refusal := self._refusal(request)) is not None:
                return refusal
            return await handler(request)

        return operate

    def _drops(self, name: str, request: web.Request) -> bool:
        """Whether a knob has the connection closed without a response; closes it if so."""
        transport, knobs = request.transport, self._knobs
        is_used = transport in self._used_connections
        if transport is None:
            return True
        self._used_connections.add(transport)
        if knobs.drop.get(name):
            knobs.drop[name] -= 1
        elif not is_used or name not in knobs.drop_used_connections:
            return False
        transport.abort()
        return True

    def _refusal(self, request: web.Request) -> web.Response | None:
        token = request.query.get("access_token")
        if token is None:
            return web.json_response(responses.NO_KEY, status=401)
        if self.tokens.get(token, 0.0) <= self._clock.monotonic():
            return web.json_response(responses.BAD_KEY, status=401)
        return None

    async def _login(self, request: web.Request) -> web.Response:
        body = await _json(request)
        if body is None:
            return web.json_response(responses.SERVER_ERROR, status=500)
        username, password = str(body.get("username")), body.get("password")
        if self._knobs.refuse_logins or username not in self._users or self._users[username] != password:
            return web.json_response(responses.LOGIN_FAILED, status=401)
        token = secrets.token_hex(16)
        self.issued.append(token)
        self.tokens[token] = self._clock.monotonic() + self._knobs.token_life
        return web.json_response(responses.login(token))

    async def _download(self, request: web.Request) -> web.Response:
        recording = self.recording(request.match_info["recording"])
        film = None if recording is None else recording.film(request.match_info["video"])
        if recording is None or film is None or not film.ready:
            return web.json_response(responses.NOT_FOUND_DOWNLOAD, status=404)
        number = recording.films.index(film) + 1
        path = f"/distribution/{recording.recording}/1_{recording.recording}_{number}.mp4"
        scheme, _, host = self._media().partition("://")
        host, scheme = self._knobs.link_host or host, self._knobs.link_scheme or scheme
        token = self._signer.sign(host.rpartition(":")[0], path)
        url = f"{scheme}://{host}{path}?filename={responses.filename(recording, film)}&access_token={token}"
        answer = {"url": url}
        return web.json_response({"data": answer} if self._knobs.url_under_data else answer)

    async def _record(self, request: web.Request) -> web.Response:
        recording = self.recording(request.match_info["recording"])
        if recording is None:
            return web.json_response(responses.NOT_FOUND, status=404)
        return web.json_response(responses.details(recording))

    async def _search(self, request: web.Request) -> web.Response:
        body = await _json(request)
        if body is None:
            return web.json_response(responses.SERVER_ERROR, status=500)
        text = str(body.get("search", "")).lower()
        first, last = body.get("start_date"), body.get("end_date")
        rows = [
            responses.row(one)
            for one in self.recordings
            if text in one.name.lower() and _is_between(one.created, first, last)
        ]
        try:
            offset, limit = int(body.get("offset", 0)), int(body.get("limit", len(rows)))
        except (TypeError, ValueError):
            return web.json_response(responses.SERVER_ERROR, status=500)
        return web.json_response({"data": {"records": rows[offset : offset + limit]}})

    async def _rooms(self, _request: web.Request) -> web.Response:
        rooms = sorted({one.room for one in self.recordings})
        return web.json_response({"data": {"rooms": [{"id": id_, "name": name} for id_, name in rooms]}})

    async def _room(self, request: web.Request) -> web.Response:
        room = request.match_info["room"]
        name = next((one.room[1] for one in self.recordings if str(one.room[0]) == room), None)
        if name is None:
            return web.json_response(responses.NOT_FOUND, status=404)
        return web.json_response(responses.room(name, self._knobs.recording_now.get(int(room))))

    async def _comments(self, request: web.Request) -> web.Response:
        recording = self.recording(request.match_info["recording"])
        if recording is None or self._knobs.version.startswith("5"):
            return web.json_response(responses.NOT_FOUND, status=404)
        return web.json_response(responses.comments(recording))

    async def _general(self, _request: web.Request) -> web.Response:
        return web.json_response({"data": {"version": self._knobs.version, "server_name": "valt"}})


def _is_between(created: float, first: str | None, last: str | None) -> bool:
    """Whether *created*, Unix seconds, is on a day from *first* to *last*, ``MM-DD-YYYY`` in UTC."""
    day = datetime.fromtimestamp(created, UTC).date()
    begin, end = (None if text is None else datetime.strptime(text, "%m-%d-%Y").date() for text in (first, last))
    return (begin or day) <= day <= (end or day)


async def _json(request: web.Request) -> dict[str, Any] | None:
    try:
        body = json.loads(await request.read())
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
