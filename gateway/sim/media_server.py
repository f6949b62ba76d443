"""The simulated distribution server: exact ranges and validators, and every way for a body to go wrong.

It speaks HTTP/1.1 itself, on asyncio's streams: a framework would mend the faults that it is here to have.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from urllib.parse import parse_qs

from multidict import CIMultiDict

from gateway.sim import ranges
from gateway.sim.api import LinkSigner
from gateway.sim.catalogue import Film
from gateway.sim.knobs import Knobs
from gateway.sim.media_body import Body, CutError, MediaRequest, reset, wait_with

_PATH = re.compile(r"/distribution/([0-9A-Za-z-]+)/1_\1_(\d+)\.mp4")
_BOUNDARY = "THIS_STRING_SEPARATES"

Parts = Sequence[bytes | memoryview]


class Distribution:
    """*find* gives the film of a recording's id and number. *called* hears of requests, *changed* of what follows."""

    def __init__(
        self,
        find: Callable[[str, int], Film | None],
        knobs: Knobs,
        signer: LinkSigner,
        called: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self.requests: list[MediaRequest] = []
        self.open = 0
        self._find = find
        self._knobs = knobs
        self._signer = signer
        self._called = called
        self._changed = changed

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.open += 1
        # Without a buffer of our own, what was written is what the kernel took: a cut is where it was meant to be.
        # One byte, not none: at 0 asyncio's TLS holds an empty buffer to be full, and drain never returns.
        writer.transport.set_write_buffer_limits(1)
        try:
            while await self._request(reader, writer):
                pass
        except (CutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self.open -= 1
            self._changed()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request. False if the connection is not to be used again."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, _, target = head[0].removesuffix(" HTTP/1.1").partition(" ")
        headers: CIMultiDict[str] = CIMultiDict()
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            headers.add(name, value.strip())
        path, _, query = target.partition("?")
        seen = MediaRequest(method, path, headers)
        self.requests.append(seen)
        self._called("media")
        try:
            if "media" in self._knobs.gate:
                await wait_with(reader, self._knobs.gate["media"].wait())
            if self._knobs.delay.get("media"):
                await wait_with(reader, asyncio.sleep(self._knobs.delay["media"]))
            token = parse_qs(query).get("access_token", [""])[0]
            status, headers_sent, parts, film = self._answer(seen, token)
            life = self._signer.left(token) if self._knobs.expiry_cuts and film is not None else None
            async with asyncio.timeout(life):
                await self._send(seen, status, headers_sent, parts, film, reader, writer)
        except TimeoutError:
            reset(writer)
        except ConnectionError:
            seen.left = True
            raise
        finally:
            seen.over = True
            self._changed()
        return headers.get("Connection", "").lower() != "close"

    def _answer(self, seen: MediaRequest, token: str) -> "tuple[int, CIMultiDict[str], Parts, Film | None]":
        match = _PATH.fullmatch(seen.path)
        film = self._find(match[1], int(match[2])) if match else None
        status = 200
        if seen.method not in ("GET", "HEAD"):
            status = 405
        elif self._knobs.refuse_media:
            status = self._knobs.refuse_media.pop(0)
        elif not self._signer.accepts(token, seen.path):
            status = 403
        elif film is None:
            status = 404
        if film is None or status != 200:
            return status, CIMultiDict(), (), None
        return *self._film(seen, film), film

    def _film(self, seen: MediaRequest, film: Film) -> "tuple[int, CIMultiDict[str], Parts]":
        """Status, headers and body for a film that may be seen."""
        knobs, content = self._knobs, memoryview(film.content)
        etag = {"strong": film.etag, "weak": f"W/{film.etag}", "none": None}[knobs.validators]
        modified = None if knobs.validators == "none" else film.modified
        request_headers = CIMultiDict(seen.headers)
        if seen.method == "HEAD" or knobs.ignore_range:
            request_headers.pop("Range", None)
        answer = ranges.answer(request_headers, len(content), etag, modified)
        headers = CIMultiDict(
            {"Accept-Ranges": "bytes", "Server": "WowzaStreamingEngine/4.8", "Set-Cookie": "JSESSION=1"}
        )
        if etag is not None:
            headers["ETag"] = etag
        if modified is not None:
            headers["Last-Modified"] = ranges.http_date(modified)
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
        seen: MediaRequest,
        status: int,
        headers: "CIMultiDict[str]",
        parts: Parts,
        film: Film | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        seen.status = status
        chunked = self._knobs.chunked and bool(parts)
        if chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif status != 304:
            headers["Content-Length"] = str(sum(len(part) for part in parts))
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if parts and seen.method == "GET":
            await Body(seen, film, self._knobs, reader, writer, self._changed).send(head, parts, chunked=chunked)
        else:
            writer.write(head)
            await writer.drain()


def _multipart(content: memoryview, spans: tuple[tuple[int, int], ...]) -> Parts:
    """``multipart/byteranges`` (RFC 9110, 14.6)."""
    parts: list[bytes | memoryview] = []
    for first, last in spans:
        head = f"\r\n--{_BOUNDARY}\r\nContent-Type: video/mp4\r\nContent-Range: bytes {first}-{last}/{len(content)}"
        parts += [f"{head}\r\n\r\n".encode(), content[first : last + 1]]
    return [*parts, f"\r\n--{_BOUNDARY}--\r\n".encode()]
