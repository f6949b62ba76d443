"""POST /oauth2/switch: a person confirms, on the page that asked, that the browser becomes somebody else's."""

from urllib.parse import parse_qs

from aiohttp import web

from gateway.audited_sessions import begin_session
from gateway.completion import complete
from gateway.errors import AccessDeniedError, BadRequestError, NotFoundError
from gateway.ports import Audit, PersonSwitch, Sessions
from gateway.web.credentials import CredentialsReader
from gateway.web.request import Request
from gateway.web.request_validation import is_same_origin
from gateway.web.responses import CLEAR_STORAGE, redirect_response


class SwitchHandlers:
    """*sessions* and *person_switch* are None if no sessions are configured."""

    def __init__(
        self,
        sessions: Sessions | None,
        person_switch: PersonSwitch | None,
        reader: CredentialsReader,
        audit: Audit,
        *,
        public_url: str,
    ) -> None:
        self._sessions = sessions
        self._person_switch = person_switch
        self._reader = reader
        self._audit = audit
        self._public_url = public_url

    async def switch(self, request: Request) -> web.StreamResponse:
        """Ends every session that the browser presents, and begins one of the person in the form's field ``switch``."""
        if self._sessions is None or self._person_switch is None:
            raise NotFoundError
        if not is_same_origin(request, self._public_url):
            raise AccessDeniedError("the change of person was requested by another site")
        sealed = parse_qs((await request.read_body()).decode("ascii", "replace")).get("switch", [])
        if len(sealed) != 1:
            raise BadRequestError("the form has no field switch, or more than one")
        return await complete(self._switch(request, self._sessions, self._person_switch, sealed[0]))

    async def _switch(
        self, request: Request, sessions: Sessions, person_switch: PersonSwitch, sealed: str
    ) -> web.StreamResponse:
        """Completed although the client leaves: else the form might be used up, and nothing ended."""
        identity, path = await person_switch.open(sealed)
        record = request.record
        record.set_identity(identity)
        credentials = self._reader.read(request)
        present = sessions.find_other_person(credentials, identity)
        request.set_cookies = await begin_session(sessions, self._audit, credentials, identity, record)
        response = redirect_response(303, path)
        if present is not None:
            response.headers.update(CLEAR_STORAGE)
        return response
