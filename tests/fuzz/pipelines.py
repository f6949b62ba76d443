"""Random pipelines of requests, cut at any byte and aborted at any time: each response must belong to its request.

Every request is one whose response cannot be another's: a range of a film at an offset of its own, a person's own name,
a redirect to a video of its own. Requests after which the gateway must close the connection end the expected responses.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from ssl import SSLContext

from gateway.sim.catalogue import CAMERA_A, CAMERA_B, SESSION
from tests.support.client import RawConnection, Response, connect
from tests.support.gateway_fixture import GatewayStack

_VIDEO = f"/recordings/{SESSION}/videos/"
_PEOPLE = 5


@dataclass
class Figures:
    """What a run has done. *wrong* describes each response that did not belong to its request."""

    pipelines: int = 0
    responses: int = 0
    aborted: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kinds.items()))
        return [
            f"pipelines {self.pipelines}, responses {self.responses}, aborted {self.aborted}, wrong {len(self.wrong)}",
            f"requests: {kinds}",
            *self.wrong[:20],
        ]


@dataclass(frozen=True)
class Request:
    """*belongs* tells whether a response may be this request's; *is_last* whether the connection must end with it."""

    kind: str
    data: bytes
    belongs: Callable[[Response], bool]
    is_head: bool = False
    is_last: bool = False


class Pipelines:
    """Sends random pipelines to *stack*; with *tls* over TLS. *seed* makes a run repeatable."""

    def __init__(self, stack: GatewayStack, seed: int, tls: SSLContext | None = None) -> None:
        self.figures = Figures()
        self._random = random.Random(seed)
        self._url = stack.url
        self._tls = tls
        film = stack.valt.recording(SESSION).film(CAMERA_A)
        assert film is not None
        self._film = film.content
        self._people = [stack.bearer(f"person-{number}") for number in range(_PEOPLE)]
        self._redirected = stack.bearer("person-0", "redirected")

    async def run(self, pipelines: int, at_once: int = 8) -> Figures:
        """Sends so many *pipelines*, *at_once* of them at the same time."""
        for _ in range(0, pipelines, at_once):
            await asyncio.gather(*(self._pipeline() for _ in range(at_once)))
        return self.figures

    async def _pipeline(self) -> None:
        requests = [self._request() for _ in range(self._random.randint(1, 6))]
        last = next((number for number, one in enumerate(requests) if one.is_last), len(requests) - 1)
        data = b"".join(one.data for one in requests)
        aborts = self._random.random() < 0.2
        if aborts:
            data = data[: self._random.randrange(len(data) + 1)]
        self.figures.pipelines += 1
        self.figures.kinds.update(one.kind for one in requests)
        async with connect(self._url, tls=self._tls) as connection:
            sending = asyncio.create_task(self._send(connection, data))
            try:
                malformed = any(one.kind == "malformed" for one in requests)
                await self._read(connection, requests[: last + 1], aborts=aborts, malformed=malformed)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, connection: RawConnection, data: bytes) -> None:
        position = 0
        while position < len(data):
            size = self._random.choice([1, 2, 7, 40, 200, len(data)])
            await connection.send(data[position : position + size])
            position += size
            await asyncio.sleep(0)

    async def _read(self, connection: RawConnection, expected: list[Request], *, aborts: bool, malformed: bool) -> None:
        for number, request in enumerate(expected):
            if aborts and self._random.random() < 0.5:
                self.figures.aborted += 1
                return
            try:
                async with asyncio.timeout(0.2 if aborts else 10):
                    response = await self._response(connection, request)
            except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
                # A connection that is closed with input unread is reset, and the last response may be lost by it.
                if not aborts and not (request.is_last and isinstance(error, ConnectionError)):
                    self.figures.wrong.append(f"{request.kind}, number {number}: {type(error).__name__}")
                return
            self.figures.responses += 1
            if response.status == 400 and malformed:
                return  # aiohttp's parser drops what came with a malformed request in one segment
            if not request.belongs(response):
                self.figures.wrong.append(f"{request.kind}, number {number}: {response.status} {response.body[:60]!r}")
                return
        if not aborts and expected[-1].is_last:
            rest, _ = await connection.read_until_reset()
            if rest:
                self.figures.wrong.append(f"{expected[-1].kind}: {len(rest)} bytes after the last response")

    async def _response(self, connection: RawConnection, request: Request) -> Response:
        head = await connection.read_head()
        if request.is_head or head.status in (304, 307) or "Content-Length" not in head.headers:
            return head
        body = await connection.read(int(head.headers["Content-Length"]))
        return Response(head.status, head.headers, head.raw_head, body)

    def _request(self) -> Request:
        kinds = (self._range, self._range, self._person, self._redirect, self._head, self._refused, self._robots)
        closing = (self._malformed, self._unread_body, self._upgrade)
        return self._random.choice(closing if self._random.random() < 0.08 else kinds)()

    def _range(self) -> Request:
        begin = self._random.randrange(len(self._film) - 1)
        end = min(len(self._film) - 1, begin + self._random.choice([0, 1, 100, 70_000, 300_000]))
        data = _get(_VIDEO + CAMERA_A, self._random.choice(self._people), f"Range: bytes={begin}-{end}")
        return Request("range", data, lambda r: r.status == 206 and r.body == self._film[begin : end + 1])

    def _person(self) -> Request:
        number = self._random.randrange(_PEOPLE)
        data = _get("/oauth2/userinfo", self._people[number])
        return Request("person", data, lambda r: f'"person-{number}"'.encode() in r.body)

    def _redirect(self) -> Request:
        video = self._random.choice([CAMERA_A, CAMERA_B])
        data = _get(_VIDEO + video, self._redirected)
        return Request(
            "redirect", data, lambda r: r.status == 307 and r.headers["X-Valt-Gateway-Delivery"] == "redirect"
        )

    def _head(self) -> Request:
        data = _get(_VIDEO + CAMERA_A, self._people[0]).replace(b"GET", b"HEAD", 1)
        return Request("HEAD", data, lambda r: r.headers.get("Content-Length") == str(len(self._film)), is_head=True)

    def _refused(self) -> Request:
        unknown = f"/recordings/fuzz-{self._random.randrange(10**6)}/videos/1"
        return Request("refused", _get(unknown, {}), lambda r: r.status == 401)

    def _robots(self) -> Request:
        return Request("robots", _get("/robots.txt", {}), lambda r: r.status == 200 and b"Disallow" in r.body)

    def _malformed(self) -> Request:
        data = self._random.choice(
            [b"GET / HTTP/3.7\r\n\r\n", b"\x16\x03\x01\x02\r\n\r\n", b"GET  /\r\nHost x\r\n\r\n"]
        )
        return Request("malformed", data, lambda r: r.status == 400, is_last=True)

    def _unread_body(self) -> Request:
        size = self._random.choice([1, 1000, 100_000])
        data = _get("/robots.txt", {}, f"Content-Length: {size}") + b"x" * size
        return Request("unread body", data, lambda r: r.status == 200, is_last=True)

    def _upgrade(self) -> Request:
        data = _get("/robots.txt", {}, "Connection: Upgrade", "Upgrade: h2c")
        return Request("upgrade", data, lambda r: r.status == 200, is_last=True)


def _get(path: str, headers: dict[str, str], *lines: str) -> bytes:
    fields = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *fields, *lines, "", ""]).encode()
