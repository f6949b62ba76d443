"""Random pipelines of requests, cut at any byte and aborted at any time: each response must belong to its request.

Wherever possible a response cannot be another request's: it is a range of a film at an offset of its own, or the name
of one person. Requests after which the gateway must close the connection end the expected responses. A quarter of the
clients read slowly.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from ssl import SSLContext

from tests.fuzz.requests import RandomRequests, Request
from tests.support.client import RawConnection, Response, connect
from tests.support.gateway_fixture import GatewayStack


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


class Pipelines:
    """Sends random pipelines to *stack*; with *tls* over TLS. *seed* makes a run repeatable."""

    def __init__(self, stack: GatewayStack, seed: int, tls: SSLContext | None = None) -> None:
        self.figures = Figures()
        self._random = random.Random(seed)
        self._url = stack.url
        self._tls = tls
        self._requests = RandomRequests(stack, self._random)

    async def run(self, pipelines: int, at_once: int = 8) -> Figures:
        """Sends so many *pipelines*, *at_once* of them at the same time."""
        for _ in range(0, pipelines, at_once):
            await asyncio.gather(*(self._pipeline() for _ in range(at_once)))
        return self.figures

    async def _pipeline(self) -> None:
        requests = [self._requests.choose() for _ in range(self._random.randint(1, 6))]
        last = next((number for number, one in enumerate(requests) if one.is_last), len(requests) - 1)
        data = b"".join(one.data for one in requests)
        aborts = self._random.random() < 0.2
        if aborts:
            data = data[: self._random.randrange(len(data) + 1)]
        self.figures.pipelines += 1
        self.figures.kinds.update(one.kind for one in requests)
        slow = self._random.choice([None, None, None, 8192])
        async with connect(self._url, receive_buffer=slow, tls=self._tls) as connection:
            sending = asyncio.create_task(self._send(connection, data))
            try:
                stops = any(one.stops_parser for one in requests)
                await self._read(connection, requests[: last + 1], aborts=aborts, stops=stops)
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

    async def _read(self, connection: RawConnection, expected: list[Request], *, aborts: bool, stops: bool) -> None:
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
            if response.status == 400 and stops:
                return
            if not request.belongs(response):
                self.figures.wrong.append(f"{request.kind}, number {number}: {response.status} {response.body[:60]!r}")
                return
        if not aborts and expected[-1].is_last:
            rest, _ = await connection.read_until_reset()
            if rest:
                self.figures.wrong.append(f"{expected[-1].kind}: {len(rest)} bytes after the last response")

    async def _response(self, connection: RawConnection, request: Request) -> Response:
        head = await connection.read_head()
        if head.status == 100:
            head = await connection.read_head()
        if request.is_head or head.status in (304, 307) or "Content-Length" not in head.headers:
            return head
        body = await connection.read(int(head.headers["Content-Length"]))
        return Response(head.status, head.headers, head.raw_head, body)
