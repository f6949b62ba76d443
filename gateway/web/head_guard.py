"""Bounds on what a client may leave unfinished: the size of a request head, the time that head and body take, and the
time in which it reads a response.

How it works. aiohttp bounds each line of a head and how many there are, but neither the head as a whole nor the time
that it takes. A `HeadGuard` therefore stands between the socket and aiohttp's protocol. It passes every byte on
unchanged, and follows them only far enough to know since when a request has been unfinished and how large its head is.
Of a head with more than `MAX_LINE` bytes it withholds the newest until the fields that tell who asks have arrived:
aiohttp refuses a long line at once, and would answer before it is known whether a browser navigates.

A head that is too large or too late is answered with 431 or 408, but not into the response to an earlier request of the
connection: that is closed after it instead. A body that is too late is answered by whoever reads it
(`Request.read_body`), by the same deadline.

What waits of a client that sends requests faster than it reads responses is limited by `WaitingHeads` and
`UnreadResponse`.
"""

import asyncio
from collections.abc import Callable

from gateway.errors import GatewayError, HeadersTooLargeError, RequestLineTooLongError, RequestTimeoutError
from gateway.tls_transport import TlsTransport
from gateway.web.http_server import HttpConnection
from gateway.web.request_validation import MAX_HEAD, MAX_LINE, HeadScanner, WaitingHeads
from gateway.web.responses import RESPONSE_TIMEOUT, UnreadResponse, serialize

_MAX_IGNORED = 256 * 1024
"""Bytes of a head with a long request line that are read, and not kept, for the sake of the fields after that line."""

_TLS_WRITE_BUFFER = 16 * 1024
"""Bytes that may wait beside the 64 KiB, or the one response, in the socket's transport, which is not ours to limit.
The end of a handshake, which still waits when the connection is established, has less."""
_HALF_CLOSED = 0.5
"""Seconds in which a client that has ended its side gets its responses. A browser that leaves looks the same."""
_LINGER = 2.0
"""Seconds for which input is still read, and ignored, after a rejection (RFC 9112, section 9.6)."""


