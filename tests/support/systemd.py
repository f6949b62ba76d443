"""Stands in for systemd: passes sockets to a program, and receives its notifications."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_EXEC = """
import os, sys
count = int(sys.argv[1])
copies = [os.dup(int(number)) for number in sys.argv[2 : 2 + count]]
for position, descriptor in enumerate(copies):
    os.dup2(os.dup(descriptor) if descriptor < 3 + count else descriptor, 100 + position)
for position in range(count):
    os.dup2(100 + position, 3 + position)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2 + count], sys.argv[2 + count :])
"""


def activation(command: Sequence[str], sockets: Mapping[str, socket.socket]) -> tuple[list[str], dict[str, str]]:
    """Returns the command that runs *command* with *sockets* passed to it under their names, as sd_listen_fds(3) has
    it, and the environment. The descriptors of *sockets* must be passed to it (``pass_fds``)."""
    numbers = [str(sock.fileno()) for sock in sockets.values()]
    environ = os.environ | {"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": ":".join(sockets)}
    return [sys.executable, "-c", _EXEC, str(len(sockets)), *numbers, *command], environ


class Notifications:
    """The notifications that a service has sent, one dictionary for each datagram."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(str(path))
        self._sock.setblocking(False)

    def close(self) -> None:
        """Closes the socket."""
        self._sock.close()

    async def next(self) -> dict[str, str]:
        """Returns the next notification. Raises TimeoutError after a minute."""
        async with asyncio.timeout(60):
            data = await asyncio.get_running_loop().sock_recv(self._sock, 4096)
        return dict(line.split("=", 1) for line in data.decode().splitlines())

    async def next_with(self, name: str) -> dict[str, str]:
        """Returns the next notification that sets *name*; those before it are dropped."""
        while name not in (notification := await self.next()):
            pass
        return notification


@contextmanager
def notifications(folder: Path) -> Iterator[Notifications]:
    """A socket in *folder* for ``NOTIFY_SOCKET``."""
    received = Notifications(folder / "notify")
    try:
        yield received
    finally:
        received.close()


def listening_socket() -> socket.socket:
    """Returns a listening socket on a free port of loopback, as a socket unit opens it."""
    return socket.create_server(("127.0.0.1", 0), backlog=1024)
