"""The generated sequences of unit/delivery/test_response_sequences.py over real sockets, with their audit lines."""

import os
from pathlib import Path
from random import Random

import pytest

from tests.support.client import connect, parse_response
from tests.support.client import request as request_head
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack
from tests.support.plain_media import ClientRequest, MediaModel, Received, Reply, violation
from tests.support.scripted_media import ReceivedRequest, Script, scripted_media

SEQUENCES = 300
FRAMED = int(os.environ.get("SEQUENCES", "300"))


def script(reply: Reply) -> Script:
    """How the scripted server sends *reply*."""
    if reply.cut == -1:
        return Script([], close=True)
    body = reply.body
    if "chunked" in dict(reply.fields).get("Transfer-Encoding", ""):
        body = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        body = body + b"0\r\n\r\n" if reply.cut is None else body
    elif reply.cut is not None:
        body = body[: reply.cut]
    pieces = [reply.head() + body] + ([reply.late] if reply.late else [])
    return Script(pieces, pause=0.01, close=reply.cut is not None or len(body) < reply.length)


PAGE = b"HTTP/1.1 200 X\r\nContent-Type: video/mp4\r\nContent-Length: 3\r\n\r\nbad"
INTERIM = (b"HTTP/1.1 100 Continue\r\n\r\n", b'HTTP/1.1 103 Early Hints\r\nETag: "x"\r\nContent-Length: 9\r\n\r\n')


def framed_oddly(reply: Reply, random: Random) -> Script:
    """Sends *reply* in a form that is lawful and rare, or with bytes after its end that look like a response."""
    plain = script(reply)
    if not plain.pieces:
        return plain
    (first, *rest), form = plain.pieces, random.randrange(6)
    chunked = "Transfer-Encoding" in dict(reply.fields)
    if form == 0:
        first = b"".join(random.choices(INTERIM, k=random.randrange(1, 4))) + first
    elif form == 1 and not plain.close and reply.status in (200, 206):
        first += PAGE
    elif form == 2 and not plain.close and reply.status in (200, 206):
        first += PAGE[: random.randrange(1, 30)]
    elif form == 3 and not chunked:
        first = first.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        return Script([first, *rest], plain.pause, close=True)
    elif form == 4 and reply.status in (200, 206) and not chunked:
        end = "clean" if reply.cut is None else "reset"
        without = reply.with_field("Content-Length", None)
        return Script([without.head() + without.body[: reply.cut]], close=True, end=end)
    elif form == 5:
        at = random.randrange(1, len(first))
        first, rest = first[:at], [first[at:], *rest]
    return Script([first, *rest], 0.01, plain.close)


def dechunked(data: bytes) -> tuple[bytes, bool]:
    """Returns the body of a chunked message, and whether its end has arrived."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        if size == b"0":
            return body, True
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return body, False


async def deliver(stack: GatewayStack, request: ClientRequest) -> Received:
    head = request_head(request.method, VIDEO_PATH, {**stack.bearer(), **request.fields, "Connection": "close"})
    async with connect(stack.url) as client:
        await client.send(head)
        data, was_reset = await client.read_until_reset()
    if not data:
        return Received(None)  # the reset has overtaken the head
    response = parse_response(data)
    if response.status >= 400 and response.status not in (412, 416):
        assert not was_reset
        return Received(None)
    body, complete = response.body, not was_reset
    if "chunked" in response.headers.get("Transfer-Encoding", ""):
        body, complete = dechunked(body)
    elif request.method == "GET" and response.status in (200, 206):
        complete = len(body) == int(response.headers["Content-Length"])
    return Received(response.status, response.headers, body, complete)


async def test_generated_sequences_are_right_bytes_or_visible_failures_and_audited_so(tmp_path: Path) -> None:
    random = Random(1)
    model = MediaModel.generate(random)

    def respond(received: ReceivedRequest) -> Script:
        return script(model.reply(received.headers))

    async with scripted_media(respond) as media, running_stack(tmp_path, clock=ManualClock()) as stack:
        stack.valt.knobs.link_host = f"127.0.0.1:{media.port}"
        for number in range(SEQUENCES):
            model = MediaModel.generate(Random(number))
            model.faulty = max(0.6, model.faulty)
            request = ClientRequest.generate(Random(number), model.files)
            received = await deliver(stack, request)
            wrong = violation(request, received, model)
            assert wrong is None, f"sequence {number}: {wrong}: {request}, {received}, {model.replies}"
            await stack.ended()
            line = stack.audit()[-1]
            if received.status is None:
                continue
            outcome = "whole" if received.complete else "failed"
            assert (line["event"], line["outcome"]) == ("close", outcome), f"sequence {number}: {line}"


@pytest.mark.timeout(max(120, FRAMED // 4))
async def test_oddly_framed_responses_are_right_bytes_or_visible_failures(tmp_path: Path) -> None:
    """Interim responses, HTTP/1.0, no length, resets, pieces, and bytes after the end; three clients in turn, so that a
    response that reaches the next one is seen. ``SEQUENCES`` of them, 300 in the suite."""
    random = Random(1)
    model = MediaModel.generate(random)
    complete = failed = 0

    def respond(received: ReceivedRequest) -> Script:
        return framed_oddly(model.reply(received.headers), random)

    async with scripted_media(respond) as media, running_stack(tmp_path, clock=ManualClock()) as stack:
        stack.valt.knobs.link_host = f"127.0.0.1:{media.port}"
        for number in range(FRAMED):
            random = Random(number)
            model = MediaModel.generate(random)
            model.faulty = max(0.5, model.faulty)
            for _ in range(3):
                request = ClientRequest.generate(random, model.files)
                received = await deliver(stack, request)
                wrong = violation(request, received, model)
                assert wrong is None, f"sequence {number}: {wrong}: {request}, {received}, {model.replies}"
                complete += received.complete and bool(received.body)
                failed += not received.complete
    assert min(complete, failed) > FRAMED // 20
