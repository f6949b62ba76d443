"""The simulated distribution server: exact ranges and validators, and every way for a body to go wrong.

It speaks HTTP/1.1 itself, on asyncio's streams: a framework would mend the faults that it is here to have.
"""

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs

from multidict import CIMultiDict

from gateway.sim import ranges
from gateway.sim.api import LinkSigner
from gateway.sim.catalogue import Film
from gateway.sim.knobs import Knobs

_PATH = re.compile(r"/distribution/([0-9A-Za-z-]+)/1_\1_(\d+)\.mp4")
_PIECE = 64 * 1024
_BOUNDARY = "THIS_STRING_SEPARATES"


class _CutError(Exception):
    """The connection ends here."""


@dataclass
class MediaRequest:
    """One request as it was seen. *sent* counts bytes of the body; *left* tells that the other side went first."""

    method: str
    path: str
    headers: CIMultiDict[str] = field(repr=False)
    status: int = 0
    sent: int = 0
    left: bool = False

    @property
    def range(self) -> str | None:
        return self.headers.get("Range")


class Distribution:
    """*find* gives the film of a recording's id and number; *changed* is called after every request and byte count."""

    def __init__(
        self, find: Callable[[str, int], Film | None], knobs: Knobs, signer: LinkSigner, changed: Callable[[], None]
    ) -> None:
        self.requests: list[MediaRequest] = []
        self.open = 0
        self._find = find
        self._knobs = knobs
        self._signer = signer
        self._changed = changed

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.open += 1
        try:
            while await self._request(reader, writer):
                pass
        except _CutError:
            writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self.open -= 1
            self._changed()
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers: CIMultiDict[str] = CIMultiDict()
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            headers.add(name, value.strip())
        path, _, query = target.partition("?")
        seen = MediaRequest(method, path, headers)
        self.requests.append(seen)
        self._changed()
        if "media" in self._knobs.gate:
            await self._knobs.gate["media"].wait()
        if self._knobs.delay.get("media"):
            await asyncio.sleep(self._knobs.delay["media"])
        try:
            await self._answer(seen, query, writer)
        except ConnectionError:
            seen.left = True
            raise
        finally:
            self._changed()
        return headers.get("Connection", "").lower() != "close"

    async def _answer(self, seen: MediaRequest, query: str, writer: asyncio.StreamWriter) -> None:
        token = parse_qs(query).get("access_token", [""])[0]
        match = _PATH.fullmatch(seen.path)
        film = self._find(match[1], int(match[2])) if match else None
        if self._knobs.refuse_media:
            await self._send(seen, writer, self._knobs.refuse_media.pop(0), CIMultiDict(), [])
        elif not self._signer.accepts(token, seen.path):
            await self._send(seen, writer, 403, CIMultiDict(), [])
        elif film is None:
            await self._send(seen, writer, 404, CIMultiDict(), [])
        else:
            await self._film(seen, film, writer)

    async def _film(self, seen: MediaRequest, film: Film, writer: asyncio.StreamWriter) -> None:
        knobs, content = self._knobs, film.content
        etag = {"strong": film.etag, "weak": f"W/{film.etag}", "none": None}[knobs.validators]
        modified = None if knobs.validators == "none" else film.modified
        asked = CIMultiDict(seen.headers)
        if seen.method == "HEAD" or knobs.ignore_range:
            asked.pop("Range", None)
        told = ranges.answer(asked, len(content), etag, modified)
        headers = CIMultiDict(
            {"Accept-Ranges": "bytes", "Server": "WowzaStreamingEngine/4.8", "Set-Cookie": "JSESSION=1"}
        )
        if etag is not None:
            headers["ETag"] = etag
        if modified is not None:
            headers["Last-Modified"] = ranges.http_date(modified)
        spans = told.spans or ()
        parts: list[bytes | memoryview] = []
        if told.status == 200:
            headers["Content-Type"] = "video/mp4"
            parts = [memoryview(content)]
        elif told.status == 416:
            headers["Content-Range"] = f"bytes */{len(content)}"
        elif told.status == 206 and len(spans) == 1:
            first, last = spans[0]
            headers["Content-Type"] = "video/mp4"
            shift = 1 if knobs.wrong_content_range else 0
            headers["Content-Range"] = f"bytes {first + shift}-{last + shift}/{len(content)}"
            parts = [memoryview(content)[first : last + 1]]
        elif told.status == 206:
            headers["Content-Type"] = f"multipart/byteranges; boundary={_BOUNDARY}"
            for first, last in spans:
                parts += [
                    f"\r\n--{_BOUNDARY}\r\nContent-Type: video/mp4\r\n"
                    f"Content-Range: bytes {first}-{last}/{len(content)}\r\n\r\n".encode(),
                    memoryview(content)[first : last + 1],
                ]
            parts.append(f"\r\n--{_BOUNDARY}--\r\n".encode())
        await self._send(seen, writer, told.status, headers, parts, film)

    async def _send(
        self,
        seen: MediaRequest,
        writer: asyncio.StreamWriter,
        status: int,
        headers: "CIMultiDict[str]",
        parts: "list[bytes | memoryview]",
        film: Film | None = None,
    ) -> None:
        knobs = self._knobs
        seen.status = status
        chunked = knobs.chunked and bool(parts)
        if chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif status != 304:
            headers["Content-Length"] = str(sum(len(part) for part in parts))
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if seen.method == "HEAD":
            parts = []
        faults = _Faults(knobs, bool(parts))
        if faults.cut_at is not None and faults.cut_at < 0:
            writer.write(head[: len(head) // 2])
            await writer.drain()
            _reset(writer)
        writer.write(head)
        for part in parts:
            for at in range(0, len(part), _PIECE):
                await self._piece(seen, writer, bytes(part[at : at + _PIECE]), faults, film, chunked=chunked)
        if chunked and parts:
            writer.write(b"0\r\n\r\n")
        if parts and knobs.extra_bytes:
            writer.write(b"x" * knobs.extra_bytes)
        await writer.drain()

    async def _piece(
        self,
        seen: MediaRequest,
        writer: asyncio.StreamWriter,
        piece: bytes,
        faults: "_Faults",
        film: Film | None,
        *,
        chunked: bool,
    ) -> None:
        stops = sorted({at - seen.sent for at in faults.stops if 0 <= at - seen.sent < len(piece)} | {len(piece)})
        begun = 0
        base = seen.sent
        for stop in stops:
            if stop > begun:
                part = piece[begun:stop]
                writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n" if chunked else part)
                await writer.drain()
                seen.sent += len(part)
                begun = stop
                self._changed()
            await self._fault(base + stop, writer, faults, film)

    async def _fault(self, at: int, writer: asyncio.StreamWriter, faults: "_Faults", film: Film | None) -> None:
        if at == faults.stall_at:
            faults.stall_at = None
            await self._knobs.stall_gate.wait()
        if at == faults.change_at and film is not None:
            film.content = bytes(byte ^ 0xFF for byte in film.content)
            film.modified += 60
            _reset(writer)
        if at == faults.cut_at:
            _reset(writer)
        if at == faults.end_at:
            raise ConnectionResetError


class _Faults:
    """What the knobs have in store for this one body."""

    def __init__(self, knobs: Knobs, body: bool) -> None:
        self.cut_at = knobs.reset_after.pop(0) if body and knobs.reset_after else None
        self.end_at = knobs.end_after.pop(0) if body and knobs.end_after else None
        self.stall_at = knobs.stall_after.pop(0) if body and knobs.stall_after else None
        self.change_at = knobs.change_after.pop(0) if body and knobs.change_after else None

    @property
    def stops(self) -> list[int]:
        return [at for at in (self.cut_at, self.end_at, self.stall_at, self.change_at) if at is not None]


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise _CutError
