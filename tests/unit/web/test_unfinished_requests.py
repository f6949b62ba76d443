"""Requests that never end, by the ways that a client has to look as if one had ended."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from gateway.web.http_server import HttpServer, counted
from gateway.web.request_validation import MAX_HEAD, HeadScanner
from tests.support.client import connect
from tests.support.gateway_fixture import running_stack
from tests.support.listener import listening

LIMITS = '[limits]\nrequest_timeout = "1s"\n'
SWITCH = (
    b"POST /oauth2/switch HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\n"
)


@pytest.mark.parametrize("sent", [SWITCH, b"\r\n\r\n", b"\r\n\r\nGET / HTTP/1.1\r\n"], ids=["body", "empty", "head"])
async def test_what_never_ends_is_answered_with_408(tmp_path: Path, sent: bytes) -> None:
    async with running_stack(tmp_path, more=LIMITS) as stack:
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(stack.url).port)
        writer.write(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 408 ")


POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize(
    "arrived", [10, len(POST), len(POST) + 1], ids=["part of the head", "head", "part of the body"]
)
async def test_a_request_that_begins_where_another_ends_has_its_own_deadline(arrived: int) -> None:
    deadlines: list[float] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        deadlines.append(request.protocol.deadline)  # type: ignore[attr-defined]
        return web.Response(body=await request.read())

    server = HttpServer(counted(answer), lambda *_: web.Response(status=400))
    async with listening(server, request_timeout=30) as listener, connect(listener.address) as client:
        await client.send(POST + b"{")
        async with asyncio.timeout(10):
            while not deadlines:
                await asyncio.sleep(0)
        sent_at = asyncio.get_running_loop().time()
        await client.send(b"}" + POST[:arrived] + b"{}"[: max(0, arrived - len(POST))])
        assert (await client.read_response()).body == b"{}"
        await client.send((POST + b"{}")[arrived:])
        assert (await client.read_response()).body == b"{}"
    assert deadlines[0] < sent_at + 30 <= deadlines[1]


async def test_a_chunked_body_that_arrives_piece_by_piece_is_given_no_more_time() -> None:
    deadlines: list[float] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        deadlines.append(request.protocol.deadline)  # type: ignore[attr-defined]
        body = await request.read()
        deadlines.append(request.protocol.deadline)  # type: ignore[attr-defined]
        return web.Response(body=body)

    server = HttpServer(counted(answer), lambda *_: web.Response(status=400))
    async with listening(server, request_timeout=30) as listener, connect(listener.address) as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        async with asyncio.timeout(10):
            while not deadlines:
                await asyncio.sleep(0)
        await client.send(b"2\r\n{}\r\n0\r\n\r\n")
        assert (await client.read_response()).body == b"{}"
    assert deadlines[0] == deadlines[1]


async def test_a_later_line_without_end_that_arrives_at_once_is_408(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more=LIMITS) as stack, connect(stack.url) as client:
        await client.send(b"GET /robots.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await client.read_response()).status == 200
        await client.send(b"GET /?" + b"x" * 2 * MAX_HEAD)
        async with asyncio.timeout(10):
            assert (await client.read_response()).status == 408


def test_empty_lines_before_a_request_are_no_head() -> None:
    scanner = HeadScanner()
    assert scanner.feed(b"\r\n\r\n", MAX_HEAD)
    assert (scanner.completed, scanner.head_size) == (0, 0)
    assert not scanner.feed(b"\r\n\r\nGET / HTTP/1.1\r\n" + b"X" * MAX_HEAD, MAX_HEAD)
