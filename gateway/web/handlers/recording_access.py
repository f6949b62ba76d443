"""Opens a recording for a request: who asks, whether the rules let them see it, and what VALT knows of it.

Every address that shows something of a recording as a whole begins here, so that comments and captions are decided like
the recording itself.
"""

import asyncio

from aiohttp import web

from gateway.access import Access, details_to_show
from gateway.errors import GatewayError, VideoNotFoundError
from gateway.model import Grant, IdentityKind, parse_id
from gateway.ports import Audit, Clock, CommentsOfRecordings, Recordings
from gateway.recording_details import Comments, RecordingDetails
from gateway.web.credentials import CredentialsReader
from gateway.web.request import Request
from gateway.web.session_cookies import SessionCookies

_COMMENTS_TIMEOUT = 2.0
"""Seconds that the page of a recording waits for its comments."""


class RecordingAccess:
    """Used by the handlers of recordings, captions and chapters."""

    def __init__(
        self,
        access: Access,
        recordings: Recordings,
        comments: CommentsOfRecordings,
        reader: CredentialsReader,
        session_cookies: SessionCookies,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._access = access
        self._recordings = recordings
        self._comments = comments
        self._reader = reader
        self._session_cookies = session_cookies
        self._audit = audit
        self._clock = clock

    async def open(self, request: Request) -> tuple[Grant, RecordingDetails] | web.StreamResponse:
        """Returns the grant for the whole recording that the path names, and its details; or, if the request carries a
        ticket to exchange, the response to that.

        Raises the GatewayError of the step that fails, and RecordingExpiredError if the retention is over.
        """
        recording = parse_id(request.parts["recording"])
        request.record.set_target(recording)
        credentials = self._reader.read(request)
        if credentials.ticket is not None:
            exchanged = await self._session_cookies.exchange_ticket(request, credentials)
            if exchanged is not None:
                return exchanged
        grant = await self._access.decide(credentials, recording, None, request.record)
        if grant.identity.kind is IdentityKind.SESSION:
            self._session_cookies.refresh(request, grant.identity)
        elif grant.identity.kind is IdentityKind.NEGOTIATE:
            await self._session_cookies.begin(request, credentials, grant.identity)
        return grant, await details_to_show(self._recordings, grant, self._clock)

    async def comments(self, grant: Grant, details: RecordingDetails) -> Comments:
        """Returns VALT's comments, or those in the recording's details if this VALT has none of its own.

        Raises ValtError, BusyError or TooManyRequestsError.
        """
        try:
            return await self._comments.get(grant.account, grant.recording)
        except VideoNotFoundError:
            return Comments(details.comments)

    async def comments_in_time(self, grant: Grant, details: RecordingDetails) -> Comments:
        """Returns the same, but incomplete ones if VALT fails or takes longer than two seconds. Never raises: without
        comments the recording can be watched all the same."""
        try:
            async with asyncio.timeout(_COMMENTS_TIMEOUT):
                return await self.comments(grant, details)
        except (GatewayError, TimeoutError):
            return Comments(details.comments, complete=False)

    def audit_texts(self, request: Request) -> None:
        """Has the request audited as ``api``: its response contains texts of the recording, such as comments. Raises
        BusyError if the audit cannot take another line."""
        self._audit.require_room()
        request.record.mark_api_call()
