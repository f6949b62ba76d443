"""The URL map of the public listener.

A route holds a function that selects its handler from `Handlers`, because each reload builds new handlers.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.access import Access
from gateway.web.cors import Cors
from gateway.web.credentials import TrustedProxies
from gateway.web.errors import ErrorRenderer
from gateway.web.handlers.api_docs import ApiDocsHandlers
from gateway.web.handlers.assets import Assets
from gateway.web.handlers.forward_auth import ForwardAuthHandlers
from gateway.web.handlers.listing import ListingHandlers
from gateway.web.handlers.login import SignInHandlers
from gateway.web.handlers.recordings import RecordingHandlers
from gateway.web.handlers.switch import SwitchHandlers
from gateway.web.handlers.text_tracks import TextTrackHandlers
from gateway.web.handlers.userinfo import UserinfoHandlers
from gateway.web.handlers.valt_api import ValtApiHandlers
from gateway.web.handlers.valt_rooms import ValtRoomHandlers
from gateway.web.request import Handler
from gateway.web.request_validation import RequestValidator
from gateway.web.schemas.openapi import openapi


@dataclass(frozen=True, slots=True)
class Handlers:
    """The handlers of one configuration, and what the dispatcher needs beside them."""

    access: Access
    recordings: RecordingHandlers
    text_tracks: TextTrackHandlers
    listing: ListingHandlers
    userinfo: UserinfoHandlers
    forward_auth: ForwardAuthHandlers
    valt_api: ValtApiHandlers
    valt_rooms: ValtRoomHandlers
    api_docs: ApiDocsHandlers
    sign_in: SignInHandlers
    switch: SwitchHandlers
    assets: Assets
    errors: ErrorRenderer
    request_validator: RequestValidator
    proxies: TrustedProxies | None
    cors: Cors
    use_session: Callable[[str], None]
    """Has a session count as used now."""


SelectHandler = Callable[[Handlers], Handler]

VIDEO = "/recordings/{recording}/videos/{video}"

ROUTES: tuple[tuple[tuple[str, ...], str, SelectHandler], ...] = (
    (("GET", "HEAD"), VIDEO, lambda h: h.recordings.video),
    (("GET", "HEAD"), "/recordings/{recording}", lambda h: h.recordings.recording),
    (("GET", "HEAD"), "/recordings/{recording}/captions.vtt", lambda h: h.text_tracks.captions),
    (("GET", "HEAD"), "/recordings/{recording}/chapters.vtt", lambda h: h.text_tracks.chapters),
    (("GET", "HEAD"), "/recordings", lambda h: h.listing.recordings),
    (("OPTIONS",), VIDEO, lambda h: h.cors.preflight),
    (("OPTIONS",), "/recordings/{recording}", lambda h: h.cors.preflight),
    (("OPTIONS",), "/recordings/{recording}/captions.vtt", lambda h: h.cors.preflight),
    (("OPTIONS",), "/recordings/{recording}/chapters.vtt", lambda h: h.cors.preflight),
    (("GET",), "/oauth2/start", lambda h: h.sign_in.start),
    (("GET",), "/oauth2/callback", lambda h: h.sign_in.callback),
    (("GET",), "/oauth2/sign_out", lambda h: h.sign_in.confirm_sign_out),
    (("POST",), "/oauth2/sign_out", lambda h: h.sign_in.sign_out),
    (("POST",), "/oauth2/switch", lambda h: h.switch.switch),
    (("POST",), "/oauth2/backchannel_logout", lambda h: h.sign_in.backchannel_logout),
    (("GET", "HEAD"), "/oauth2/userinfo", lambda h: h.userinfo.userinfo),
    (("*",), "/oauth2/auth", lambda h: h.forward_auth.by_header),
    (("*",), "/oauth2/auth/{path}", lambda h: h.forward_auth.by_path),
    (("GET", "HEAD"), "/assets/{edition}/{name}", lambda h: h.assets.asset),
    (("POST",), "/api/v3/login", lambda h: h.valt_api.login),
    (("POST",), "/api/v3/records", lambda h: h.valt_api.search),
    (("GET",), "/api/v3/records/{recording}", lambda h: h.valt_api.record),
    (("GET",), "/api/v3/records/download/{recording}/{video}", lambda h: h.valt_api.download),
    (("GET",), "/api/v3/comment/record/{recording}", lambda h: h.valt_api.comments),
    (("GET",), "/api/v3/rooms/info", lambda h: h.valt_rooms.rooms),
    (("GET",), "/api/v3/rooms/info/{room}", lambda h: h.valt_rooms.room),
    (("GET",), "/api/v3/admin/general", lambda h: h.valt_rooms.general),
    (("*",), "/api/v3/{call}", lambda h: h.valt_api.other),
    (("GET", "HEAD"), "/openapi.json", lambda _: openapi),
    (("GET", "HEAD"), "/docs", lambda h: h.api_docs.page),
    (("GET", "HEAD"), "/robots.txt", lambda h: h.userinfo.robots),
    (("GET", "HEAD"), "/", lambda h: h.userinfo.home),
)


_ALWAYS = (200, 400, 404, 500)
_WITH_CREDENTIALS = (*_ALWAYS, 401, 403, 429, 502, 503, 504)
_STATUSES = {
    VIDEO: (*_WITH_CREDENTIALS, 206, 303, 304, 307, 410, 412, 416),
    "/recordings/{recording}": (*_WITH_CREDENTIALS, 303, 410),
    "/oauth2/start": (302, 400, 500, 503),
    "/oauth2/callback": (303, 400, 401, 403, 500, 503),
    "/oauth2/auth": (202, 400, 401, 403, 500, 502, 503, 504),
    **dict.fromkeys(("/assets/{edition}/{name}", "/openapi.json", "/docs", "/robots.txt"), _ALWAYS),
    "/api/v3/{call}": (404,),
}
"""The usual statuses of a route, if they are not those of every route with credentials."""


def label_values() -> dict[str, tuple[tuple[str, ...], tuple[int, ...]]]:
    """Returns the methods and the usual statuses of each route, which are in the metrics from the start.

    Others are added when they occur; every status of every method would be a thousand series.
    """
    methods: dict[str, tuple[str, ...]] = {}
    for own, path, _ in ROUTES:
        usual = tuple("GET" if method == "*" else method for method in own if method != "OPTIONS")
        methods[path] = (*methods.get(path, ()), *usual)
    return {path: (methods[path], _STATUSES.get(path, _WITH_CREDENTIALS)) for path in methods}


Route = tuple[re.Pattern[str], str, Mapping[str, Handler]]
"""The pattern of a path, its template, and its handlers by method; ``*`` is every other method."""


def bind(handlers: Handlers) -> tuple[Route, ...]:
    """Returns the routes with the handlers of one configuration."""
    by_path: dict[str, dict[str, Handler]] = {}
    for methods, path, select in ROUTES:
        by_path.setdefault(path, {}).update(dict.fromkeys(methods, select(handlers)))
    return tuple((_pattern(path), path, by_method) for path, by_method in by_path.items())


def _pattern(path: str) -> re.Pattern[str]:
    """Returns the pattern of a template. A parameter is one segment; ``{call}`` and ``{path}`` are all that follows."""
    parameters = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/{}]+)", re.escape(path))
    return re.compile(re.sub(r"\(\?P<(call|path)>\[\^/\{\}\]\+\)", r"(?P<\1>[\\s\\S]*)", parameters))
