"""How a browser arrives at the recordings: a ticket becomes a session, and a session in use goes on."""

from typing import Protocol

from aiohttp import web

from gateway.access import Access
from gateway.model import Credentials, Identity, IdentityKind
from gateway.ports import Audit
from gateway.web.negotiation import is_navigation
from gateway.web.request import Request


class Sessions(Protocol):
    """Sessions, as far as an arrival needs them."""

    def issue_header(self, identity: Identity) -> str:
        """A Set-Cookie for a new session of *identity*."""
        ...

    async def add_session_scopes(self, credentials: Credentials, identity: Identity) -> Identity:
        """*identity*, good as well for what this browser's session of the same person is good for."""
        ...

    def refresh_header(self, identity: Identity) -> str | None:
        """A Set-Cookie that keeps a session in use from idling out, when it is time for one."""
        ...


class SessionCookies:
    """*sessions* is None where there are none."""

    def __init__(self, access: Access, sessions: Sessions | None, audit: Audit) -> None:
        self._access = access
        self._sessions = sessions
        self._audit = audit

    async def exchange_ticket(self, request: Request, credentials: Credentials) -> web.StreamResponse | None:
        """For a navigation with a ticket: a session narrowed to what it allows, and 303 to the same address without it.
        None for every other request."""
        if credentials.ticket is None or self._sessions is None:
            return None
        if request.method != "GET" or not is_navigation(request):
            return None
        record = request.record
        identity = await self._access.authenticate(credentials, record)
        if identity.kind is IdentityKind.TICKET:
            scoped = await self._sessions.add_session_scopes(credentials, identity)
            request.set_cookie = self._sessions.issue_header(scoped)
            self._audit.signed("sign_in", identity, record)
        clean = request.rel_url.with_query([(key, value) for key, value in request.query.items() if key != "ticket"])
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Location": clean.raw_path_qs}
        return web.Response(status=303, headers=headers)

    def refresh(self, request: Request, identity: Identity) -> None:
        """A newer cookie for a session in use."""
        if identity.kind is IdentityKind.SESSION and self._sessions is not None:
            cookie = self._sessions.refresh_header(identity)
            if cookie is not None:
                request.set_cookie = cookie
