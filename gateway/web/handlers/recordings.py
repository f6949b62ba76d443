"""The addresses of recordings: a video, delivered as its grant says, and a recording as a whole.

A video is delivered by proxy or by redirect. The redirect is made here: the browser then gets the film from VALT's
media server itself. It costs the gateway nothing more, and the gateway has no more say: the link is valid for its whole
lifetime, for anyone who has it, and cannot be revoked.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from aiohttp import web

from gateway.access import Access
from gateway.model import Delivery, Grant, IdentityKind, Link, Video
from gateway.ports import Audit
from gateway.request_record import RequestRecord
from gateway.web.credentials import CredentialsReader
from gateway.web.handlers.recording_access import RecordingAccess
from gateway.web.negotiation import is_navigation, prefers_json
from gateway.web.pages.render import Pages, timestamp
from gateway.web.request import Request
from gateway.web.responses import json_response
from gateway.web.schemas.recordings import describe_player, describe_recording, video_path, visible_videos
from gateway.web.session_cookies import SessionCookies

_REDIRECT_STATUS = 307
"""Never 301 or 308, which browsers store."""


class MediaDelivery(Protocol):
    """Brings the bytes to the client. Implemented by delivery.proxy; declared here because ports.py imports no
    framework."""

    async def deliver(
        self,
        request: Request,
        grant: Grant,
        link: Link,
        record: RequestRecord,
        /,
        *,
        attachment: bool,
        add_response_headers: Callable[[web.StreamResponse], None],
    ) -> web.StreamResponse:
        """Returns the response, after its ``open`` line is in the audit. Raises GatewayError before the first byte.

        *add_response_headers* must be called with a response before it is prepared.
        """
        ...


class RecordingHandlers:
    """The addresses of recordings and videos."""

    def __init__(
        self,
        access: Access,
        proxy: MediaDelivery,
        recording_access: RecordingAccess,
        reader: CredentialsReader,
        session_cookies: SessionCookies,
        pages: Pages,
        audit: Audit,
        *,
        public_url: str,
    ) -> None:
        self._access = access
        self._proxy = proxy
        self._recording_access = recording_access
        self._reader = reader
        self._session_cookies = session_cookies
        self._pages = pages
        self._audit = audit
        self._public_url = public_url.rstrip("/")

    async def video(self, request: Request) -> web.StreamResponse:
        """GET, HEAD /recordings/{recording}/videos/{video}"""
        record = request.record
        record.range = request.headers.get("Range", "")[:200] or None
        target = Video.parse(request.parts["recording"], request.parts["video"])
        record.set_target(target.recording, target.video)
        credentials = self._reader.read(request, access_token=True, video_token_only=True)
        if credentials.ticket is not None:
            exchanged = await self._session_cookies.exchange_ticket(request, credentials)
            if exchanged is not None:
                return exchanged
        attachment = request.has_query and "download" in request.query
        grant, link = await self._access.authorize(credentials, target, record, download=attachment)
        record.delivery = grant.delivery
        if grant.identity.kind is IdentityKind.SESSION:
            self._session_cookies.refresh(request, grant.identity)
        elif grant.identity.kind is IdentityKind.NEGOTIATE:
            await self._session_cookies.begin(request, credentials, grant.identity)
        as_json = prefers_json(request.headers.get("Accept", ""))
        await self._access.confirm(record)
        if grant.delivery is Delivery.REDIRECT:
            # Whoever has the link has the video, so that the audit must have its line first.
            record.status = 200 if as_json else _REDIRECT_STATUS
            await self._audit.opened(record)
            if not as_json:
                return _redirect(link.url.reveal())
        if as_json:
            return self._describe_address(grant, link)
        return await self._proxy.deliver(
            request,
            grant,
            link,
            record,
            attachment=attachment,
            add_response_headers=partial(request.common_headers, request),
        )

    async def recording(self, request: Request) -> web.StreamResponse:
        """GET /recordings/{recording}"""
        opened = await self._recording_access.open(request)
        if isinstance(opened, web.StreamResponse):
            return opened
        grant, details = opened
        comments = await self._recording_access.comments_in_time(grant, details)
        if comments.entries:
            self._recording_access.audit_texts(request)
        if is_navigation(request):
            return self._pages.recording(request, describe_player(grant, details, comments))
        visible = [entry.video for entry, _ in visible_videos(grant, details)]
        ready = {video for video in visible if await self._access.has_link(grant, video)}
        return json_response(describe_recording(grant, details, comments, ready, self._public_url))

    def _describe_address(self, grant: Grant, link: Link) -> web.Response:
        """Returns the address of the video as JSON: VALT's URL only if a browser would be redirected to it."""
        redirect = grant.delivery is Delivery.REDIRECT
        expires = timestamp(link.expires_at) if redirect and link.expires_at is not None else None
        address = {
            "url": link.url.reveal() if redirect else self._public_url + video_path(grant.target),
            "expires_at": expires,
            "filename": link.filename,
            "delivery": grant.delivery,
        }
        return json_response(address)


def _redirect(url: str) -> web.Response:
    """Returns the redirect to VALT's *url*, byte for byte: a URL type would rewrite its escapes."""
    return web.Response(
        status=_REDIRECT_STATUS,
        headers={
            "Location": url,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Valt-Gateway-Delivery": "redirect",
        },
    )
