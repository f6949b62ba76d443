"""Ports for programs that have to be told one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def free_port() -> Iterator[int]:
    """A port of loopback that the system gives to nobody else inside the block.

    A server may listen on it all the same: servers set SO_REUSEADDR, and so does the socket that keeps it.
    """
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield int(keeper.getsockname()[1])
