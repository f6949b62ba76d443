"""Browser sign-in and sign-out. The answers of identity providers are verified in gateway/identity."""

import re
from urllib.parse import parse_qs, quote

from aiohttp import web

from gateway.access import Access
from gateway.audited_sessions import begin_session, end_sessions
from gateway.completion import complete
from gateway.errors import (
    AccessDeniedError,
    BadRequestError,
    GatewayError,
    IdentityProviderError,
    InvalidCredentialsError,
    MissingCredentialsError,
    NotFoundError,
)
from gateway.model import Identity
from gateway.ports import Audit, Sessions, SignIn
from gateway.web.credentials import CredentialsReader
from gateway.web.negotiation import is_top_navigation
from gateway.web.pages.render import Pages
from gateway.web.request import Request
from gateway.web.request_validation import is_same_origin
from gateway.web.responses import CLEAR_STORAGE, NO_STORE, redirect_response

_ID = r"[0-9A-Za-z-]{1,64}"
# Only our own pages: a path that a browser could interpret as another site's does not match.
_OURS = re.compile(
    rf"/(?:recordings(?:/{_ID}(?:/videos/{_ID})?)?)?(?:\?[A-Za-z0-9\-._~!$'()*,;:@/?%&=+]*)?"
    r"(?:#(?:t=[0-9hms:.]{1,16})?)?",
    re.ASCII,
)


def own_path(rd: str | None) -> str:
    """Returns *rd* unchanged if it is a path of our own pages, otherwise ``/``."""
    return rd if rd is not None and _OURS.fullmatch(rd) else "/"


def return_path(request: Request) -> str:
    """Returns the path to which a sign-in is to lead back: this address without its ticket."""
    query = [(name, value) for name, value in request.query.items() if name != "ticket"]
    return own_path(request.rel_url.with_query(query).raw_path_qs)


def sign_in_path(request: Request) -> str:
    """Returns the path that starts a sign-in which leads back to this address, without its ticket."""
    return f"/oauth2/start?rd={quote(return_path(request), safe='/')}"


