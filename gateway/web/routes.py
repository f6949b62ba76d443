"""The URL map of the public listener, on one screen.

Handlers are looked up at each request, so that a reload changes them while connections and streams go on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from gateway.ports import Clock, Listener
from gateway.web.admission import Admission
from gateway.web.api import ApiHandlers
from gateway.web.assets import Assets
from gateway.web.cors import Cors
from gateway.web.credentials import Forwarded
from gateway.web.errors import ErrorAnswers, error_answers
from gateway.web.in_flight import InFlight
from gateway.web.listing import ListingHandlers
from gateway.web.openapi import openapi
from gateway.web.people import PeopleHandlers
from gateway.web.recordings import RecordingHandlers
from gateway.web.reference import ReferenceHandlers
from gateway.web.sign_in import SignInHandlers
from gateway.web.visits import Handler, name_answer, visits

_MAX_BODY = 16 * 1024


@dataclass(frozen=True, slots=True)
class Handlers:
    """What answers requests, as the configuration in force has it."""

    recordings: RecordingHandlers
    listing: ListingHandlers
    people: PeopleHandlers
    api: ApiHandlers
    reference: ReferenceHandlers
    sign_in: SignInHandlers
    assets: Assets
    answers: ErrorAnswers
    admission: Admission
    forwarded: Forwarded
    cors: Cors
    in_flight: InFlight = field(default_factory=InFlight)


ROUTES: tuple[tuple[tuple[str, ...], str, Callable[[Handlers], Handler]], ...] = (
    (("GET", "HEAD"), "/recordings/{recording}/videos/{video}", lambda h: h.recordings.video),
    (("GET", "HEAD"), "/recordings/{recording}", lambda h: h.recordings.recording),
    (("GET", "HEAD"), "/recordings", lambda h: h.listing.recordings),
    (("OPTIONS",), "/recordings/{recording}/videos/{video}", lambda h: h.cors.preflight),
    (("OPTIONS",), "/recordings/{recording}", lambda h: h.cors.preflight),
    (("GET",), "/oauth2/start", lambda h: h.sign_in.start),
    (("GET",), "/oauth2/callback", lambda h: h.sign_in.callback),
    (("GET",), "/oauth2/sign_out", lambda h: h.sign_in.ask_sign_out),
    (("POST",), "/oauth2/sign_out", lambda h: h.sign_in.sign_out),
    (("POST",), "/oauth2/backchannel_logout", lambda h: h.sign_in.backchannel_logout),
    (("GET", "HEAD"), "/oauth2/userinfo", lambda h: h.people.userinfo),
    (("GET", "HEAD"), "/assets/{edition}/{name}", lambda h: h.assets.asset),
    (("POST",), "/api/v3/login", lambda h: h.api.login),
    (("POST",), "/api/v3/records", lambda h: h.api.search),
    (("GET",), "/api/v3/records/{recording}", lambda h: h.api.record),
    (("GET",), "/api/v3/records/download/{recording}/{video}", lambda h: h.api.download),
    (("GET",), "/api/v3/rooms/info", lambda h: h.api.rooms),
    (("*",), "/api/v3/{call}", lambda h: h.api.other),
    (("GET", "HEAD"), "/openapi.json", lambda _: openapi),
    (("GET", "HEAD"), "/docs", lambda h: h.reference.page),
    (("GET", "HEAD"), "/robots.txt", lambda h: h.people.robots),
    (("GET", "HEAD"), "/", lambda h: h.people.home),
)


def public_application(
    current: Callable[[], Handlers], clock: Clock, listener: Listener, draining: Callable[[], bool]
) -> web.Application:
    """The public listener's application; *current* gives the handlers in force. While *draining* no connection is kept
    after its answer."""
    application = web.Application(
        middlewares=[visits(clock, listener, current), error_answers(listener, current)],
        client_max_size=_MAX_BODY,
    )
    application.on_response_prepare.append(name_answer(current, draining))
    for methods, path, choose in ROUTES:
        for method in methods:
            application.router.add_route(method, _greedy(path), _late(current, choose))
    return application


def _greedy(path: str) -> str:
    """What is left of VALT's API is one route, however many segments a call has."""
    return path.replace("{call}", r"{call:[\s\S]*}")


def _late(current: Callable[[], Handlers], choose: Callable[[Handlers], Handler]) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        handlers = current()
        with handlers.in_flight:
            return await choose(handlers)(request)

    return handler