class HeadGuard(asyncio.Protocol):
    """The protocol of one accepted socket, in front of aiohttp's *connection*. *timeout* and *response_timeout* are
    seconds; the former runs from the start of the connection for its first request, and from the first byte of each
    later one. *on_lost* is called with this guard, once, if the connection had been established."""

    __slots__ = (
        *("_connection", "_loop", "_on_lost", "_rejected", "_scanner", "_timeout", "_timer"),
        *("_transport", "_unread", "_waiting", "_withheld"),
    )

    def __init__(
        self,
        connection: HttpConnection,
        *,
        timeout: float,
        on_lost: "Callable[[HeadGuard], None]",
        response_timeout: float = RESPONSE_TIMEOUT,
    ) -> None:
        self._connection = connection
        self._timeout = timeout
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._scanner = HeadScanner()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rejected = False
        self._waiting = WaitingHeads()
        self._withheld = b""  # the newest bytes of a head, which aiohttp has not got
        self._unread = UnreadResponse(self.end, lambda: connection.body is not None, response_timeout)

    def __repr__(self) -> str:
        return f"<HeadGuard {self._scanner!r} waiting={self._timer is not None} {self._unread!r}>"

    @property
    def is_connected(self) -> bool:
        """Whether the connection has been established; over TLS, whether the handshake has succeeded."""
        return self._transport is not None

    @property
    def is_idle(self) -> bool:
        """Whether the connection is established, and every request that has arrived on it has been answered."""
        return self.is_connected and self._connection.answered >= self._scanner.completed

    @property
    def is_busy(self) -> bool:
        """Whether a request waits for its response and for nothing of the client: neither for the rest of its body, nor
        for the client to read the response before it. What arrived with or after a request that ended the connection
        gets none; over TLS the connection goes on until the client agrees to its end."""
        is_ending = self._transport is None or self._transport.is_closing()
        if is_ending or self._connection.answered >= self._scanner.completed:
            return False
        body = self._connection.body
        return not self._unread.is_blocked if body is None else body.is_eof()

    @property
    def is_replaceable(self) -> bool:
        """Whether the connection is established and a further client may have its place: it has no request, one that
        waits for the client, or several at once, which neither probes nor Prometheus send."""
        several = self._scanner.completed > self._connection.answered + 1
        return self.is_connected and (several or not self.is_busy)

    def end(self, *, flush: bool = False) -> None:
        """Closes the connection: after what is to be sent if *flush*, else at once and without it."""
        if self._transport is not None:
            (self._transport.close if flush else self._transport.abort)()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            is_encrypted = transport.get_extra_info("sslcontext") is not None
            # Whatever waits in the transport then calls pause_writing.
            transport.set_write_buffer_limits(high=_TLS_WRITE_BUFFER if is_encrypted else 0)
        self._connection.connection_made(transport)
        self._connection.deadline = self._loop.time() + self._timeout
        self._timer = self._loop.call_at(self._connection.deadline, self._expire)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        self._unread.close()
        self._connection.connection_lost(exc)
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        if self._rejected:
            return
        scanner = self._scanner
        completed, started, size = scanner.completed, scanner.started, scanner.size
        is_within_limit = scanner.feed(data, MAX_HEAD)
        if scanner.started > max(started, 1):
            self._connection.deadline = self._loop.time() + self._timeout
        if self._timer is not None and scanner.completed > completed:
            self._cancel_timer()
        if scanner.head_size and self._timer is None:
            self._timer = self._loop.call_at(self._connection.deadline, self._expire)
        if not is_within_limit:
            if scanner.begin:
                self._connection.data_received(self._withheld + data[: scanner.begin])
            self._reject_large_head()
            return
        if scanner.completed > self._connection.answered + 1 or scanner.is_last:
            size = len(data) if scanner.is_last else scanner.size - size
            if self._waiting.add(size, scanner.completed, self._connection.answered, chunked=scanner.is_last):
                self._rejected = True  # of what follows; after a chunked request the connection ends in any case
                if not scanner.is_last:
                    self._connection.close_after_response()
                    return
        self._connection.head = fields = scanner.fields
        data, self._withheld = self._withheld + data, b""
        if scanner.head_size > MAX_LINE and fields is not None and not fields.tell_who_asks:
            begin = max(0, len(data) - scanner.head_size)
            data, self._withheld = data[:begin], data[begin:]
        if data:
            self._connection.data_received(data)

    def eof_received(self) -> bool:
        transport = self._transport
        self._connection.eof_received()
        if transport is None or transport.is_closing() or self._rejected or self.is_idle:
            return False
        if isinstance(transport, TlsTransport):
            # asyncio keeps no half-closed connection over TLS, and would declare that what has been sent is complete.
            transport.abort_below_tls()
            return False
        self._cancel_timer()
        self._timer = self._loop.call_later(_HALF_CLOSED, transport.close)
        return True

    def pause_writing(self) -> None:
        self._unread.pause()
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._unread.resume()
        self._connection.resume_writing()

    def _reject_large_head(self) -> None:
        """Rejects a head of more than `MAX_HEAD` bytes; after a long request line, once it is known who asks."""
        fields, self._withheld = self._scanner.fields, b""
        if fields is None or fields.request_line_size <= MAX_LINE:
            self._reject(HeadersTooLargeError("the head is larger than 32 KiB"))
        elif fields.tell_who_asks or self._scanner.head_size > _MAX_IGNORED:
            self._reject(RequestLineTooLongError("the request line is larger than 8 KiB"))

    def _expire(self) -> None:
        self._timer = None
        self._reject(RequestTimeoutError("the head did not arrive in time"))

    def _reject(self, error: GatewayError) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._connection.answered < self._scanner.completed:
            self._connection.close_after_response()
            return
        self._rejected = True
        self._cancel_timer()
        transport.write(serialize(self._connection.reject(error, self._scanner.fields)))
        # With input unread, closing would reset the connection before the client has read the response.
        self._timer = self._loop.call_later(_LINGER, transport.close)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