class SignInHandlers:
    """The addresses under /oauth2. *sign_in* is None if no provider is configured: then there is sign-out and no
    sign-in."""

    def __init__(
        self,
        access: Access,
        sign_in: SignIn | None,
        sessions: Sessions | None,
        reader: CredentialsReader,
        pages: Pages,
        audit: Audit,
        *,
        public_url: str,
    ) -> None:
        self._access = access
        self._sign_in = sign_in
        self._sessions = sessions
        self._reader = reader
        self._pages = pages
        self._audit = audit
        self._public_url = public_url

    async def start(self, request: Request) -> web.StreamResponse:
        """GET /oauth2/start?rd=PATH&provider=NAME: shows a page to choose a provider if there are several and none is
        named."""
        if self._sign_in is None:
            raise NotFoundError
        rd, providers = own_path(request.query.get("rd")), self._sign_in.providers
        cookies = request.headers.getall("Cookie", [])
        if await self._has_session(request):
            request.set_cookies = self._sign_in.reset_headers(cookies)
            return redirect_response(303, rd.removesuffix("#"))
        if "provider" not in request.query and len(providers) > 1:
            return self._pages.sign_in(request, providers, rd)
        provider = request.query.get("provider", providers[0])
        if provider not in providers:
            raise NotFoundError
        location, set_cookies = await self._sign_in.begin(cookies, provider, rd.removesuffix("#"))
        if rd.startswith("/recordings/") and "#" not in rd and is_top_navigation(request):
            # The browser may hold a fragment, "#t=90", that only a script can read.
            return self._pages.sign_in(request, [provider], rd)
        request.set_cookies = set_cookies
        return redirect_response(302, location)

    async def callback(self, request: Request) -> web.StreamResponse:
        """GET /oauth2/callback. A sign-in that succeeds counts, also in place of another person's session, unless the
        same person has completed another one since it began, in another tab; if it fails, whoever has a good session
        goes on to the link. Nothing begins again without a click."""
        if self._sign_in is None or self._sessions is None:
            raise NotFoundError
        cookies = request.headers.getall("Cookie", [])
        destination, began = self._sign_in.attempt(request.query.get("state", ""))
        try:
            identity, rd, set_cookies = await self._sign_in.finish(cookies, dict(request.query))
        except GatewayError as error:
            if await self._has_session(request):
                request.set_cookies = self._sign_in.reset_headers(cookies)
                return redirect_response(303, destination or "/")
            error.sign_in_rd = destination
            raise
        request.record.set_identity(identity)
        credentials = self._reader.read(request)
        sessions = [one for one in self._sessions.identities(credentials) if not one.is_narrowed]
        if any(one.person == identity.person and began <= (one.issued_at or 0.0) for one in sessions):
            request.set_cookies = self._sign_in.reset_headers(cookies)
            return redirect_response(303, rd)
        session = await begin_session(self._sessions, self._audit, credentials, identity, request.record)
        request.set_cookies = [*set_cookies, *session]
        return redirect_response(303, rd)

    async def confirm_sign_out(self, request: Request) -> web.StreamResponse:
        """GET /oauth2/sign_out: signs out if one of our own pages leads here; else shows a page with one button, so
        that a link on another site signs nobody out."""
        if request.headers.get("Sec-Fetch-Site") == "same-origin":
            return await self.sign_out(request)
        return self._pages.sign_out(request)

    async def sign_out(self, request: Request) -> web.StreamResponse:
        """POST /oauth2/sign_out, only from our own pages. Ends every session that the browser presents."""
        if not is_same_origin(request, self._public_url):
            raise AccessDeniedError("the sign-out was requested by another site")
        provider = None
        if self._sessions is not None:
            ended, request.set_cookies = await end_sessions(
                self._sessions, self._audit, self._reader.read(request), request.record
            )
            for identity in ended:
                request.record.set_identity(identity)
                provider = provider or identity.provider
        back = None
        if self._sign_in is not None:
            cookies = request.headers.getall("Cookie", [])
            request.set_cookies = [*request.set_cookies, *self._sign_in.reset_headers(cookies)]
            back = await self._sign_in.sign_out_url(provider, self._public_url + "/")
        response = self._pages.signed_out(request)
        response.headers.update(CLEAR_STORAGE)
        if back is not None:
            # Not a redirect: the form-action policy of our page would block it, or one of the provider's own redirects.
            response.headers["Refresh"] = f"0; url={back}"
        return response

    async def backchannel_logout(self, request: Request) -> web.StreamResponse:
        """POST /oauth2/backchannel_logout, from the provider (OpenID Connect Back-Channel Logout 1.0, 2.5 and 2.8)."""
        if self._sign_in is None:
            raise NotFoundError
        form = parse_qs((await request.read_body()).decode("ascii", "replace"))
        tokens = form.get("logout_token", [])
        if len(tokens) != 1:
            raise BadRequestError("the form has no logout token, or more than one")
        try:
            request.record.set_identity(await complete(self._end_at_provider(self._sign_in, tokens[0], request)))
        except InvalidCredentialsError as error:
            raise BadRequestError(str(error)) from None
        return web.Response(headers=NO_STORE)

    async def _end_at_provider(self, sign_in: SignIn, token: str, request: Request) -> Identity:
        """Ends the sessions that a logout *token* names, and records it. Returns what `SignIn.end_sessions` does."""
        identity = await sign_in.end_sessions(token)
        self._audit.signed("sign_out", identity, request.record)
        return identity

    async def _has_session(self, request: Request) -> bool:
        """Whether the request proves an identity that is not limited to single recordings."""
        try:
            identity = await self._access.authenticate(self._reader.read(request), request.record)
        except (MissingCredentialsError, InvalidCredentialsError, IdentityProviderError):
            return False
        return not identity.is_narrowed
