"""Requests to a media server, over real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from gateway.delivery.media_server import MediaServer
from gateway.model import Link, Secret
from tests.unit.delivery.lines import trusting
from tests.unit.delivery.test_connection_pool import PLAIN, Server, media

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@asynccontextmanager
async def media_server(*responses: bytes) -> AsyncIterator[tuple[Server, MediaServer, Link]]:
    """A server that sends *responses*, the client under test, and a link to a film there."""
    async with media(*responses) as (server, _), aiohttp.ClientSession() as session:
        client = MediaServer(session, trusting(), connect_timeout=10, read_timeout=10)
        try:
            yield server, client, Link(Secret(f"http://localhost:{server.origin[2]}/film.mp4"), None, None)
        finally:
            client.close()


async def test_the_first_request_opens_a_connection_for_the_fast_path() -> None:
    async with media_server(PLAIN) as (_, client, link):
        answer = await client.ask("GET", link, {})
        assert (answer.status, answer.fast) == (200, True)
        answer.abort()


async def test_the_second_request_uses_the_first_ones_connection() -> None:
    empty = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    async with media_server(empty, empty) as (server, client, link):
        await client.ask("GET", link, {})
        assert (await client.ask("GET", link, {})).fast
        assert len(server.writers) == 1


async def test_an_unsupported_response_is_requested_again_by_the_plain_path() -> None:
    async with media_server(CHUNKED, CHUNKED, CHUNKED) as (_, client, link):
        (await client.ask("GET", link, {})).abort()
        answer = await client.ask("GET", link, {})
        assert (answer.status, answer.fast) == (200, False)
        answer.abort()
