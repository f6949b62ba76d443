"""A media server's response, in two forms: SplicedResponse on a connection of ours, whose body SplicePump moves from
socket to socket, and BufferedResponse through aiohttp's client, which understands every lawful response.
"""

import asyncio
import ssl
from typing import Protocol

import aiohttp
from multidict import MultiDict, MultiMapping

from gateway.delivery.client_stream import ClientSocket, ClientStream
from gateway.delivery.connection import Connection
from gateway.delivery.connection_pool import ConnectionPool
from gateway.delivery.response_head import Head
from gateway.delivery.splice_pump import SplicePump, UpstreamEndedError

_PIECE = 128 * 1024
"""Bytes read at once where a body passes through this process on its way to a viewer over TLS. Half as many cost up to
a third more processor time, twice as many gain nothing, and wait in the buffers of slow viewers."""


_NONE: MultiMapping[str] = MultiDict()
"""Instead of the fields of a response whose body is relayed: nobody reads them by then, and they take 0.9 KiB."""


class BodyInterruptedError(Exception):
    """A body ended before its end. *reason* is dropped, stalled or short."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BodyTooLongError(Exception):
    """A body has more bytes than its head states, so that it may be of another part, or of another file."""


class MediaResponse(Protocol):
    """A head, and a body that can be relayed once. SplicedResponse and BufferedResponse implement it."""

    status: int
    headers: MultiMapping[str]
    """May be empty once the body is relayed."""
    spliced: bool
    """Whether the body can be moved from socket to socket."""
    ends_with_connection: bool
    """Whether the body has no other end than the connection's, which may as well have been lost."""

    async def relay(self, client: ClientStream, skip: int, count: int | None, *, must_end: bool) -> None:
        """Discard *skip* bytes of the body, then write *count* bytes of it to *client*, or all there are.

        *must_end*: whether the body has no more bytes than those, by fields other than Content-Length; the last ones
        are written only if that is so. Raises BodyTooLongError if it is not, BodyInterruptedError if the body ends too
        early, ClientStalledError, or ConnectionError if the client has gone. Returns early only at the end of the body.
        """
        ...

    def close(self) -> None:
        """Stop reading at once. Must be called after the end of the body too."""
        ...


class SplicedResponse:
    """A response on a connection of the pool, which gets the connection back if the body has been read to its end."""

    spliced = True
    ends_with_connection = False

    def __init__(self, pool: ConnectionPool, connection: Connection, head: Head, read_timeout: float) -> None:
        self.status = head.status
        self.headers: MultiMapping[str] = head.headers
        self._pool = pool
        self._connection: Connection | None = connection
        self._reusable = head.reusable
        self._left = head.length
        self._read_timeout = read_timeout

    async def relay(self, client: ClientStream, skip: int, count: int | None, *, must_end: bool) -> None:
        """See MediaResponse.relay. The body ends where its Content-Length says."""
        connection = self._connection
        if connection is None:
            return
        self.headers = _NONE
        while skip:
            skip -= len(await self._read(connection, min(_PIECE, skip)))
        count = self._left if count is None else min(count, self._left)
        early = connection.take_early(count)
        self._left -= len(early)
        count -= len(early)
        client_socket = client.direct_socket()
        if client_socket is not None:
            await client.start_direct(early)
            del early  # it would stay in memory for as long as the client takes
            if count:
                await self._splice(connection, client, client_socket, count)
        else:
            if early:
                await client.write(early)
                del early
            unwanted = self._left - count
            while self._left > unwanted:
                # The piece has no name here: it would stay in memory for as long as the client takes.
                await client.write(await self._read(connection, min(_PIECE, self._left - unwanted)))

    def close(self) -> None:
        """See MediaResponse.close."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._left == len(connection.early):
            connection.early, self._left = b"", 0  # the rest of the body has been read: a HEAD needs none of it
        if self._reusable and not self._left:
            self._pool.release(connection)
        else:
            connection.close()

    async def _splice(
        self, connection: Connection, client: ClientStream, client_socket: ClientSocket, count: int
    ) -> None:
        def on_sent(portion: int) -> None:
            client.sent += portion
            self._left -= portion

        pump = SplicePump(
            connection,
            client_socket,
            count,
            on_sent,
            read_timeout=self._read_timeout,
            write_timeout=client.stall_timeout,
        )
        try:
            await pump.run()
        except UpstreamEndedError as error:
            raise BodyInterruptedError(error.reason) from None

    async def _read(self, connection: Connection, size: int) -> bytes | memoryview:
        connection.timer.set(connection.loop.time() + self._read_timeout, connection.fail_waiter)
        try:
            piece = await connection.read(size)
        except TimeoutError:
            raise BodyInterruptedError("stalled") from None
        except OSError:
            raise BodyInterruptedError("dropped") from None
        if not piece:
            raise BodyInterruptedError("short")
        self._left -= len(piece)
        return piece


class _ConnectionEnd:
    """How a connection of aiohttp's client has ended: it tells its reader that a reset, or a TLS connection that was
    cut off (RFC 9112, section 9.8), is the end of a body without a length."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        connection = response.connection
        protocol = None if connection is None else connection.protocol
        transport = None if connection is None else connection.transport
        self._closed = None if protocol is None else protocol.closed
        if self._closed is not None:
            self._closed.add_done_callback(_retrieve)
        self._ssl: ssl.SSLObject | None = None if transport is None else transport.get_extra_info("ssl_object")

    def is_clean(self) -> bool:
        """Whether the server has ended the connection by itself. To be called at the end of the body."""
        if self._closed is not None and self._closed.done() and self._closed.exception() is not None:
            return False
        if self._ssl is None:
            return True
        try:
            self._ssl.read(1)
        except ssl.SSLZeroReturnError:
            return True  # the server has announced the end (close_notify)
        except ssl.SSLError:
            return False
        return False


