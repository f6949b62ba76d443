"""TLS over an accepted socket, with a write buffer that counts everything that waits in this process.

How it works. Below asyncio's TLS transport there is the socket's own, which holds 64 KiB and the last piece more. The
TLS transport does not count them: a response whose end waits there seems to be sent, and is lost if the process ends.
`loop.start_tls` is what makes the lower one known. It does not call `connection_made`, and may pass on data before it
returns, so that a protocol stands in until then.
"""

import asyncio
import socket
import ssl
from typing import Any


async def establish(
    protocol: asyncio.Protocol, client: socket.socket, context: ssl.SSLContext, *, timeout: float, shutdown: float
) -> None:
    """Does the handshake with *client*, and connects *protocol* if that succeeds. *timeout*, in seconds, bounds the
    handshake, *shutdown* the end of the connection, which sends what still waits. Raises OSError (of which ssl.SSLError
    and TimeoutError are one)."""
    loop = asyncio.get_running_loop()
    lower, _ = await loop.connect_accepted_socket(_Paused, client)
    early = _EarlyData()
    upper = await loop.start_tls(
        lower, early, context, server_side=True, ssl_handshake_timeout=timeout, ssl_shutdown_timeout=shutdown
    )
    if upper is not None and not early.is_lost:
        upper.set_protocol(protocol)
        protocol.connection_made(TlsTransport(upper, lower))
        early.pass_on(protocol)


class _Paused(asyncio.BaseProtocol):
    """Reads nothing: the first bytes are TLS's."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.pause_reading()


class _EarlyData(asyncio.BaseProtocol):
    """What arrives together with the end of the handshake."""

    def __init__(self) -> None:
        self.is_lost = False
        self._data: list[bytes] = []
        self._has_ended = False

    def data_received(self, data: bytes) -> None:
        self._data.append(data)

    def eof_received(self) -> None:
        self._has_ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True

    def pass_on(self, protocol: asyncio.Protocol) -> None:
        if self._data:
            protocol.data_received(b"".join(self._data))
        if self._has_ended:
            protocol.eof_received()


class TlsTransport(asyncio.Transport):
    """The TLS transport *upper*, whose write buffer includes that of the socket's transport *lower*."""

    def __init__(self, upper: asyncio.Transport, lower: asyncio.Transport) -> None:
        super().__init__()
        self._upper = upper
        self._lower = lower

    def __repr__(self) -> str:
        return f"<TlsTransport waiting={self.get_write_buffer_size()} closing={self.is_closing()}>"

    def get_write_buffer_size(self) -> int:
        return self._upper.get_write_buffer_size() + self._lower.get_write_buffer_size()

    def is_closing(self) -> bool:
        return self._upper.is_closing() or self._lower.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._upper.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._upper.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._upper.get_protocol()

    def is_reading(self) -> bool:
        return self._upper.is_reading()

    def pause_reading(self) -> None:
        self._upper.pause_reading()

    def resume_reading(self) -> None:
        self._upper.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._upper.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._upper.get_write_buffer_limits()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._upper.write(data)

    def writelines(self, list_of_data: Any) -> None:
        self._upper.writelines(list_of_data)

    def can_write_eof(self) -> bool:
        return self._upper.can_write_eof()

    def write_eof(self) -> None:
        self._upper.write_eof()

    def close(self) -> None:
        self._upper.close()

    def abort(self) -> None:
        self._upper.abort()

    def abort_below_tls(self) -> None:
        """Closes the connection at once. A TLS transport that is being closed then sends no close_notify either."""
        self._lower.abort()
