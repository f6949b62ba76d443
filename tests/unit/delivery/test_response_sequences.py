"""Generated sequences of responses of media servers that lie, break off and change their files, against a plain model.

Whatever the sequence, the client receives the bytes of one file at the positions that its head states, or sees a
failure. In process, without sockets: heads are parsed, judged, joined and described by the product's own functions, and
the connection is a buffer of bytes. ``SEQUENCES=100000`` runs the long form.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import cast

import pytest
from aiohttp import ClientPayloadError, ClientResponse
from multidict import CIMultiDict, MultiMapping

from gateway.delivery.client_stream import ClientStalledError, ClientStream
from gateway.delivery.headers import media_request, response_headers
from gateway.delivery.media_response import BodyInterruptedError, BufferedResponse, MediaResponse
from gateway.delivery.response_head import UnsupportedResponseError, parse
from gateway.delivery.resumable_body import BodyLostError, ResumableBody
from gateway.errors import GatewayError, ValtUnavailableError
from gateway.model import Delivery, Grant, Identity, IdentityKind, Link, Secret, Video
from gateway.request_record import RequestRecord
from tests.support.clock import ManualClock
from tests.support.plain_media import ClientRequest, MediaModel, Received, Reply, versions, violation
from tests.support.recorder import Recorder

SEQUENCES = int(os.environ.get("SEQUENCES", "500"))
LINK = Link(Secret("http://localhost/film.mp4"), None, None)
GRANT = Grant(Identity("anna", "issuer", "campus", IdentityKind.JWT), "r", "v", "reviewer", Delivery.PROXY, "rule")
TRIES = 5


class FreshLinks:
    """Implements ports.Links: every link is renewed."""

    def cached(self, _account: str, _video: Video, *, min_life: float = 0.0) -> Link | None:
        return LINK

    async def get(self, _account: str, _video: Video, *, min_life: float = 0.0) -> Link:
        return LINK

    async def renew(self, _account: str, _video: Video, _stale: Link) -> Link:
        return LINK


@dataclass
class MemoryClient:
    """What ResumableBody needs of a ClientStream. It stalls once at each of *stalls*, unless that is disabled."""

    stalls: set[int]
    received: bytearray = field(default_factory=bytearray)
    may_stall: bool = True

    @property
    def sent(self) -> int:
        return len(self.received)

    def disable_stall_timeout(self) -> None:
        self.may_stall = False

    async def wait_writable(self) -> None:
        return

    async def write(self, piece: bytes) -> None:
        for byte in piece:
            self.received.append(byte)
        due = {at for at in self.stalls if at <= len(self.received)}
        self.stalls -= due
        if due and self.may_stall:
            raise ClientStalledError


@dataclass
class Wire:
    """A connection: the bytes that have arrived and were not read."""

    arrived: bytes = b""


@dataclass
class MemoryResponse:
    """Implements MediaResponse as SplicedResponse does, for a body of *length* bytes."""

    status: int
    headers: MultiMapping[str]
    reply: Reply
    length: int
    server: "MemoryServer"
    reusable: bool = False
    spliced: bool = True
    ends_with_connection: bool = False
    position: int = 0

    async def relay(self, client: ClientStream, skip: int, count: int | None, *, must_end: bool) -> None:
        assert not must_end or count is None or skip + count == self.length
        body = self.reply.body[: self.length if self.reply.cut is None else min(self.reply.cut, self.length)]
        self.position += skip
        wanted = self.length if count is None else min(self.length, self.position + count)
        while self.position < min(wanted, len(body)):
            piece = body[self.position : min(wanted, self.position + self.server.random.randrange(1, 60))]
            self.position += len(piece)
            await client.write(piece)
        if self.position < wanted:
            raise BodyInterruptedError("short")

    def close(self) -> None:
        if self.reusable and self.position == self.length:
            self.server.idle = Wire(self.reply.late)
        self.reusable = False


@dataclass
class MemoryContent:
    """What BufferedResponse needs of a response of aiohttp's client, and of its content."""

    status: int
    headers: MultiMapping[str]
    reply: Reply
    random: Random
    connection: None = None
    position: int = 0

    @property
    def content(self) -> "MemoryContent":
        return self

    async def readany(self) -> bytes:
        length = int(self.headers.get("Content-Length", len(self.reply.body)))
        body = self.reply.body[: length if self.reply.cut is None else min(self.reply.cut, length)]
        piece = body[self.position :][: self.random.randrange(1, 60)]
        self.position += len(piece)
        if not piece and (len(body) < length or self.reply.cut is not None):
            raise ClientPayloadError
        return piece

    def close(self) -> None:
        return


