"""systemd's protocol for services: the sockets that it passes on, and the states that it is notified of.

How it works: systemd opens the sockets of a socket unit and starts the service with them from descriptor 3 on
(sd_listen_fds(3)), so that connections wait while the service restarts. The service sends datagrams to the socket
``NOTIFY_SOCKET`` (sd_notify(3)): that it is ready, reloads or stops, a line for ``systemctl status``, and signs of life
for the watchdog.

The packages for this protocol on PyPI either need libsystemd and a compiler or do not know about sockets and RELOADING.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress

_FIRST_DESCRIPTOR = 3
_STATUS_INTERVAL = 5.0
"""Seconds between two checks whether the status has changed, if there is no watchdog."""
_NOTIFY_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_SOCKET_VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


def take_sockets(environ: MutableMapping[str, str]) -> dict[str, list[socket.socket]]:
    """Returns the sockets that were passed to this process by their names, and removes the variables that describe
    them, so that no child takes them for its own. Sockets without a name are called ``unknown``."""
    count, pid, names = (environ.pop(name, "") for name in _SOCKET_VARIABLES)
    sockets: dict[str, list[socket.socket]] = {}
    if not count.isdigit() or pid != str(os.getpid()):
        return sockets
    listed = names.split(":") if names else []
    for number in range(int(count)):
        sock = socket.socket(fileno=_FIRST_DESCRIPTOR + number)
        sock.set_inheritable(False)
        sockets.setdefault(listed[number] if number < len(listed) else "unknown", []).append(sock)
    return sockets


class ServiceManager:
    """Whom this process notifies of its states: systemd, or nobody if *address*, that of a datagram socket, is empty.

    *watchdog* is the number of seconds after which systemd ends a process that gives no sign of life; 0 is never.
    """

    def __init__(self, address: str = "", watchdog: float = 0.0) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog = watchdog
        self._status = ""

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> "ServiceManager":
        """Returns the manager that *environ* describes, and removes the variables, which are not for children."""
        address, microseconds, pid = (environ.pop(name, "") for name in _NOTIFY_VARIABLES)
        concerned = microseconds.isdigit() and pid in ("", str(os.getpid()))
        return cls(address, int(microseconds) / 1e6 if concerned else 0.0)

    def ready(self) -> None:
        """Reports that requests are accepted, after the start or after a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Reports that a reload has begun; `ready` is its end."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Reports that the process drains and ends."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Sets the line that ``systemctl status`` shows, if it has changed."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    async def run(self, status: Callable[[], str]) -> None:
        """Gives signs of life and reports *status* until cancelled: from the event loop, so that a process whose event
        loop is blocked is ended by the watchdog. Returns at once if nobody is to be notified."""
        if not self._address:
            return
        interval = min(_STATUS_INTERVAL, self._watchdog / 2) if self._watchdog else _STATUS_INTERVAL
        while True:
            self.status(status())
            if self._watchdog:
                self._send("WATCHDOG=1")
            await asyncio.sleep(interval)

    def _send(self, *assignments: str) -> None:
        if not self._address:
            return
        # A notification that cannot be sent changes nothing for clients; systemd acts on the missing one
        # (TimeoutStartSec, WatchdogSec), and its journal says so.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            sock.sendto("\n".join(assignments).encode(), self._address)
