"""The text tracks of a recording, as WebVTT: its transcript as captions, its markers as chapters."""

from aiohttp import web

from gateway.web.handlers.recording_access import RecordingAccess
from gateway.web.request import Request
from gateway.web.schemas import webvtt


class TextTrackHandlers:
    """The addresses that the ``<track>`` elements of the watch page name."""

    def __init__(self, recording_access: RecordingAccess) -> None:
        self._recording_access = recording_access

    async def captions(self, request: Request) -> web.StreamResponse:
        """GET, HEAD /recordings/{recording}/captions.vtt: an empty file if the recording has no transcript."""
        opened = await self._recording_access.open(request)
        if isinstance(opened, web.StreamResponse):
            return opened
        comments = await self._recording_access.comments(*opened)
        self._recording_access.audit_texts(request)
        return _respond(webvtt.captions(comments.in_order()))

    async def chapters(self, request: Request) -> web.StreamResponse:
        """GET, HEAD /recordings/{recording}/chapters.vtt: an empty file if the recording has no markers."""
        opened = await self._recording_access.open(request)
        if isinstance(opened, web.StreamResponse):
            return opened
        _, details = opened
        self._recording_access.audit_texts(request)
        return _respond(webvtt.chapters(details.markers, details.duration))


def _respond(track: str) -> web.Response:
    return web.Response(
        text=track,
        content_type="text/vtt",
        charset="utf-8",
        headers={
            "Cache-Control": "private, no-store",
            "Cross-Origin-Resource-Policy": "same-site",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )
