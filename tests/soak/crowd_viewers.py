"""Thousands of viewers in one process: plain sockets, one epoll, each viewer reads at the rate of a film."""

import heapq
import itertools
import random
import re
import select
import socket
import time
from collections import Counter
from dataclasses import dataclass, field

RATE = 250_000
"""Bytes per second of a film: 2 Mbit/s."""
_TICK = 0.1
"""Seconds between two reads of a viewer."""
_BATCH = 32
"""Reads between two looks at who has been answered."""
_RETRY_AFTER = re.compile(rb"\r\nRetry-After: (\d+)\r\n", re.IGNORECASE)


@dataclass(eq=False)
class Viewer:
    """A viewer. *first* is the byte at which they start; *received* counts from there."""

    first: int
    sock: socket.socket | None = None
    requested_at: float = 0.0
    head: bytes = b""
    started_at: float = 0.0
    received: int = 0
    is_playing: bool = False
    lag: float = 0.0
    """The longest time, in seconds, by which the bytes were late."""


@dataclass
class Crowd:
    """Viewers who request *path* of 127.0.0.1:*port* with *token*, and come again when a refusal says so."""

    port: int
    path: str
    token: str = field(repr=False)
    film: bytes = field(repr=False)
    refused: list[float] = field(default_factory=list)
    """Seconds until each refusal because the gateway is full."""
    first_bytes: list[float] = field(default_factory=list)
    """Seconds until the head of each stream."""
    failed_starts: int = 0
    """Answers 502, 503 and 504 because the media server failed before the first byte."""
    outcomes: Counter[str] = field(default_factory=Counter)
    playing: set[Viewer] = field(default_factory=set)
    ended: list[Viewer] = field(default_factory=list)
    """Those whose stream has ended by itself."""
    _epoll: select.epoll = field(default_factory=select.epoll, repr=False)
    _waiting: dict[int, Viewer] = field(default_factory=dict, repr=False)
    _due: list[tuple[float, int, Viewer]] = field(default_factory=list, repr=False)
    _order: "itertools.count[int]" = field(default_factory=itertools.count, repr=False)

    def arrive(self, count: int, seconds: float) -> None:
        """Has so many viewers come within the next *seconds*."""
        chosen, now = random.Random(count), time.monotonic()
        for number in range(count):
            self._at(now + seconds * number / count, Viewer(chosen.randrange(len(self.film) // 4)))

    def run(self, until: float) -> None:
        """Goes on until that time of the monotonic clock."""
        while (now := time.monotonic()) < until:
            for _ in range(_BATCH):
                if not self._due or self._due[0][0] > now:
                    break
                viewer = heapq.heappop(self._due)[2]
                if viewer.is_playing:
                    self._read(viewer, now)
                else:
                    self._connect(viewer)
            pause = max(0.0, min(until, self._due[0][0] if self._due else until) - time.monotonic())
            for descriptor, _ in self._epoll.poll(pause):
                self._read_head(self._waiting[descriptor])

    def leave(self) -> None:
        """Closes every connection."""
        for viewer in (*self.playing, *self._waiting.values()):
            if viewer.sock is not None:
                viewer.sock.close()
        self._epoll.close()

    def _at(self, when: float, viewer: Viewer) -> None:
        heapq.heappush(self._due, (when, next(self._order), viewer))

    def _connect(self, viewer: Viewer) -> None:
        sock = viewer.sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        viewer.requested_at, viewer.head = time.monotonic(), b""
        sock.connect(("127.0.0.1", self.port))
        sock.setblocking(False)
        sock.send(
            f"GET {self.path} HTTP/1.1\r\nHost: localhost:8080\r\nAuthorization: Bearer {self.token}\r\n"
            f"Range: bytes={viewer.first + viewer.received}-\r\n\r\n".encode()
        )
        self._waiting[sock.fileno()] = viewer
        self._epoll.register(sock, select.EPOLLIN)

    def _read_head(self, viewer: Viewer) -> None:
        sock, now = viewer.sock, time.monotonic()
        assert sock is not None
        try:
            viewer.head += sock.recv(4096) or b"\r\n\r\n"
        except ConnectionError:
            viewer.head += b"\r\n\r\n"
        head, separator, body = viewer.head.partition(b"\r\n\r\n")
        if not separator:
            return
        self._epoll.unregister(sock)
        del self._waiting[sock.fileno()]
        if head.startswith(b"HTTP/1.1 206 "):
            self.first_bytes.append(now - viewer.requested_at)
            viewer.is_playing, viewer.started_at = True, now - viewer.received / RATE
            self.playing.add(viewer)
            self._take(viewer, body, now)
            return
        sock.close()
        match = _RETRY_AFTER.search(head + b"\r\n")
        if head.startswith(b"HTTP/1.1 503 ") and match is not None:
            if b'"busy"' in body:
                self.refused.append(now - viewer.requested_at)
            else:
                self.failed_starts += 1
            self._at(now + int(match[1]), viewer)
        elif head.startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 504 ")):
            self.failed_starts += 1
            self._at(now + 1.0, viewer)
        else:
            self.outcomes[f"other answer: {head[:24]!r}"] += 1

    def _read(self, viewer: Viewer, now: float) -> None:
        sock, due = viewer.sock, int((now - viewer.started_at) * RATE) - viewer.received
        assert sock is not None
        try:
            piece = sock.recv(max(1, due))
        except BlockingIOError:
            viewer.lag = max(viewer.lag, due / RATE)
            self._at(now + _TICK, viewer)
            return
        except ConnectionError:
            piece = b""
        self._take(viewer, piece, now)

    def _take(self, viewer: Viewer, piece: bytes, now: float) -> None:
        assert viewer.sock is not None
        at = viewer.first + viewer.received
        viewer.received += len(piece)
        behind = (now - viewer.started_at) - viewer.received / RATE
        viewer.lag = max(viewer.lag, behind)
        if not self.film.startswith(piece, at):
            self.outcomes["wrong bytes"] += 1
        elif piece or now == viewer.started_at:
            self._at(now + _TICK, viewer)
            return
        else:
            self.outcomes["whole" if at == len(self.film) else "cut"] += 1
        viewer.sock.close()
        viewer.is_playing = False
        self.playing.discard(viewer)
        self.ended.append(viewer)
