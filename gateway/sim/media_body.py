"""Sends the body of one response of the media server, with the faults that the knobs set."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from multidict import CIMultiDict

from gateway.sim.catalogue import Content, Film
from gateway.sim.knobs import Knobs

_PIECE = 64 * 1024


class CutError(Exception):
    """The simulator ends the connection here on purpose."""


@dataclass
class MediaRequest:
    """A request that the media server has received. *sent* is the number of body bytes that the kernel has accepted.
    *client_left*: the client closed the connection before the response was complete. *ended*: the response is over."""

    method: str
    path: str
    headers: CIMultiDict[str] = field(repr=False)
    status: int = 0
    sent: int = 0
    client_left: bool = False
    ended: bool = False

    @property
    def range(self) -> str | None:
        return self.headers.get("Range")


class Body:
    """Takes one fault of each list of *knobs* when it is created. *on_change* is called whenever bytes are sent."""

    def __init__(
        self,
        seen: MediaRequest,
        film: Film | None,
        knobs: Knobs,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_change: Callable[[], None],
    ) -> None:
        self._seen = seen
        self._film = film
        self._knobs = knobs
        self._reader = reader
        self._writer = writer
        self._on_change = on_change
        self._reset_at = _next(knobs.reset_after)
        self._end_at = _next(knobs.end_after)
        self._stall_at = _next(knobs.stall_after)
        self._change_at = _next(knobs.change_after)

    async def send(self, head: bytes, parts: Sequence[bytes | Content], *, chunked: bool) -> None:
        """Send everything. Raises CutError where a knob ends the body."""
        if self._reset_at is not None and self._reset_at < 0:
            await self._write(head[: len(head) // 2])
            reset(self._writer)
        self._writer.write(head)
        stops = [self._reset_at, self._end_at, self._stall_at, self._change_at]
        for piece in pieces(parts, [stop for stop in stops if stop is not None]):
            await self._fault()
            await self._write(_chunk(piece) if chunked else piece)
            self._seen.sent += len(piece)
            self._on_change()
        await self._fault()
        if chunked:
            self._writer.write(b"0\r\n\r\n")
        await self._write(b"x" * self._knobs.extra_bytes)

    async def _write(self, data: bytes | memoryview) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def _fault(self) -> None:
        at = self._seen.sent
        if at == self._stall_at:
            await wait_with(self._reader, self._knobs.stall_gate.wait())
        if at == self._change_at and self._film is not None:
            self._film.change()
            reset(self._writer)
        if at == self._reset_at:
            reset(self._writer)
        if at == self._end_at:
            raise CutError


def pieces(parts: Iterable[bytes | Content], stops: Sequence[int], size: int = _PIECE) -> Iterator[memoryview]:
    """Yields the body in pieces of at most *size* bytes, none of which contains one of *stops* except at its ends."""
    before = 0
    for part in parts:
        view: Content = memoryview(part) if isinstance(part, bytes) else part
        start = 0
        while start < len(view):
            ahead = [stop - before for stop in stops if stop - before > start]
            end = min(start + size, len(view), *ahead)
            piece = view[start:end]
            yield piece if isinstance(piece, memoryview) else memoryview(piece.tobytes())
            start = end
        before += len(view)


async def wait_with(reader: asyncio.StreamReader, awaited: Awaitable[object]) -> None:
    """Wait for *awaited*. Raises ConnectionResetError if the client closes the connection meanwhile."""
    waiting = asyncio.ensure_future(awaited)
    gone = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            raise ConnectionResetError
    finally:
        waiting.cancel()
        gone.cancel()
        await asyncio.gather(waiting, gone, return_exceptions=True)


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection by a TCP reset. Raises CutError."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    raise CutError


def _chunk(piece: memoryview) -> bytes:
    return f"{len(piece):x}\r\n".encode() + bytes(piece) + b"\r\n"


def _next(queue: list[int]) -> int | None:
    return queue.pop(0) if queue else None