@dataclass
class MemoryServer:
    """MediaServer.get over a buffer of bytes, with a pool of one connection."""

    model: MediaModel
    random: Random
    idle: Wire | None = None

    async def get(self, _link: Link, headers: Mapping[str, str]) -> MediaResponse:
        wire, self.idle = self.idle or Wire(), None
        reply = self.model.reply(headers)
        if reply.cut == -1:
            raise ValtUnavailableError
        wire.arrived += reply.head()
        raw = wire.arrived[: wire.arrived.index(b"\r\n\r\n") + 4]
        try:
            head = parse(raw)
        except UnsupportedResponseError:
            content = MemoryContent(reply.status, CIMultiDict(reply.fields), reply, self.random)
            return BufferedResponse(cast("ClientResponse", content), read_timeout=1.0)
        assert head is not None
        if wire.arrived != raw:  # bytes of an earlier response stand before this one's
            reply = Reply(head.status, (), wire.arrived[len(raw) :][: head.length])
        return MemoryResponse(head.status, head.headers, reply, head.length, self, head.reusable)


async def deliver(request: ClientRequest, server: MemoryServer, stalls: set[int]) -> Received:
    """Deliver as ProxyDelivery does it."""
    clock = ManualClock()
    record = RequestRecord("id", request.method, "route", None, clock.monotonic, 0.0)
    body = ResumableBody(server.get, FreshLinks(), clock, Recorder(), GRANT, LINK, record, tries=TRIES)
    try:
        usable, fields = await body.open(media_request(request.method, CIMultiDict(request.fields)))
    except GatewayError:
        return Received(None)
    headers = response_headers(usable, fields, "film.mp4", attachment=False, is_mp4=lambda: True)
    client, complete = MemoryClient(stalls), True
    if request.method != "HEAD" and usable.status in (200, 206):
        try:
            await body.relay(cast("ClientStream", client))
        except BodyLostError:
            complete = False
    body.close()
    return Received(usable.status, headers, bytes(client.received), complete)


def must_be_complete(model: MediaModel, received: Received) -> bool:
    """Whether nothing happened that a client should see: an honest server whose file did not change, cut seldom."""
    if received.status is None or model.changes or not all(reply.honest for reply in model.replies):
        return False
    cuts = [reply.cut for reply in model.replies if reply.cut is not None]
    if not cuts:
        return True
    one_part = not received.headers.get("Content-Type", "").startswith("multipart/")
    return model.validators in ("strong", "tag", "unquoted") and one_part and len(cuts) < TRIES


@pytest.mark.timeout(max(120, SEQUENCES // 100))
def test_any_sequence_of_responses_is_one_files_bytes_or_a_visible_failure() -> None:
    complete = failed = refused = continued = 0

    async def run() -> None:
        nonlocal complete, failed, refused, continued
        for seed in range(SEQUENCES):
            random = Random(seed)
            model = MediaModel.generate(random)
            server = MemoryServer(model, random)
            for _ in range(random.randrange(1, 4)):
                model.replies.clear()
                model.changes = 0
                request = ClientRequest.generate(random, model.files)
                stalls = {random.randrange(200) for _ in range(random.choice((0, 0, 1, 3)))}
                model.may_be_too_long = not stalls
                received = await deliver(request, server, stalls)
                wrong = violation(request, received, model)
                assert wrong is None, f"seed {seed}: {wrong}: {request}, {received}, {model.replies}"
                if must_be_complete(model, received):
                    assert received.complete, f"seed {seed}: {request}, {received}, {model.replies}"
                refused += received.status is None
                failed += not received.complete
                complete += received.complete and bool(received.body)
                continued += received.complete and bool(received.body) and len(model.replies) > 1

    asyncio.run(run())
    # The sequences are worth something only if all of these happen.
    assert min(complete, failed, refused, continued) >= SEQUENCES // 50


async def test_a_client_that_pauses_with_the_last_bytes_on_their_way_is_not_cut() -> None:
    random = Random(1)
    film = versions(random)
    model = MediaModel(random, film, "strong", claims_ranges=True, states_type=True, faulty=0.0)
    received = await deliver(ClientRequest("GET", {}), MemoryServer(model, random), {len(film[0].content)})
    assert (received.complete, received.body) == (True, film[0].content)
    assert len(model.replies) == 1, "there is no rest to request"
