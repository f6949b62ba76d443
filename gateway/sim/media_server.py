"""The simulated media server (VALT's distribution server): exact ranges and validators, and faulty bodies.

It implements HTTP/1.1 on asyncio's streams, because a framework would correct the faults that it must produce.
"""

import asyncio
import re
import socket
from collections.abc import Callable, Sequence
from http import HTTPStatus
from urllib.parse import parse_qs

from multidict import CIMultiDict

from gateway.sim import ranges
from gateway.sim.catalogue import Content, Film
from gateway.sim.knobs import Knobs
from gateway.sim.link_signer import LinkSigner
from gateway.sim.media_body import Body, CutError, MediaRequest, reset, wait_with

_PATH = re.compile(r"/distribution/([0-9A-Za-z-]+)/1_\1_(\d+)\.mp4")
_BOUNDARY = "THIS_STRING_SEPARATES"

Parts = Sequence[bytes | Content]


class MediaServer:
    """*find* returns the film of a recording's id and number. *on_call* is called for each request, *on_change* after
    each change of state."""

    def __init__(
        self,
        find: Callable[[str, int], Film | None],
        knobs: Knobs,
        signer: LinkSigner,
        on_call: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        self.requests: list[MediaRequest] = []
        self.open = 0
        self._find = find
        self._knobs = knobs
        self._signer = signer
        self._on_call = on_call
        self._on_change = on_change

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection until it ends."""
        self.open += 1
        # Without a buffer in this process the kernel has accepted what was written, so that a cut is exact. The limit
        # is one byte because with 0 asyncio's TLS takes an empty buffer for a full one, and drain never returns.
        writer.transport.set_write_buffer_limits(1)
        if self._knobs.send_buffer is not None:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._knobs.send_buffer)
        try:
            while await self._request(reader, writer):
                pass
        except (CutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the end of the connection
        finally:
            self.open -= 1
            self._on_change()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request. Returns False if the connection must be closed."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, _, target = head[0].removesuffix(" HTTP/1.1").partition(" ")
        headers: CIMultiDict[str] = CIMultiDict()
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            headers.add(name, value.strip())
        path, _, query = target.partition("?")
        request = MediaRequest(method, path, headers)
        self.requests.append(request)
        self._on_call("media")
        try:
            if "media" in self._knobs.gate:
                await wait_with(reader, self._knobs.gate["media"].wait())
            if self._knobs.delay.get("media"):
                await wait_with(reader, asyncio.sleep(self._knobs.delay["media"]))
            token = parse_qs(query).get("access_token", [""])[0]
            status, headers_sent, parts, film = self._answer(request, token)
            life = self._signer.left(token) if self._knobs.expiry_cuts and film is not None else None
            async with asyncio.timeout(life):
                await self._send(request, status, headers_sent, parts, film, reader, writer)
        except TimeoutError:
            reset(writer)
        except ConnectionError:
            request.client_left = True
            raise
        finally:
            request.ended = True
            self._on_change()
        return headers.get("Connection", "").lower() != "close"

    def _answer(self, request: MediaRequest, token: str) -> "tuple[int, CIMultiDict[str], Parts, Film | None]":
        match = _PATH.fullmatch(request.path)
        film = self._find(match[1], int(match[2])) if match else None
        status = 200
        if request.method not in ("GET", "HEAD") or (request.method == "HEAD" and self._knobs.refuse_head):
            status = 405
        elif self._knobs.refuse_media:
            status = self._knobs.refuse_media.pop(0)
        elif not self._signer.accepts(token, request.path):
            status = 403
        elif film is None:
            status = 404
        if film is None or status != 200:
            return status, CIMultiDict(), (), None
        return *self._film(request, film), film

    def _film(self, request: MediaRequest, film: Film) -> "tuple[int, CIMultiDict[str], Parts]":
        """Returns status, headers and body of the response for a film that the link opens."""
        knobs, content = self._knobs, film.view()
        etags = {"strong": film.etag, "weak": f"W/{film.etag}", "unquoted": film.etag.strip('"'), "none": None}
        etag = etags[knobs.validators]
        modified = None if knobs.validators == "none" else film.modified
        request_headers = CIMultiDict(request.headers)
        if request.method == "HEAD" or knobs.ignore_range:
            request_headers.pop("Range", None)
        if knobs.ignore_if_range:
            request_headers.pop("If-Range", None)
        answer = ranges.answer(request_headers, len(content), etag, modified)
        headers = CIMultiDict(
            {"Accept-Ranges": "bytes", "Server": "WowzaStreamingEngine/4.8", "Set-Cookie": "JSESSION=1"}
        )
        if etag is not None:
            headers["ETag"] = etag
        if modified is not None:
            headers["Last-Modified"] = ranges.http_date(modified)
        if knobs.media_date_ahead is not None:
            headers["Date"] = ranges.http_date(self._signer.now() + knobs.media_date_ahead)
        if answer.status == 416:
            headers["Content-Range"] = f"bytes */{len(content)}"
        if answer.status not in (200, 206):
            return answer.status, headers, ()
        spans = answer.spans or ()
        if len(spans) > 1:
            headers["Content-Type"] = f"multipart/byteranges; boundary={_BOUNDARY}"
            return answer.status, headers, _multipart(content, spans)
        headers["Content-Type"] = "video/mp4"
        if not spans:
            return answer.status, headers, (content,)
        first, last = spans[0]
        shift = 1 if knobs.wrong_content_range else 0
        headers["Content-Range"] = f"bytes {first + shift}-{last + shift}/{len(content)}"
        return answer.status, headers, (content[first : last + 1],)

    async def _send(
        self,
        request: MediaRequest,
        status: int,
        headers: "CIMultiDict[str]",
        parts: Parts,
        film: Film | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        request.status = status
        chunked = self._knobs.chunked and bool(parts)
        if chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif status != 304:
            headers["Content-Length"] = str(sum(len(part) for part in parts))
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if parts and request.method == "GET":
            await Body(request, film, self._knobs, reader, writer, self._on_change).send(head, parts, chunked=chunked)
        else:
            writer.write(head)
            await writer.drain()


def _multipart(content: Content, spans: tuple[tuple[int, int], ...]) -> Parts:
    """Returns a ``multipart/byteranges`` body (RFC 9110, section 14.6)."""
    parts: list[bytes | Content] = []
    for first, last in spans:
        head = f"\r\n--{_BOUNDARY}\r\nContent-Type: video/mp4\r\nContent-Range: bytes {first}-{last}/{len(content)}"
        parts += [f"{head}\r\n\r\n".encode(), content[first : last + 1]]
    return [*parts, f"\r\n--{_BOUNDARY}--\r\n".encode()]
