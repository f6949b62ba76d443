"""Asking a media server, over real sockets, as a handler does that has no task yet."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp

from gateway.delivery.media_server import MediaAnswer, MediaServer
from gateway.model import Link, Secret
from gateway.web.begun import Begun
from tests.unit.delivery.lines import trusting
from tests.unit.delivery.test_connection_pool import PLAIN, Server, media

T = TypeVar("T")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@asynccontextmanager
async def asking(*answers: bytes) -> AsyncIterator[tuple[Server, MediaServer, Coroutine[Any, Any, MediaAnswer]]]:
    async with media(*answers) as (server, _), aiohttp.ClientSession() as session:
        servers = MediaServer(session, trusting(), connect_timeout=10, read_timeout=10)
        link = Link(Secret(f"http://localhost:{server.origin[2]}/film.mp4"), None, None)
        try:
            yield server, servers, servers.ask("GET", link, {})
        finally:
            servers.close()


async def begun_without_a_task(coroutine: Coroutine[Any, Any, T]) -> T:
    """Take the first step of *coroutine* where there is no task, and the rest in one."""
    loop = asyncio.get_running_loop()
    taken: asyncio.Future[Begun[T]] = loop.create_future()

    def first() -> None:
        assert asyncio.current_task() is None
        taken.set_result(Begun(coroutine))

    loop.call_soon(first)
    async with asyncio.timeout(10):
        return await (await taken).rest()


async def test_a_fresh_connection_may_be_asked_for_where_there_is_no_task_yet() -> None:
    async with asking(PLAIN) as (_, _, ask):
        answer = await begun_without_a_task(ask)
        assert (answer.status, answer.fast) == (200, True)
        answer.abort()


async def test_a_kept_connection_may_be_asked_where_there_is_no_task_yet() -> None:
    nothing = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    async with asking(nothing, nothing) as (server, servers, ask):
        await ask
        link = Link(Secret(f"http://localhost:{server.origin[2]}/film.mp4"), None, None)
        assert (await begun_without_a_task(servers.ask("GET", link, {}))).fast
        assert len(server.writers) == 1


async def test_the_plain_way_may_be_asked_where_there_is_no_task_yet() -> None:
    async with asking(CHUNKED, CHUNKED, CHUNKED) as (server, servers, ask):
        (await ask).abort()  # found odd, and then asked the plain way
        link = Link(Secret(f"http://localhost:{server.origin[2]}/film.mp4"), None, None)
        answer = await begun_without_a_task(servers.ask("GET", link, {}))
        assert (answer.status, answer.fast) == (200, False)
        answer.abort()
