"""Opens listening sockets: of TCP addresses, of a unix socket's path, or those that another process has passed on."""

import asyncio
import os
import socket
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PASSED = "systemd:"
"""Begins an address whose sockets were opened by another process and passed on by that name."""
PassedSockets = Mapping[str, Sequence[socket.socket]]
"""The sockets that were passed on to this process, by their names."""

Places = tuple[tuple[str, int], ...]
"""Where the sockets of a listener are: each an address, as ``host:port`` or ``unix:/path``, and its permissions."""

_BACKLOG = 1024
_EVERYBODY = 0o666
_KEEPALIVE_PROBES = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3))
"""TCP keep-alive: probes after a minute of silence, three of them, twenty seconds apart. Linux hands these options of a
listening socket on to each connection that it accepts."""


async def open_sockets(listen: str, mode: int, passed: PassedSockets) -> list[socket.socket]:
    """Returns the listening sockets of *listen*: ``host:port``, ``[::1]:port``, ``unix:/path`` or ``systemd:NAME``,
    which are those of *passed* by that name. A unix socket at a path gets the permissions *mode*.

    Raises OSError if the address cannot be used or no such sockets were passed.
    """
    if listen.startswith(PASSED):
        sockets = _passed_sockets(listen.removeprefix(PASSED), passed)
    elif listen.startswith("unix:"):
        sockets = [_unix_socket(Path(listen.removeprefix("unix:")), mode)]
    else:
        sockets = await _tcp_sockets(listen)
    for sock in sockets:
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            _set_keepalive(sock)
    return sockets


def places_of(listen: str, mode: int, passed: PassedSockets) -> Places:
    """Returns where the sockets are that `open_sockets` returns for the same arguments."""
    if not listen.startswith(PASSED):
        return ((listen, mode),)
    return tuple(_place_of(sock) for sock in passed.get(listen.removeprefix(PASSED), ()))


def _place_of(sock: socket.socket) -> tuple[str, int]:
    address = sock.getsockname()
    if sock.family != socket.AF_UNIX:
        return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}", 0
    path = os.fsdecode(address)
    try:
        return f"unix:{path}", stat.S_IMODE(Path(path).stat().st_mode)
    except (OSError, ValueError):  # an abstract socket, to which everybody may connect, or one whose path is hidden
        return f"unix:{path.replace(chr(0), '@')}", _EVERYBODY


def address_of(sock: socket.socket, *, tls: bool) -> str:
    """Returns the URL that the listening *sock* can be reached at."""
    address = sock.getsockname()
    if isinstance(address, str):
        return f"unix:{address}"
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{'https' if tls else 'http'}://{host}:{address[1]}"


def close_socket(sock: socket.socket, listen: str) -> None:
    """Closes *sock*, which `open_sockets` returned for *listen*; the path of a unix socket is removed unless another
    process owns the socket."""
    if sock.family == socket.AF_UNIX and sock.fileno() >= 0 and not listen.startswith(PASSED):
        Path(sock.getsockname()).unlink(missing_ok=True)
    sock.close()


def _passed_sockets(name: str, passed: PassedSockets) -> list[socket.socket]:
    sockets = list(passed.get(name, ()))
    if not sockets:
        names = ", ".join(sorted(passed)) or "no socket"
        raise OSError(f"systemd passed no socket named {name}, but {names}: compare FileDescriptorName= of its units")
    for sock in sockets:
        if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError(f"the socket {name} that systemd passed accepts no connections: use ListenStream=, Accept=no")
    return sockets


async def _tcp_sockets(listen: str) -> list[socket.socket]:
    """Returns a listening TCP socket for each address that *listen* resolves to."""
    host, _, port = listen.rpartition(":")
    try:
        addresses = await asyncio.get_running_loop().getaddrinfo(
            host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise OSError(f"cannot listen on {listen}: {error.strerror}") from None
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(addresses):
            sockets.append(socket.create_server(address, family=family, backlog=_BACKLOG))
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _set_keepalive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE_PROBES:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _unix_socket(path: Path, mode: int) -> socket.socket:
    """Returns a listening socket at *path*, with the permissions *mode*; one that a previous process has left there is
    replaced."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):  # the previous process has removed it meanwhile
            if path.is_socket():
                path.unlink()
        sock.bind(str(path))
        path.chmod(mode)  # before listen(): until then nobody can connect
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen there: {error.strerror or error}", str(path)) from None
    return sock
