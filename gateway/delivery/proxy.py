"""Delivery by proxy: the bytes pass through the gateway, so that every range is authorised anew and nothing of VALT's
reaches the client.

The steps of ProxyDelivery.deliver: count the stream against the limits, get the first response from the media server,
write the audit's ``open`` line, send the head, move the body. An error before the head is rendered as a response; after
it the connection is reset, because a body that is not complete must not look complete.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from functools import partial

from aiohttp import HttpVersion11, web

from gateway.delivery.client_stream import ClientIdleError, ClientStream
from gateway.delivery.film_indexes import FilmIndexes
from gateway.delivery.headers import media_request, response_headers
from gateway.delivery.media_server import MediaServer, names_mp4
from gateway.delivery.resumable_body import BodyLostError, ResumableBody
from gateway.delivery.streams import Streams
from gateway.delivery.verdicts import Usable
from gateway.errors import ValtResponseError
from gateway.events import RelayStarted, StreamAborted
from gateway.model import Grant, Link, Outcome, Stage, Video
from gateway.ports import Audit, Clock, Links, Observer
from gateway.request_record import RequestRecord

AddHeaders = Callable[[web.StreamResponse], None]

_FAST, _PLAIN = RelayStarted("fast"), RelayStarted("plain")
_LINGER_ZERO, _NO_LINGER = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)


class ProxyDelivery:
    """*upstream_idle* and *viewer_idle*: seconds in which a client reads nothing. After the first the media server's
    connection is closed, and reopened when the client reads again; after the second the client's is reset.
    *resume_tries*: how often in a row, without progress, an interrupted body is requested again."""

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
        films: FilmIndexes | None = None,
    ) -> None:
        self._media = media
        self._links = links
        self._audit = audit
        self._streams = streams
        self._clock = clock
        self._observer = observer
        self._report_relay = observer.reporter(RelayStarted)
        self._resume_tries = resume_tries
        self._upstream_idle = upstream_idle
        self._viewer_idle = viewer_idle
        self._films = films

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
        """Returns a response with the video's bytes, as the request's Range and conditions select them.

        *add_response_headers* is called with the response before its head is written. Raises a GatewayError if no byte
        has been sent: BusyError or TooManyRequestsError at a limit, VideoNotFoundError, ValtError.
        """
        body = ResumableBody(
            self._media.get, self._links, self._clock, self._observer, grant, link, record, tries=self._resume_tries
        )

        def end(reason: str) -> None:
            record.outcome, record.reason = Outcome.CUT, reason
            self._observer.on_event(StreamAborted("gateway", reason))
            reset_connection(request.transport)

        usable: Usable | None = None
        with self._streams.count(grant, record, end):
            try:
                record.enter(Stage.FIRST_BYTE)
                usable, fields = await body.open(media_request(request.method, request.headers))
                record.enter(None)
                headers = response_headers(
                    usable,
                    fields,
                    link.filename or f"{grant.video}.mp4",
                    attachment=attachment,
                    is_mp4=partial(names_mp4, link),
                )
                record.status = usable.status
                record.first_byte = None if usable.body is None else usable.body.first
                has_body = request.method != "HEAD" and usable.status in (200, 206)
                if has_body and "Content-Length" not in headers:
                    _require_visible_end(request)
                await self._audit.opened(record)
                if not has_body:
                    record.outcome = Outcome.WHOLE
                    return web.Response(status=usable.status, headers=headers)
                response = _streamed(usable.status, headers, request)
                add_response_headers(response)
                del headers, fields  # copied; they would stay in memory as long as the stream
                await self._send(request, response, body, record)
                return response
            finally:
                body.close()
                sent = None if usable is None else usable.body
                if self._films is not None and sent is not None and sent.total and record.bytes:
                    record.film = self._films.request(grant.account, Video(grant.recording, grant.video or ""), sent)

    async def _send(
        self, request: web.BaseRequest, response: web.StreamResponse, body: ResumableBody, record: RequestRecord
    ) -> None:
        """Send the head and the body, and record how it ended."""
        client = ClientStream(request, response, upstream_idle=self._upstream_idle, viewer_idle=self._viewer_idle)
        ends_by_close = response.content_length is None and not response.chunked
        try:
            if ends_by_close:
                _reset_if_closed(request.transport, True)
            await response.prepare(request)
            fast = body.spliced and client.direct_socket() is not None
            self._report_relay(_FAST if fast else _PLAIN)
            await body.relay(client)
            await client.finish()
            if ends_by_close:
                _reset_if_closed(request.transport, False)
            record.outcome = record.outcome or Outcome.WHOLE
        except BodyLostError as error:
            self._abort(request, record, Outcome.FAILED, "upstream", error.reason)
        except ClientIdleError:
            self._abort(request, record, Outcome.CUT, "viewer", "idle")
        except (ConnectionError, asyncio.CancelledError):
            if record.outcome is None:
                record.outcome = Outcome.LEFT
                self._observer.on_event(StreamAborted("viewer", "left"))
            raise
        except Exception:
            self._abort(request, record, Outcome.FAILED, "gateway", "internal")
            raise
        finally:
            record.bytes = client.sent
            client.close()

    def _abort(self, request: web.BaseRequest, record: RequestRecord, outcome: Outcome, side: str, reason: str) -> None:
        record.outcome, record.reason = outcome, f"{side}: {reason}"
        self._observer.on_event(StreamAborted(side, reason))
        reset_connection(request.transport)


def reset_connection(transport: asyncio.BaseTransport | None) -> None:
    """End a client's connection by a TCP reset, so that the end of an incomplete body cannot be mistaken for its end.

    An abort without SO_LINGER leaves megabytes in the kernel, which a slow reader would still receive.
    """
    if not isinstance(transport, asyncio.Transport):
        return
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


def _reset_if_closed(transport: asyncio.Transport | None, reset: bool) -> None:
    """Sets whether the kernel ends a client's connection by a TCP reset, whatever closes it: a process that is killed
    does so too, and nothing of ours runs then. What waits in the kernel is lost with a reset."""
    if transport is not None and not transport.is_closing():
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO if reset else _NO_LINGER)


def _require_visible_end(request: web.BaseRequest) -> None:
    """Raises ValtResponseError if an incomplete body of no stated length would look complete to the client: HTTP/1.0
    has no last chunk, and a unix socket cannot be reset."""
    sock = None if request.transport is None else request.transport.get_extra_info("socket")
    if request.version < HttpVersion11 and sock is not None and sock.family == socket.AF_UNIX:
        raise ValtResponseError("the film has no stated length: the proxy must use HTTP/1.1 on the unix socket")


def _streamed(status: int, headers: Mapping[str, str], request: web.BaseRequest) -> web.StreamResponse:
    """Returns the response whose body is to be written piece by piece."""
    if "Content-Length" in headers:
        # A web.Response sends its head with the first of its body, a web.StreamResponse in a packet of its own.
        return web.Response(status=status, headers=headers)
    response = web.StreamResponse(status=status, headers=headers)
    if request.version >= HttpVersion11:
        response.enable_chunked_encoding()
    else:
        response.force_close()  # the end of the connection is the end of the body; until then, closing resets it
    return response
