"""What is answered the moment it arrives, and that it differs in nothing from what aiohttp would have written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.web.connection import Handle
from gateway.web.http_server import Server, runner_of
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack

SERVER = 'cors_origins = ["https://elsewhere.example"]\n'
SOON = 0.03
"""Seconds."""
UNLIKE = ("date", "x-request-id")


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, server=SERVER, public="https://localhost:8080") as stack:
        yield stack


Answer = tuple[str, list[tuple[str, str]]]


def request(stack: GatewayStack, *lines: str, method: str = "GET", path: str = VIDEO_PATH) -> bytes:
    proof = f"Authorization: {stack.bearer('anna', 'redirected')['Authorization']}"
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", proof, *lines, "", ""]).encode()


async def answers(stack: GatewayStack, *pieces: bytes, count: int) -> list[Answer]:
    """The heads of *count* answers without a body, to what is sent in *pieces*, each after the one before was read."""
    reader, writer = await asyncio.open_connection(*_place(stack))
    async with asyncio.timeout(10):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        heads = [await reader.readuntil(b"\r\n\r\n") for _ in range(count)]
    writer.close()
    return [_read(head.decode()) for head in heads]


def _read(head: str) -> Answer:
    status, *fields = head.removesuffix("\r\n\r\n").split("\r\n")
    parted = [field.partition(": ") for field in fields]
    return status, sorted((name, value) for name, _, value in parted if name.lower() not in UNLIKE)


@pytest.mark.parametrize(
    ("method", "lines"),
    [
        ("GET", ()),
        ("HEAD", ()),
        ("GET", ("Range: bytes=0-1", "Accept: */*", "Cookie: a=b")),
        ("GET", ("Origin: https://elsewhere.example",)),
    ],
)
async def test_an_answer_at_once_is_what_aiohttp_would_have_written(
    stack: GatewayStack, method: str, lines: tuple[str, ...]
) -> None:
    asked = request(stack, *lines, method=method)
    await answers(stack, asked, count=1)  # so that the link is known
    alone = await answers(stack, asked, count=1)
    # Of two that arrive together neither is answered at once.
    together = await answers(stack, asked + asked, count=2)
    assert alone[0][0] == "HTTP/1.1 307 Temporary Redirect"
    assert together == alone * 2


async def test_a_request_is_begun_before_a_task_is_made_for_it_unless_it_has_to_wait_for_another() -> None:
    tasks: list[asyncio.Task[object] | None] = []

    async def handle(_request: web.BaseRequest) -> web.StreamResponse:
        tasks.append(asyncio.current_task())
        return web.Response(status=303, headers={"Location": "/"})

    async with serving(handle) as address:
        reader, writer = await asyncio.open_connection(*address)
        for asked in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2):
            writer.write(asked)
            for _ in range(asked.count(b"GET")):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 303 See Other\r\n")
        writer.close()
    assert [task is None for task in tasks] == [True, False, False]


@pytest.mark.parametrize("long", [False, True])
async def test_a_connection_that_is_idle_again_is_closed_in_time_however_long_its_answer_took(long: bool) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if not long:
            return web.Response(status=303, headers={"Location": "/"})
        response = web.StreamResponse(headers={"Content-Length": "0"})
        await response.prepare(request)
        await asyncio.sleep(0)
        _let_its_time_pass(request.protocol)
        await response.write_eof()
        return response

    async with serving(handle, keepalive_timeout=SOON) as address, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 ")
        writer.close()


def _let_its_time_pass(connection: RequestHandler) -> None:
    """Have its timer go off while there is something to do."""
    if connection._keepalive_handle is not None:
        connection._keepalive_handle.cancel()
    connection._next_keepalive_close_time = 0.0
    connection._process_keepalive()
    assert connection._keepalive_handle is None


async def test_answers_come_in_the_order_of_their_requests(stack: GatewayStack) -> None:
    known, unknown = request(stack), request(stack, "Origin: https://elsewhere.example")
    told = await answers(stack, known + unknown + known, unknown, count=4)
    assert ["Access-Control-Allow-Origin" in dict(fields) for _, fields in told] == [False, True, False, True]


async def test_after_a_wish_for_another_protocol_the_connection_goes_on_in_this_one(stack: GatewayStack) -> None:
    await answers(stack, request(stack), count=1)
    reader, writer = await asyncio.open_connection(*_place(stack))
    async with asyncio.timeout(10):
        for lines in (("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: eA=="), (), ()):
            writer.write(request(stack, *lines))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 307 ")
    writer.close()


async def test_a_request_that_comes_byte_by_byte_is_answered_like_any_other(stack: GatewayStack) -> None:
    asked = request(stack)
    assert await answers(stack, *(bytes([byte]) for byte in asked), count=1) == await answers(stack, asked, count=1)


async def test_the_last_answer_of_a_connection_says_so_and_ends_it(stack: GatewayStack) -> None:
    await answers(stack, request(stack), count=1)
    reader, writer = await asyncio.open_connection(*_place(stack))
    writer.write(request(stack, "Connection: close"))
    async with asyncio.timeout(10):
        head = await reader.read()
    writer.close()
    assert head.startswith(b"HTTP/1.1 307 ")
    assert b"\r\nConnection: close\r\n" in head


async def test_every_answer_at_once_is_audited_logged_and_counted(stack: GatewayStack) -> None:
    await answers(stack, request(stack), count=1)
    lines = len(stack.audit())
    await answers(stack, request(stack), count=1)
    opened = stack.audit()[lines:]
    assert [(line["event"], line["status"], line["delivery"]) for line in opened] == [("open", 307, "redirect")]


@asynccontextmanager
async def serving(handle: Handle, keepalive_timeout: float = 75.0) -> AsyncIterator[tuple[str, int]]:
    """A server of ours that answers by *handle*: its address."""
    runner = runner_of(Server(handle, lambda _: web.Response(status=400), keepalive_timeout=keepalive_timeout))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0]
    finally:
        await runner.cleanup()


def _place(stack: GatewayStack) -> tuple[str, int]:
    host, _, port = stack.url.removeprefix("http://").partition(":")
    return host, int(port)
