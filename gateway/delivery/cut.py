"""A failure after the first byte must look like one."""

import asyncio
import socket
import struct

_RESET = struct.pack("ii", 1, 0)


def cut(transport: asyncio.BaseTransport | None) -> None:
    """End the connection by a TCP reset. A plain abort leaves megabytes in the kernel for a slow reader."""
    if not isinstance(transport, asyncio.Transport):
        return
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
