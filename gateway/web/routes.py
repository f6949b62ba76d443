"""The URL map of the public listener, on one screen."""

from aiohttp import web

from gateway.ports import Clock, Listener
from gateway.web.admission import Admission
from gateway.web.credentials import Forwarded
from gateway.web.errors import ErrorAnswers, error_answers
from gateway.web.people import PeopleHandlers
from gateway.web.recordings import RecordingHandlers
from gateway.web.visits import name_answer, visits

_MAX_BODY = 16 * 1024


def public_application(
    recordings: RecordingHandlers,
    people: PeopleHandlers,
    answers: ErrorAnswers,
    admission: Admission,
    forwarded: Forwarded,
    clock: Clock,
    listener: Listener,
) -> web.Application:
    """The public listener's application."""
    application = web.Application(
        middlewares=[visits(clock, listener, forwarded), error_answers(answers, admission, listener)],
        client_max_size=_MAX_BODY,
    )
    application.on_response_prepare.append(name_answer)
    add = application.router.add_route
    for method in ("GET", "HEAD"):
        add(method, "/recordings/{recording}/videos/{video}", recordings.video)
        add(method, "/recordings/{recording}", recordings.recording)
        add(method, "/oauth2/userinfo", people.userinfo)
        add(method, "/robots.txt", people.robots)
        add(method, "/", people.home)
    return application
