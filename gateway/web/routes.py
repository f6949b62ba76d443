"""The URL map of the public listener, on one screen.

Handlers are looked up at each request, so that a reload changes them while connections and streams go on.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from gateway.errors import GatewayError, MethodNotAllowedError, NotFoundError
from gateway.web.cors import Cors
from gateway.web.credentials import TrustedProxies
from gateway.web.errors import ErrorAnswers
from gateway.web.handlers.api_docs import ApiDocsHandlers
from gateway.web.handlers.assets import Assets
from gateway.web.handlers.listing import ListingHandlers
from gateway.web.handlers.login import SignInHandlers
from gateway.web.handlers.recordings import RecordingHandlers
from gateway.web.handlers.userinfo import UserinfoHandlers
from gateway.web.handlers.valt_api import ValtApiHandlers
from gateway.web.request import Handler, Request
from gateway.web.request_validation import RequestValidator
from gateway.web.schemas.openapi import openapi


@dataclass(frozen=True, slots=True)
class Handlers:
    """What answers requests, as the configuration in force has it."""

    recordings: RecordingHandlers
    listing: ListingHandlers
    userinfo: UserinfoHandlers
    valt_api: ValtApiHandlers
    api_docs: ApiDocsHandlers
    sign_in: SignInHandlers
    assets: Assets
    answers: ErrorAnswers
    request_validator: RequestValidator
    forwarded: TrustedProxies
    cors: Cors


Choose = Callable[[Handlers], Handler]

VIDEO = "/recordings/{recording}/videos/{video}"

ROUTES: tuple[tuple[tuple[str, ...], str, Choose], ...] = (
    (("GET", "HEAD"), VIDEO, lambda h: h.recordings.video),
    (("GET", "HEAD"), "/recordings/{recording}", lambda h: h.recordings.recording),
    (("GET", "HEAD"), "/recordings", lambda h: h.listing.recordings),
    (("OPTIONS",), VIDEO, lambda h: h.cors.preflight),
    (("OPTIONS",), "/recordings/{recording}", lambda h: h.cors.preflight),
    (("GET",), "/oauth2/start", lambda h: h.sign_in.start),
    (("GET",), "/oauth2/callback", lambda h: h.sign_in.callback),
    (("GET",), "/oauth2/sign_out", lambda h: h.sign_in.confirm_sign_out),
    (("POST",), "/oauth2/sign_out", lambda h: h.sign_in.sign_out),
    (("POST",), "/oauth2/backchannel_logout", lambda h: h.sign_in.backchannel_logout),
    (("GET", "HEAD"), "/oauth2/userinfo", lambda h: h.userinfo.userinfo),
    (("GET", "HEAD"), "/assets/{edition}/{name}", lambda h: h.assets.asset),
    (("POST",), "/api/v3/login", lambda h: h.valt_api.login),
    (("POST",), "/api/v3/records", lambda h: h.valt_api.search),
    (("GET",), "/api/v3/records/{recording}", lambda h: h.valt_api.record),
    (("GET",), "/api/v3/records/download/{recording}/{video}", lambda h: h.valt_api.download),
    (("GET",), "/api/v3/rooms/info", lambda h: h.valt_api.rooms),
    (("*",), "/api/v3/{call}", lambda h: h.valt_api.other),
    (("GET", "HEAD"), "/openapi.json", lambda _: openapi),
    (("GET", "HEAD"), "/docs", lambda h: h.api_docs.page),
    (("GET", "HEAD"), "/robots.txt", lambda h: h.userinfo.robots),
    (("GET", "HEAD"), "/", lambda h: h.userinfo.home),
)


Parts = Mapping[str, str]


def match(method: str, path: str) -> tuple[str, Choose, Parts]:
    """The route's template, what answers *method* there, and its parameters; ``other`` and a refusal where there is
    none. *path* is decoded but for ``%2F`` and ``%25``, as yarl's ``path_safe`` is."""
    others: list[str] = []
    for pattern, template, methods in _PATTERNS:
        matched = pattern.fullmatch(path)
        if matched is not None:
            choose = methods.get(method) or methods.get("*")
            if choose is not None:
                parts = matched.groupdict()
                return template, choose, {name: _decoded(parts[name]) for name in parts} if "%" in path else parts
            others += methods
    return "other", _refusing(MethodNotAllowedError(allowed=sorted(set(others))) if others else NotFoundError()), {}


def _refusing(error: GatewayError) -> Choose:
    async def handler(_request: Request) -> web.StreamResponse:
        raise error

    return lambda _handlers: handler


def _decoded(part: str) -> str:
    return part.replace("%2F", "/").replace("%25", "%")


def _pattern(path: str) -> re.Pattern[str]:
    """A parameter is one segment; what is left of VALT's API is one route, however many segments a call has."""
    parameters = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/{}]+)", re.escape(path))
    return re.compile(parameters.replace("(?P<call>[^/{}]+)", r"(?P<call>[\s\S]*)"))


def _by_path() -> dict[str, dict[str, Choose]]:
    routes: dict[str, dict[str, Choose]] = {}
    for methods, path, choose in ROUTES:
        routes.setdefault(path, {}).update(dict.fromkeys(methods, choose))
    return routes


_PATTERNS = tuple((_pattern(path), path, methods) for path, methods in _by_path().items())
