"""The media server: ask for bytes of a link, and move them to the viewer. The seam where foreign errors become ours,
``from None`` because aiohttp's carry the URL and the URL carries the token.

Two ways. The fast one is our own sockets and a pump (upstream.py, pump.py); the plain one is aiohttp's client, right
for every lawful server. What the fast way calls odd goes the plain way, and so does that server for a minute.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Protocol

import aiohttp
from yarl import URL

from gateway.delivery.client_stream import ClientSocket, ClientStream
from gateway.delivery.connection_pool import Connection, ConnectionPool, Origin
from gateway.delivery.response_head import Head, UnsupportedResponseError
from gateway.delivery.splice_pump import SplicePump, UpstreamEndedError
from gateway.errors import ValtTimeoutError, ValtUnavailableError
from gateway.model import Link

_ODD_SECONDS = 60.0
_PIECE = 256 * 1024


class MediaBrokenError(Exception):
    """A body ended before its end. *reason* is dropped, stalled or short."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MediaAnswer(Protocol):
    """A head, and a body to be moved once."""

    status: int
    headers: Mapping[str, str]
    fast: bool

    async def relay(self, viewer: ClientStream, skip: int, count: int | None) -> None:
        """Move the body to *viewer*: leave out *skip* bytes, then move *count* of them, or all there are.

        MediaBrokenError where it breaks off; ViewerRestsError; ConnectionError where the viewer has gone.
        """
        ...

    def abort(self) -> None:
        """No byte is drawn after this. Harmless after the end."""
        ...


class MediaServer:
    """*session* keeps no cookies and has a pool of its own. Timeouts are seconds: *connect_timeout* with TLS included,
    *read_timeout* of silence."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        ssl_context: ssl.SSLContext,
        *,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._upstreams = ConnectionPool(ssl_context, connect_timeout=connect_timeout)
        self._read_timeout = read_timeout
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=read_timeout)
        self._odd_until: dict[Origin, float] = {}

    async def ask(self, method: str, link: Link, headers: Mapping[str, str]) -> MediaAnswer:
        """The media server's answer, whatever its status. ValtUnavailableError, ValtTimeoutError before a head."""
        url = URL(link.url.reveal(), encoded=True)
        origin, now = (url.scheme, url.host or "", url.port or 0), self._loop.time()
        try:
            if self._odd_until.get(origin, 0.0) <= now:
                try:
                    return await self._ask_fast(origin, method, url, headers)
                except UnsupportedResponseError:
                    self._odd_until[origin] = now + _ODD_SECONDS
            return await self._ask_plain(method, url, headers)
        except TimeoutError:
            raise ValtTimeoutError("the media server did not answer in time") from None
        except (aiohttp.ClientError, OSError, EOFError, ValueError) as error:
            raise ValtUnavailableError(f"the media server cannot be reached: {type(error).__name__}") from None

    def close(self) -> None:
        self._upstreams.close()

    async def _ask_fast(self, origin: Origin, method: str, url: URL, headers: Mapping[str, str]) -> MediaAnswer:
        kept = self._upstreams.take(origin)
        if kept is not None:
            try:
                return await self._head(kept, method, url, headers)
            except (OSError, EOFError) as error:
                # The server may have ended a kept connection just as we asked: that was no answer (RFC 9112, 9.3.1).
                if isinstance(error, TimeoutError):
                    raise
        return await self._head(await self._upstreams.connect(origin), method, url, headers)

    async def _head(self, upstream: Connection, method: str, url: URL, headers: Mapping[str, str]) -> MediaAnswer:
        upstream.timer.set(self._loop.time() + self._read_timeout, upstream.fail_waiter)
        try:
            head = await upstream.ask(method, url, headers)
        except BaseException:
            upstream.close()
            raise
        upstream.timer.clear()
        return FastAnswer(self._upstreams, upstream, head, self._read_timeout)

    async def _ask_plain(self, method: str, url: URL, headers: Mapping[str, str]) -> MediaAnswer:
        return PlainAnswer(
            await self._session.request(method, url, headers=headers, timeout=self._timeout, allow_redirects=False)
        )


class FastAnswer:
    """An answer on a connection of ours, which is kept for the next request once its body has been moved."""

    fast = True

    def __init__(self, upstreams: ConnectionPool, upstream: Connection, head: Head, read_timeout: float) -> None:
        self.status = head.status
        self.headers = head.headers
        self._upstreams = upstreams
        self._upstream: Connection | None = upstream
        self._keep = head.keep
        self._left = head.length
        self._read_timeout = read_timeout
        self._end_if_done()

    async def relay(self, viewer: ClientStream, skip: int, count: int | None) -> None:
        upstream = self._upstream
        if upstream is None:
            return
        await self._skip(upstream, skip)
        count = self._left if count is None else min(count, self._left)
        outlet = viewer.outlet()
        if outlet is None:
            await self._copy(upstream, viewer, count)
        else:
            early = upstream.take_early(count)
            self._left -= len(early)
            await viewer.begin(early)
            await self._pump(upstream, viewer, outlet, count - len(early))
        self._end_if_done()

    def abort(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
            self._upstream = None

    async def _pump(self, upstream: Connection, viewer: ClientStream, outlet: ClientSocket, count: int) -> None:
        def moved(portion: int) -> None:
            viewer.bytes += portion
            self._left -= portion

        pump = SplicePump(
            upstream, outlet, count, moved, read_timeout=self._read_timeout, write_timeout=viewer.stall_timeout
        )
        try:
            await pump.run()
        except UpstreamEndedError as error:
            raise MediaBrokenError(error.reason) from None

    async def _copy(self, upstream: Connection, viewer: ClientStream, count: int) -> None:
        while count:
            piece = await self._read(upstream, min(_PIECE, count))
            count -= len(piece)
            await viewer.write(piece)

    async def _skip(self, upstream: Connection, skip: int) -> None:
        while skip:
            skip -= len(await self._read(upstream, min(_PIECE, skip)))

    async def _read(self, upstream: Connection, size: int) -> bytes:
        try:
            async with asyncio.timeout(self._read_timeout):
                piece = await upstream.read(size)
        except TimeoutError:
            raise MediaBrokenError("stalled") from None
        except OSError:
            raise MediaBrokenError("dropped") from None
        if not piece:
            raise MediaBrokenError("short")
        self._left -= len(piece)
        return piece

    def _end_if_done(self) -> None:
        if self._left == 0 and self._keep and self._upstream is not None:
            self._upstreams.keep(self._upstream)
            self._upstream = None


class PlainAnswer:
    """An answer read through aiohttp's client."""

    fast = False

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def relay(self, viewer: ClientStream, skip: int, count: int | None) -> None:
        while count is None or count > 0:
            piece = await self._read()
            if not piece:
                return
            skipped = min(skip, len(piece))
            skip -= skipped
            piece = piece[skipped:] if count is None else piece[skipped : skipped + count]
            if piece:
                count = None if count is None else count - len(piece)
                await viewer.write(piece)

    def abort(self) -> None:
        # close() alone may go on reading the rest of the file where TLS is in between.
        connection = self._response.connection
        transport = None if connection is None else connection.transport
        if isinstance(transport, asyncio.Transport):
            transport.abort()
        self._response.close()

    async def _read(self) -> bytes:
        try:
            return await self._response.content.readany()
        except TimeoutError:
            raise MediaBrokenError("stalled") from None
        except aiohttp.ClientPayloadError as error:
            raise MediaBrokenError("dropped" if isinstance(error.__cause__, OSError) else "short") from None
        except (aiohttp.ClientError, OSError):
            raise MediaBrokenError("dropped") from None
