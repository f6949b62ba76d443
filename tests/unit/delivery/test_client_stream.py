"""What a stream writes through aiohttp's transport: in order, without a wait of its own, and never alone for long."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from gateway.delivery.client_stream import ClientIdleError, ClientStalledError, ClientStream
from tests.support.client import connect

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

PIECES = 50
LARGE = bytes(range(256)) * 64 * 1024
"""More than a socket takes of which nobody reads."""


async def test_other_tasks_run_between_the_pieces_of_a_stream() -> None:
    turns: list[int] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.Response(headers={"Content-Length": str(PIECES)})
        stream = ClientStream(request, response, upstream_idle=60.0, viewer_idle=60.0)
        await response.prepare(request)
        others = asyncio.create_task(_count(turns))
        for _ in range(PIECES):
            await stream.write(b"x")
        others.cancel()
        assert stream.sent == PIECES
        stream.close()
        return response

    body = await _body_of(handler, PIECES)
    assert body == b"x" * PIECES
    assert len(turns) >= PIECES - 1


async def test_a_stalled_write_ends_in_time_and_its_bytes_arrive_once() -> None:
    stalled = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.Response(headers={"Content-Length": str(len(LARGE) + 3)})
        stream = ClientStream(request, response, upstream_idle=0.05, viewer_idle=60.0)
        await response.prepare(request)
        with pytest.raises(ClientStalledError):
            await stream.write(LARGE)
        stalled.set()
        await stream.wait_writable()
        await stream.write(b"end")
        stream.close()
        return response

    assert await _body_of(handler, len(LARGE) + 3, stalled) == LARGE + b"end"


@pytest.mark.promise("security-S3")
async def test_a_client_that_does_not_read_the_end_of_a_body_is_idle() -> None:
    idle = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        stream = ClientStream(request, response, upstream_idle=0.05, viewer_idle=0.1)
        await response.prepare(request)
        with pytest.raises(ClientStalledError):
            await stream.write(LARGE)
        with pytest.raises(ClientIdleError):
            await stream.finish()
        stream.close()
        idle.set()
        assert request.transport is not None
        request.transport.abort()
        return response

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await _body_of(handler, len(LARGE), idle)


async def _count(turns: list[int]) -> None:
    while True:
        turns.append(len(turns))
        await asyncio.sleep(0)


async def _body_of(handler: Handler, length: int, before: asyncio.Event | None = None) -> bytes:
    """Returns the *length* bytes of body that *handler* sends to a client that reads nothing *before* an event."""
    server = await asyncio.get_running_loop().create_server(web.Server(handler), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(60), server, connect(f"http://127.0.0.1:{port}") as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if before is not None:
            await before.wait()
        await client.read_head()
        return await client.read(length)
