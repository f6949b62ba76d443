"""Delivery by proxy: the bytes go through us, so that every range is decided anew and nothing of VALT's leaves.

One road: a place among the streams, the first answer, the audit's open line, the head, the body. Up to the head an
error is told properly; after it the connection is cut, because a failure after the first byte must look like one.
"""

import asyncio
from collections.abc import Mapping

from aiohttp import HttpVersion11, web

from gateway.delivery.cut import cut
from gateway.delivery.headers import request_headers, response_headers
from gateway.delivery.media import MediaServer
from gateway.delivery.source import Source, SourceLostError
from gateway.delivery.streams import Streams
from gateway.delivery.viewer import Streamed, Viewer, ViewerIdleError
from gateway.events import Relayed, StreamAborted
from gateway.model import Grant, Link
from gateway.ports import Audit, Clock, Links, Listener
from gateway.visit import Visit


class ProxyDelivery:
    """*upstream_idle* and *viewer_idle* are seconds for which a viewer does not read: after the one the media server's
    connection is given up and taken up again when he reads on, after the other he is cut."""

    def __init__(
        self,
        media: MediaServer,
        links: Links,
        audit: Audit,
        streams: Streams,
        clock: Clock,
        listener: Listener,
        *,
        resume_tries: int,
        upstream_idle: float,
        viewer_idle: float,
    ) -> None:
        self._media = media
        self._links = links
        self._audit = audit
        self._streams = streams
        self._clock = clock
        self._listener = listener
        self._resume_tries = resume_tries
        self._upstream_idle = upstream_idle
        self._viewer_idle = viewer_idle

    async def deliver(
        self, request: web.BaseRequest, grant: Grant, link: Link, visit: Visit, *, attachment: bool
    ) -> web.StreamResponse:
        """The video's bytes, as the request's Range and conditions ask."""
        source = Source(
            self._media, self._links, self._clock, self._listener, grant, link, visit, tries=self._resume_tries
        )

        def end(reason: str) -> None:
            visit.outcome, visit.reason = "cut", reason
            self._listener.happened(StreamAborted("gateway", reason))
            cut(request.transport)

        with self._streams.running(grant, visit, end):
            try:
                visit.enter("first_byte")
                answer = await source.open(request.method, request_headers(request.headers))
                visit.leave()
                filename = link.filename or f"{grant.video.video}.mp4"
                headers = response_headers(answer.headers, answer.status, filename, attachment=attachment)
                visit.status = answer.status
                await self._audit.opened(visit)
                return await self._answer(request, source, answer.status, headers, visit)
            finally:
                source.abort()

    async def _answer(
        self, request: web.BaseRequest, source: Source, status: int, headers: Mapping[str, str], visit: Visit
    ) -> web.StreamResponse:
        if request.method == "HEAD" or status not in (200, 206):
            visit.outcome = "whole"
            return _without_body(status, headers)
        response = Streamed(status=status, headers=headers)
        if "Content-Length" not in headers:
            if request.version >= HttpVersion11:
                response.enable_chunked_encoding()
            else:
                response.force_close()  # the end of the connection is the end of the body; a cut is a reset
        viewer = Viewer(request, response, upstream_idle=self._upstream_idle, viewer_idle=self._viewer_idle)
        try:
            await response.prepare(request)
            way = "fast" if source.fast and viewer.outlet() is not None else "plain"
            self._listener.happened(Relayed(way))
            await source.relay(viewer)
            await response.write_eof()
            visit.outcome = visit.outcome or "whole"
        except SourceLostError as error:
            self._fail(request, visit, "failed", "upstream", error.reason)
        except ViewerIdleError:
            self._fail(request, visit, "cut", "viewer", "idle")
        except (ConnectionError, asyncio.CancelledError):
            if visit.outcome is None:
                visit.outcome = "left"
                self._listener.happened(StreamAborted("viewer", "left"))
            raise
        except Exception:
            self._fail(request, visit, "failed", "gateway", "internal")
            raise
        finally:
            visit.bytes = viewer.bytes
            viewer.close()
        return response

    def _fail(self, request: web.BaseRequest, visit: Visit, outcome: str, side: str, reason: str) -> None:
        visit.outcome, visit.reason = outcome, f"{side}: {reason}"
        self._listener.happened(StreamAborted(side, reason))
        cut(request.transport)


def _without_body(status: int, headers: Mapping[str, str]) -> web.Response:
    response = web.Response(status=status, headers=headers)
    response.body = None
    return response
