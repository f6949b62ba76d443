"""Renders errors: the table from class to status, the problem document, and the page."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from urllib.parse import quote

from aiohttp import web

from gateway import errors
from gateway.errors import GatewayError
from gateway.web.negotiation import is_navigation, is_top_navigation
from gateway.web.pages.render import Pages
from gateway.web.request import RejectedRequest, Request
from gateway.web.responses import json_response, redirect_response, set_retry_after

STATUS: dict[type[GatewayError], int] = {
    GatewayError: 500,
    errors.BadRequestError: 400,
    errors.MissingCredentialsError: 401,
    errors.InvalidCredentialsError: 401,
    errors.OutOfTimeError: 401,
    errors.SignInFailedError: 401,
    errors.SignInDeclinedError: 401,
    errors.SignInForgottenError: 401,
    errors.SignInClockError: 401,
    errors.SignInCirclesError: 401,
    errors.AccessDeniedError: 403,
    errors.GroupsElsewhereError: 403,
    errors.TooManyGroupsError: 403,
    errors.NotFoundError: 404,
    errors.InvalidVideoError: 404,
    errors.VideoNotFoundError: 404,
    errors.MethodNotAllowedError: 405,
    errors.RequestTimeoutError: 408,
    errors.RecordingExpiredError: 410,
    errors.MisdirectedRequestError: 421,
    errors.TooManyRequestsError: 429,
    errors.HeadersTooLargeError: 431,
    errors.RequestLineTooLongError: 431,
    errors.ValtError: 502,
    errors.ValtResponseError: 502,
    errors.CallRefusedError: 502,
    errors.ValtLoginError: 502,
    errors.LinkRefusedError: 502,
    errors.AccessTokenRefusedError: 502,
    errors.IdentityProviderError: 503,
    errors.ValtUnavailableError: 503,
    errors.CircuitOpenError: 503,
    errors.BusyError: 503,
    errors.ValtTimeoutError: 504,
}


class ErrorRenderer:
    """Renders errors as responses.

    *sign_in*, None without browser sign-in, returns the path that begins a sign-in and leads back to the request.
    *challenge* returns a response that asks the browser for credentials of its own instead, or None; it is None itself
    if no provider has such. Then *reopen* returns the path that a page without another sign-in offers to open.
    *clear_cookies* returns Set-Cookie headers that make a browser's raw ``Cookie`` headers shorter.
    """

    def __init__(
        self,
        pages: Pages,
        sign_in: Callable[[Request], str] | None = None,
        challenge: Callable[[GatewayError, Request], web.Response | None] | None = None,
        reopen: Callable[[Request], str] | None = None,
        clear_cookies: Callable[[Sequence[str]], list[str]] | None = None,
    ) -> None:
        self._pages = pages
        self._sign_in = sign_in
        self._challenge = challenge
        self._reopen = reopen
        self._clear_cookies = clear_cookies

    def render(self, error: GatewayError, request: Request, request_id: str) -> web.StreamResponse:
        """Returns a problem document (RFC 9457), or a page or a redirect to sign-in for a navigation.

        Nothing of what was received is repeated.
        """
        status = STATUS[type(error)]
        challenge = None if self._challenge is None else self._challenge(error, request)
        if challenge is not None:
            return challenge
        sign_in = f"/oauth2/start?rd={quote(error.sign_in_rd, safe='/')}" if error.sign_in_rd else ""
        if status == 401 and not isinstance(error, errors.SignInFailedError) and self._sign_in:
            sign_in = self._sign_in(request)
            if is_top_navigation(request):
                return redirect_response(302, sign_in)
        elif status == 401 and self._reopen and not error.sign_in_rd:
            sign_in = self._reopen(request)
        if is_navigation(request):
            identity = request.record.identity if status == 403 else None
            subject = identity.subject if identity else ""
            response = self._pages.error(request, error, status, subject, sign_in, error.sign_in_rd)
        else:
            response = problem(error, status, request_id)
        _add_headers(response, error, status)
        return response

    def render_rejection(self, error: GatewayError, request: RejectedRequest) -> web.Response:
        """Returns a page for a navigation, and else a problem document. Its connection is to be closed. If the head is
        too large, the browser's next one is shorter: it would not even be signed out else."""
        status = STATUS[type(error)]
        if is_navigation(request):
            response = self._pages.error(request, error, status)
        else:
            response = problem(error, status, request.record.request_id)
        if isinstance(error, errors.HeadersTooLargeError) and self._clear_cookies is not None:
            for header in self._clear_cookies(request.cookies):
                response.headers.add("Set-Cookie", header)
        return response


def problem_response(error: GatewayError, request_id: str) -> web.StreamResponse:
    """Returns the problem document with the status and headers of *error*, also for a navigation: no redirect."""
    status = STATUS[type(error)]
    response = problem(error, status, request_id)
    _add_headers(response, error, status)
    return response


def _add_headers(response: web.StreamResponse, error: GatewayError, status: int) -> None:
    if status == 401:
        invalid = ', error="invalid_token"' if isinstance(error, errors.InvalidCredentialsError) else ""
        response.headers["WWW-Authenticate"] = f'Bearer realm="valt-gateway"{invalid}'
    if isinstance(error, errors.MethodNotAllowedError) and error.allowed:
        response.headers["Allow"] = ", ".join(error.allowed)  # RFC 9110, section 15.5.6
    set_retry_after(response, error.retry_after)
    if status in (400, 405, 408, 421, 431):
        response.force_close()


def problem(error: GatewayError, status: int, request_id: str) -> web.Response:
    """Returns the problem document (RFC 9457) of *error*."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
    }
    return json_response(body, status, content_type="application/problem+json")


def location(fault: BaseException, request_id: str) -> tuple[tuple[str, str], ...]:
    """Returns log fields: the class of *fault* and its last twelve frames. Not its text, which may hold secrets."""
    frames = []
    traceback = fault.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{traceback.tb_lineno}:{code.co_name}")
        traceback = traceback.tb_next
    return (("request_id", request_id), ("error", type(fault).__name__), ("traceback", " > ".join(frames[-12:])))
