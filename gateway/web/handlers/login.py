"""Browser sign-in and sign-out: who is sent where. What a provider says is judged in gateway/identity."""

import re
from collections.abc import Iterable, Mapping
from typing import Protocol
from urllib.parse import parse_qs, quote

from aiohttp import web

from gateway.access import Access
from gateway.errors import (
    AccessDeniedError,
    BadRequestError,
    InvalidCredentialsError,
    MissingCredentialsError,
    NotFoundError,
    SignInForgottenError,
)
from gateway.model import Identity
from gateway.ports import Audit, Clock, Store
from gateway.web.credentials import CredentialsReader
from gateway.web.negotiation import is_top_navigation
from gateway.web.pages.render import Pages
from gateway.web.request import Request

_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_ID = r"[0-9A-Za-z-]{1,64}"
# Our own pages and nothing else: a path that a browser could read as another site's matches nothing here.
_OURS = re.compile(
    rf"/(?:recordings(?:/{_ID}(?:/videos/{_ID})?)?)?(?:\?[A-Za-z0-9\-._~!$'()*,;:@/?%&=+]*)?"
    r"(?:#(?:t=[0-9:.]{1,16})?)?",
    re.ASCII,
)


class SignIn(Protocol):
    """Signing in at a provider; *cookies* are raw ``Cookie`` headers."""

    @property
    def providers(self) -> tuple[str, ...]: ...

    async def begin(self, cookies: Iterable[str], provider: str, rd: str) -> tuple[str, str]: ...

    def completed(self, cookies: Iterable[str], state: str) -> str | None: ...

    async def finish(self, cookies: Iterable[str], answer: Mapping[str, str]) -> tuple[Identity, str, str]: ...

    async def sign_out_address(self, provider: str | None, back: str) -> str | None: ...

    async def end_sessions(self, token: str) -> Identity: ...


class SessionCookies(Protocol):
    def issue_header(self, identity: Identity) -> str: ...

    def clear_header(self) -> str: ...


def own_path(rd: str | None) -> str:
    """*rd* if it is a path of our own pages, as it stands; else ``/``."""
    return rd if rd is not None and _OURS.fullmatch(rd) else "/"


def beginning(request: Request) -> str:
    """Where a sign-in begins that ends at this very address, without a ticket that was no good."""
    query = [(name, value) for name, value in request.query.items() if name != "ticket"]
    rd = quote(own_path(request.rel_url.with_query(query).raw_path_qs), safe="/")
    return f"/oauth2/start?rd={rd}"


class SignInHandlers:
    """*sign_in* is None where no provider is configured: then nobody can begin, and everybody can sign out."""

    def __init__(
        self,
        access: Access,
        sign_in: SignIn | None,
        sessions: SessionCookies | None,
        store: Store,
        reader: CredentialsReader,
        pages: Pages,
        audit: Audit,
        clock: Clock,
        *,
        public_url: str,
    ) -> None:
        self._access = access
        self._sign_in = sign_in
        self._sessions = sessions
        self._store = store
        self._reader = reader
        self._pages = pages
        self._audit = audit
        self._clock = clock
        self._public_url = public_url

    async def start(self, request: Request) -> web.StreamResponse:
        """GET /oauth2/start?rd=PATH&provider=NAME: where there are several and none is named, a page to choose one."""
        if self._sign_in is None:
            raise NotFoundError
        rd, providers = own_path(request.query.get("rd")), self._sign_in.providers
        if "provider" not in request.query and len(providers) > 1:
            return self._pages.sign_in(request, providers, rd)
        provider = request.query.get("provider", providers[0])
        if provider not in providers:
            raise NotFoundError
        cookies = request.headers.getall("Cookie", [])
        location, cookie = await self._sign_in.begin(cookies, provider, rd.removesuffix("#"))
        if rd.startswith("/recordings/") and "#" not in rd and is_top_navigation(request):
            # The browser may hold a moment, "#t=90", that only a script can see.
            return self._pages.sign_in(request, [provider], rd)
        return web.Response(status=302, headers=_NO_STORE | {"Location": location, "Set-Cookie": cookie})

    async def callback(self, request: Request) -> web.StreamResponse:
        """GET /oauth2/callback"""
        if self._sign_in is None or self._sessions is None:
            raise NotFoundError
        record = request.record
        cookies = request.headers.getall("Cookie", [])
        completed = self._sign_in.completed(cookies, request.query.get("state", ""))
        if completed is not None:
            return web.Response(status=303, headers=_NO_STORE | {"Location": completed})
        try:
            identity, rd, cookie = await self._sign_in.finish(cookies, dict(request.query))
        except SignInForgottenError:
            # Long after, by the back button; but who is signed in lacks nothing.
            if await self._identity(request) is None:
                raise
            return web.Response(status=303, headers=_NO_STORE | {"Location": "/"})
        record.identity = identity
        response = web.Response(status=303, headers=_NO_STORE | {"Location": rd, "Set-Cookie": cookie})
        response.headers.add("Set-Cookie", self._sessions.issue_header(identity))
        self._audit.signed("sign_in", identity, record)
        return response

    async def ask_sign_out(self, request: Request) -> web.StreamResponse:
        """GET /oauth2/sign_out: a page with one button, so that a link from elsewhere signs nobody out."""
        return self._pages.sign_out(request)

    async def sign_out(self, request: Request) -> web.StreamResponse:
        """POST /oauth2/sign_out, from our own pages alone."""
        if not self._is_same_origin(request):
            raise AccessDeniedError("a sign-out that another site asks for")
        record = request.record
        identity = await self._identity(request)
        if identity is not None and identity.session is not None:
            until = identity.expires_at or self._clock.now()
            await self._store.sign_out(identity.session, until)
            self._audit.signed("sign_out", identity, record)
        back = None
        if self._sign_in is not None:
            provider = None if identity is None else identity.provider
            back = await self._sign_in.sign_out_address(provider, self._public_url + "/")
        response = self._pages.signed_out(request)
        if back is not None:
            # Not a redirect: our pages' form-action would hold it up, at this hop or at one of the provider's own.
            response.headers["Refresh"] = f"0; url={back}"
        if self._sessions is not None:
            response.headers.add("Set-Cookie", self._sessions.clear_header())
        return response

    async def backchannel_logout(self, request: Request) -> web.StreamResponse:
        """POST /oauth2/backchannel_logout, by the provider (OpenID Connect Back-Channel Logout 1.0, 2.5 and 2.8)."""
        if self._sign_in is None:
            raise NotFoundError
        form = parse_qs((await request.read()).decode("ascii", "replace"))
        tokens = form.get("logout_token", [])
        if len(tokens) != 1:
            raise BadRequestError("there is no logout token, or more than one")
        try:
            identity = await self._sign_in.end_sessions(tokens[0])
        except InvalidCredentialsError as error:
            raise BadRequestError(str(error)) from None
        self._audit.signed("sign_out", identity, request.record)
        return web.Response(headers=_NO_STORE)

    async def _identity(self, request: Request) -> Identity | None:
        try:
            return await self._access.authenticate(self._reader.read(request), request.record)
        except (MissingCredentialsError, InvalidCredentialsError):
            return None

    def _is_same_origin(self, request: Request) -> bool:
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None:
            return site == "same-origin"
        return request.headers.get("Origin") == self._public_url
