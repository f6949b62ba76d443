"""The addresses of recordings: a video, delivered as its grant says, and a recording as a whole.

A video is delivered by proxy or by redirect. The redirect is made here: the browser then gets the film from VALT's
media server itself. It costs the gateway nothing more, and the gateway has no more say: the link is valid for its whole
lifetime, for anyone who has it, and cannot be revoked.
"""

from collections.abc import Callable, Set
from functools import partial
from typing import Any, Protocol

from aiohttp import web

from gateway.access import Access
from gateway.errors import RecordingExpiredError
from gateway.model import Delivery, Grant, IdentityKind, Link, Video, parse_id
from gateway.ports import Audit, Clock, Recordings
from gateway.recording_details import RecordingDetails, VideoDetails
from gateway.request_record import RequestRecord
from gateway.web.credentials import CredentialsReader
from gateway.web.negotiation import is_navigation, prefers_json
from gateway.web.pages.render import Pages, timestamp
from gateway.web.request import Request
from gateway.web.responses import json_response
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
        recordings: Recordings,
        reader: CredentialsReader,
        session_cookies: SessionCookies,
        pages: Pages,
        audit: Audit,
        clock: Clock,
        *,
        public_url: str,
    ) -> None:
        self._access = access
        self._proxy = proxy
        self._recordings = recordings
        self._reader = reader
        self._session_cookies = session_cookies
        self._pages = pages
        self._audit = audit
        self._clock = clock
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
        grant, link = await self._access.authorize(
            credentials, target.recording, target.video, record, download=attachment
        )
        record.delivery = grant.delivery
        if grant.identity.kind is IdentityKind.SESSION:
            self._session_cookies.refresh(request, grant.identity)
        as_json = prefers_json(request.headers.get("Accept", ""))
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
        record = request.record
        recording = parse_id(request.parts["recording"])
        record.set_target(recording)
        credentials = self._reader.read(request)
        if credentials.ticket is not None:
            exchanged = await self._session_cookies.exchange_ticket(request, credentials)
            if exchanged is not None:
                return exchanged
        grant, _ = await self._access.authorize(credentials, recording, None, record)
        if grant.identity.kind is IdentityKind.SESSION:
            self._session_cookies.refresh(request, grant.identity)
        details = await self._recordings.get(grant.account, recording)
        if details.is_over(self._clock.now()):
            raise RecordingExpiredError("retention.until has passed")
        if is_navigation(request):
            return self._pages.recording(request, self._describe_player(grant, details))
        visible = [entry.video for entry, _ in _visible_videos(grant, details)]
        ready = {video for video in visible if await self._access.has_link(grant, video)}
        return json_response(self._describe(grant, details, ready))

    def _describe_address(self, grant: Grant, link: Link) -> web.Response:
        """Returns the address of the video as JSON: VALT's URL only if a browser would be redirected to it."""
        redirect = grant.delivery is Delivery.REDIRECT
        expires = timestamp(link.expires_at) if redirect and link.expires_at is not None else None
        address = {
            "url": link.url.reveal() if redirect else self._public_url + _path(grant.target),
            "expires_at": expires,
            "filename": link.filename,
            "delivery": grant.delivery,
        }
        return json_response(address)

    def _describe(self, grant: Grant, details: RecordingDetails, ready: Set[str]) -> dict[str, Any]:
        """Returns the JSON of a recording, with the videos that the person may see. *ready* are those with a link."""
        return _describe_facts(grant, details) | {
            "videos": [
                {
                    "video": entry.video,
                    "name": entry.name,
                    "url": self._public_url + path,
                    "delivery": grant.delivery,
                    "download": grant.download,
                    "state": "ready" if entry.video in ready else "not_ready",
                }
                for entry, path in _visible_videos(grant, details)
            ],
            "markers": [
                {"seconds": marker.time, "name": marker.event, "color": marker.color} for marker in details.markers
            ],
            "comments": [
                {"seconds": comment.seconds, "author": comment.author, "text": comment.text, "type": comment.type}
                for comment in details.comments
            ],
        }

    def _describe_player(self, grant: Grant, details: RecordingDetails) -> dict[str, Any]:
        """Returns what the watch page needs, with paths instead of URLs: the page may be reached by other names."""
        moments = [(marker.time, marker.event, marker.color) for marker in details.markers]
        for comment in details.comments:
            text = f"{comment.author}: {comment.text}" if comment.author else comment.text
            moments.append((comment.seconds, text, comment.color))
        moments.sort(key=lambda moment: moment[0])
        return _describe_facts(grant, details) | {
            "delivery": grant.delivery,
            "download": grant.download,
            "cameras": [
                {"id": entry.video, "name": entry.name, "path": path} for entry, path in _visible_videos(grant, details)
            ],
            "moments": [{"seconds": seconds, "name": name, "color": color} for seconds, name, color in moments],
        }


def _describe_facts(grant: Grant, details: RecordingDetails) -> dict[str, Any]:
    return {
        "recording": grant.recording,
        "name": details.name,
        "room": details.room,
        "author": details.author,
        "created": None if details.created is None else timestamp(details.created),
        "duration": details.duration,
    }


def _visible_videos(grant: Grant, details: RecordingDetails) -> list[tuple[VideoDetails, str]]:
    """Returns the videos that the person may see, with their paths."""
    return [
        (entry, _path(Video(grant.recording, entry.video)))
        for entry in details.videos
        if grant.identity.covers(grant.recording, entry.video)
    ]


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


def _path(video: Video) -> str:
    return f"/recordings/{video.recording}/videos/{video.video}"
