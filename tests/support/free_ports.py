"""Free ports for programs that need one in their configuration."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def free_port() -> Iterator[int]:
    """Yields a port of loopback that the system assigns to nobody else inside the block.

    A server can still listen on it: servers set SO_REUSEADDR, and so does the socket that reserves the port.
    """
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield int(reserved.getsockname()[1])