def _retrieve(closed: asyncio.Future[None]) -> None:
    """Has the event loop log no error about a connection that was lost after all that was wanted had arrived."""
    if not closed.cancelled():
        closed.exception()


class BufferedResponse:
    """A response read through aiohttp's client. *read_timeout* is seconds of silence.

    It is measured here too: after a malformed chunk in a later segment aiohttp closes the connection and tells whoever
    reads the body nothing, and its own timeout has ended with the connection.
    """

    spliced = False

    def __init__(self, response: aiohttp.ClientResponse, read_timeout: float) -> None:
        self._response = response
        self._read_timeout = read_timeout
        self.status = response.status
        self.headers: MultiMapping[str] = response.headers
        self.ends_with_connection = not (
            "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
        )
        self._end = _ConnectionEnd(response) if self.ends_with_connection else None

    async def relay(self, client: ClientStream, skip: int, count: int | None, *, must_end: bool) -> None:
        """See MediaResponse.relay."""
        while count is None or count > 0:
            piece = await self._read()
            if not piece:
                if skip:
                    raise BodyInterruptedError("short")  # the end of what does not reach the position is not its end
                if self._end is not None and not self._end.is_clean():
                    raise BodyInterruptedError("dropped")
                return
            skipped = min(skip, len(piece))
            skip -= skipped
            excess = 0 if count is None else len(piece) - skipped - count
            if must_end and excess >= 0 and (excess or not await self._is_at_end()):
                raise BodyTooLongError
            piece = piece[skipped:] if count is None else piece[skipped : skipped + count]
            if piece:
                count = None if count is None else count - len(piece)
                await client.write(piece)

    def close(self) -> None:
        """See MediaResponse.close."""
        # ClientResponse.close() alone may go on reading the rest of the file if the connection is encrypted.
        connection = self._response.connection
        transport = None if connection is None else connection.transport
        if isinstance(transport, asyncio.Transport):
            transport.abort()
        self._response.close()

    async def _is_at_end(self) -> bool:
        try:
            return not await self._read()
        except BodyInterruptedError:
            return True  # all bytes that were stated have arrived, and no other

    async def _read(self) -> bytes:
        try:
            async with asyncio.timeout(self._read_timeout):
                return await self._response.content.readany()
        except TimeoutError:
            raise BodyInterruptedError("stalled") from None
        except aiohttp.ClientPayloadError as error:
            raise BodyInterruptedError("dropped" if isinstance(error.__cause__, OSError) else "short") from None
        except (aiohttp.ClientError, OSError):
            raise BodyInterruptedError("dropped") from None
