"""Asks browsers for a Kerberos ticket: 401 with ``WWW-Authenticate: Negotiate`` (RFC 4559, section 4).

A browser on Windows that has no ticket for this server, or is not allowed to use it, answers with a password prompt. So
only the navigation of a whole window is asked, and only one that has no credentials at all: whoever was refused is not
asked again. The page below the 401 is for browsers without a ticket. It leads on to another sign-in if there is one.
"""

from collections.abc import Sequence

from aiohttp import web

from gateway.errors import GatewayError, MissingCredentialsError
from gateway.web.handlers.login import return_path
from gateway.web.negotiation import is_top_navigation
from gateway.web.pages.render import Pages
from gateway.web.request import Request

_RELOADED = "valt_gateway_kerberos"
"""A cookie that lives for a minute: the page was loaded a second time already."""
_RELOAD_AFTER = 1.0
"""Seconds."""


class KerberosChallenge:
    """*providers* are the names of the other sign-ins that the page offers; *secure*: whether browsers use https."""

    def __init__(self, pages: Pages, providers: Sequence[str], *, secure: bool) -> None:
        self._pages = pages
        self._providers = providers
        self._reloaded = f"{_RELOADED}=1; Max-Age=60; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")

    def response(self, error: GatewayError, request: Request) -> web.Response | None:
        """Returns the response that asks for a ticket instead of reporting *error*, or None where none is asked for."""
        if not isinstance(error, MissingCredentialsError) or not is_top_navigation(request):
            return None
        if _loads_kerberos_late(request) and not _was_reloaded(request):
            # A script reloads the page: a refresh would not, if the URL has a fragment.
            response = self._pages.error(request, MissingCredentialsError(retry_after=_RELOAD_AFTER), 401)
            response.headers["Set-Cookie"] = self._reloaded
        elif self._providers:
            response = self._pages.sign_in(request, self._providers, return_path(request), status=401)
        else:
            response = self._pages.error(request, error, 401, sign_in=return_path(request))
        response.headers["WWW-Authenticate"] = "Negotiate"
        return response


def _loads_kerberos_late(request: Request) -> bool:
    """Whether the browser is Chromium on Linux. It loads its Kerberos library only when it is asked for a ticket the
    first time, and shows the page below that 401 (``ERR_UNSUPPORTED_AUTH_SCHEME``); from the second time on it answers.
    """
    agent = request.headers.get("User-Agent", "")
    return "X11; Linux" in agent and "Chrome/" in agent


def _was_reloaded(request: Request) -> bool:
    cookies = ";".join(request.headers.getall("Cookie", [])).split(";")
    return any(cookie.partition("=")[0].strip(" ") == _RELOADED for cookie in cookies)
