"""Session cookies in requests for recordings: tickets are exchanged for sessions, and used sessions are refreshed."""

from aiohttp import web

from gateway.access import Access
from gateway.model import Credentials, Identity, IdentityKind
from gateway.ports import Audit, Sessions
from gateway.web.negotiation import is_navigation
from gateway.web.request import Request
from gateway.web.responses import redirect_response


class SessionCookies:
    """*sessions* is None if no sessions are configured; then nothing is exchanged or refreshed."""

    def __init__(self, access: Access, sessions: Sessions | None, audit: Audit) -> None:
        self._access = access
        self._sessions = sessions
        self._audit = audit

    async def exchange_ticket(self, request: Request, credentials: Credentials) -> web.StreamResponse | None:
        """Exchanges the ticket of a browser navigation for a session that is limited to what the ticket allows.

        Returns a 303 response to the same address without the ticket, or None for every other request. Raises what
        `Access.authenticate` raises.
        """
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
        query = [(name, value) for name, value in request.query.items() if name != "ticket"]
        return redirect_response(303, request.rel_url.with_query(query).raw_path_qs)

    def refresh(self, request: Request, identity: Identity) -> None:
        """Sets a newer cookie on the response if *identity* is a session in use and the cookie is due."""
        if identity.kind is IdentityKind.SESSION and self._sessions is not None:
            cookie = self._sessions.refresh_header(identity)
            if cookie is not None:
                request.set_cookie = cookie
