"""The HTTP listener with small handlers: connections, their timeouts, and errors outside a handler."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from aiohttp import web

from gateway.web.http_server import KEEPALIVE_TIMEOUT, Handler, HttpServer, counted
from tests.support.client import connect
from tests.support.listener import listening

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SHORT_KEEPALIVE = 0.05
"""Seconds."""


async def see_other(_request: web.BaseRequest) -> web.Response:
    return web.Response(status=303, headers={"Location": "/"})


@asynccontextmanager
async def running_server(handler: Handler, keepalive_timeout: float = KEEPALIVE_TIMEOUT) -> AsyncIterator[str]:
    """A server of *handler* on loopback: its URL."""
    server = HttpServer(counted(handler), lambda *_: web.Response(status=400), keepalive_timeout=keepalive_timeout)
    async with listening(server) as listener:
        yield listener.address


async def exchange(url: str, request: bytes = REQUEST) -> bytes:
    """Everything that the server sends until it closes the connection."""
    async with connect(url) as connection:
        await connection.send(request)
        return await connection.read_to_end()


@pytest.mark.promise("streams-29", "findings-6")
async def test_a_request_head_that_never_ends_is_bounded_by_the_keepalive_timeout() -> None:
    assert KEEPALIVE_TIMEOUT <= 75
    async with running_server(see_other, SHORT_KEEPALIVE) as url:
        await exchange(url, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_idle_connection_is_closed_in_time_however_long_its_response_took(streamed: bool) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if not streamed:
            return await see_other(request)
        response = web.StreamResponse(headers={"Content-Length": "0"})
        await response.prepare(request)
        await asyncio.sleep(2 * SHORT_KEEPALIVE)
        await response.write_eof()
        return response

    async with running_server(handle, SHORT_KEEPALIVE) as url:
        assert (await exchange(url)).startswith(b"HTTP/1.1 ")


async def test_a_response_that_cannot_be_written_ends_its_connection_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/faulty":
            return web.Response(status=303, headers={"Location": cast("str", 1)})
        return await see_other(request)

    async with running_server(handle) as url, connect(url) as other:
        assert await exchange(url, REQUEST.replace(b"/ ", b"/faulty ")) == b""
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        await other.send(REQUEST)
        assert (await other.read_head()).status == 303


async def test_a_slow_request_delays_no_other_connection() -> None:
    released = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/waits":
            await released.wait()
        return await see_other(request)

    closing = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    async with running_server(handle) as url:
        slow = asyncio.ensure_future(exchange(url, closing.replace(b"/ ", b"/waits ")))
        assert (await exchange(url, closing)).startswith(b"HTTP/1.1 303 ")
        released.set()
        assert (await slow).startswith(b"HTTP/1.1 303 ")
