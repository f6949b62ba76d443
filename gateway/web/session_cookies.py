"""Session cookies in requests for recordings: tickets are exchanged for sessions, and used sessions are refreshed."""

from aiohttp import web

from gateway.access import Access
from gateway.audited_sessions import begin_session
from gateway.model import Credentials, Identity, IdentityKind
from gateway.ports import Audit, PersonSwitch, Sessions
from gateway.web.negotiation import is_navigation
from gateway.web.pages.render import Pages
from gateway.web.request import Request
from gateway.web.responses import redirect_response


class SessionCookies:
    """*sessions* and *person_switch* are None if no sessions are configured; then nothing is exchanged or refreshed."""

    def __init__(
        self,
        access: Access,
        sessions: Sessions | None,
        person_switch: PersonSwitch | None,
        pages: Pages,
        audit: Audit,
    ) -> None:
        self._access = access
        self._sessions = sessions
        self._person_switch = person_switch
        self._pages = pages
        self._audit = audit

    async def exchange_ticket(self, request: Request, credentials: Credentials) -> web.StreamResponse | None:
        """Exchanges the ticket of a browser navigation for a session that is limited to what the ticket allows.

        Returns a 303 response to the same address without the ticket, or, if the browser has a session of another
        person, a page that asks which of the two to be. Returns None for every other request. Raises what
        `Access.authenticate` and `Sessions.begin` raise.
        """
        if credentials.ticket is None or self._sessions is None or self._person_switch is None:
            return None
        if request.method != "GET" or not is_navigation(request):
            return None
        record = request.record
        identity = await self._access.authenticate(credentials, record)
        query = [(name, value) for name, value in request.query.items() if name != "ticket"]
        path = request.rel_url.with_query(query).raw_path_qs
        if identity.kind is IdentityKind.TICKET:
            present = self._sessions.find_other_person(credentials, identity)
            if present is not None:
                return self._pages.switch(request, present, identity, self._person_switch.seal(identity, path), path)
            request.set_cookies = await begin_session(self._sessions, self._audit, credentials, identity, record)
        return redirect_response(303, path)

    async def begin(self, request: Request, credentials: Credentials, identity: Identity) -> None:
        """Has the response to a browser navigation that proved *identity* by itself, with a Kerberos ticket, set the
        cookie of a session, so that the browser is not asked again: of a new one, unless it has one of that person
        already, and none of another. That one is refreshed. Raises what `Sessions.begin` raises."""
        if self._sessions is None or request.method != "GET" or not is_navigation(request):
            return
        present = self._sessions.identities(credentials)
        own = next((session for session in present if _is_of(session, identity)), None)
        if own is None or any(session.person != identity.person for session in present):
            request.set_cookies = await begin_session(
                self._sessions, self._audit, credentials, identity, request.record
            )
        else:
            self.refresh(request, own)

    def refresh(self, request: Request, identity: Identity) -> None:
        """Has a newer cookie set on the response if *identity* is a session in use and the cookie is due. Not until the
        response begins: the browser may be given another session while the request waits, or one with other attributes
        by a new configuration."""
        if identity.kind is not IdentityKind.SESSION or self._sessions is None:
            return
        sessions = self._sessions
        request.renew_cookie = lambda: (
            None if self._access.replaced_by is not None else sessions.refresh_headers(identity)
        )


def _is_of(session: Identity, identity: Identity) -> bool:
    """Whether *session* gives the person of *identity* the same rights; Kerberos states no groups."""
    return session.person == identity.person and not session.is_narrowed and session.groups == identity.groups
