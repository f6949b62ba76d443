"""Delivery by proxy: the bytes go through us, so that every range is decided anew and nothing of VALT's leaves.

One road: a place among the streams, the first answer, the audit's open line, the head, the body. Up to the head an
error is told properly; after it the connection is cut, because a failure after the first byte must look like one.
"""

import asyncio
from collections.abc import Callable, Mapping

from aiohttp import HttpVersion11, web

from gateway.delivery.client_stream import ClientIdleError, ClientStream
from gateway.delivery.cut import cut
from gateway.delivery.headers import request_headers, response_headers
from gateway.delivery.media_server import MediaServer
from gateway.delivery.resumable_body import ResumableBody, SourceLostError
from gateway.delivery.streams import Streams
from gateway.events import RelayStarted, StreamAborted
from gateway.model import Grant, Link, Outcome, Stage
from gateway.ports import Audit, Clock, Links, Observer
from gateway.request_record import RequestRecord

AddHeaders = Callable[[web.StreamResponse], None]


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
        observer: Observer,
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
        self._observer = observer
        self._resume_tries = resume_tries
        self._upstream_idle = upstream_idle
        self._viewer_idle = viewer_idle

    async def deliver(
        self,
        request: web.BaseRequest,
        grant: Grant,
        link: Link,
        record: RequestRecord,
        *,
        attachment: bool,
        add_response_headers: AddHeaders,
    ) -> web.StreamResponse:
        """Returns a response with the video's bytes, as the request's Range and conditions ask.

        *add_response_headers* is called with the response before its head is written.
        """
        source = ResumableBody(
            self._media, self._links, self._clock, self._observer, grant, link, record, tries=self._resume_tries
        )

        def end(reason: str) -> None:
            record.outcome, record.reason = Outcome.CUT, reason
            self._observer.on_event(StreamAborted("gateway", reason))
            cut(request.transport)

        with self._streams.running(grant, record, end):
            try:
                record.enter(Stage.FIRST_BYTE)
                answer = await source.open(request.method, request_headers(request.headers))
                record.leave()
                filename = link.filename or f"{grant.target.video}.mp4"
                headers = response_headers(answer.headers, answer.status, filename, attachment=attachment)
                record.status = answer.status
                await self._audit.opened(record)
                return await self._answer(request, source, answer.status, headers, record, add_response_headers)
            finally:
                source.abort()

    async def _answer(
        self,
        request: web.BaseRequest,
        source: ResumableBody,
        status: int,
        headers: Mapping[str, str],
        record: RequestRecord,
        add_response_headers: AddHeaders,
    ) -> web.StreamResponse:
        if request.method == "HEAD" or status not in (200, 206):
            record.outcome = Outcome.WHOLE
            return _without_body(status, headers)
        response = _streamed(status, headers, request)
        viewer = ClientStream(request, response, upstream_idle=self._upstream_idle, viewer_idle=self._viewer_idle)
        try:
            add_response_headers(response)
            await response.prepare(request)
            way = "fast" if source.fast and viewer.outlet() is not None else "plain"
            self._observer.on_event(RelayStarted(way))
            await source.relay(viewer)
            await response.write_eof()
            record.outcome = record.outcome or Outcome.WHOLE
        except SourceLostError as error:
            self._fail(request, record, Outcome.FAILED, "upstream", error.reason)
        except ClientIdleError:
            self._fail(request, record, Outcome.CUT, "viewer", "idle")
        except (ConnectionError, asyncio.CancelledError):
            if record.outcome is None:
                record.outcome = Outcome.LEFT
                self._observer.on_event(StreamAborted("viewer", "left"))
            raise
        except Exception:
            self._fail(request, record, Outcome.FAILED, "gateway", "internal")
            raise
        finally:
            record.bytes = viewer.bytes
            viewer.close()
        return response

    def _fail(self, request: web.BaseRequest, record: RequestRecord, outcome: Outcome, side: str, reason: str) -> None:
        record.outcome, record.reason = outcome, f"{side}: {reason}"
        self._observer.on_event(StreamAborted(side, reason))
        cut(request.transport)


def _streamed(status: int, headers: Mapping[str, str], request: web.BaseRequest) -> web.StreamResponse:
    """Returns the response whose body is to be written piece by piece."""
    if "Content-Length" in headers:
        # A web.Response sends its head with the first of its body, a web.StreamResponse in a packet of its own.
        return web.Response(status=status, headers=headers)
    response = web.StreamResponse(status=status, headers=headers)
    if request.version >= HttpVersion11:
        response.enable_chunked_encoding()
    else:
        response.force_close()  # the end of the connection is the end of the body; an aborted one is a reset
    return response


def _without_body(status: int, headers: Mapping[str, str]) -> web.Response:
    response = web.Response(status=status, headers=headers)
    response.body = None
    return response
