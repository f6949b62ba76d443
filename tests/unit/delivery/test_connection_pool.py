"""Connections to media servers, over real sockets: what is sent, which heads are accepted, and which are reused."""

import asyncio
import itertools
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from yarl import URL

from gateway.delivery.connection import Connection
from gateway.delivery.connection_pool import ConnectionPool
from gateway.delivery.response_head import Head, UnsupportedResponseError
from gateway.errors import ValtResponseError
from tests.support.scripted_media import Script, ScriptedMedia, in_turn, response, scripted_media
from tests.unit.delivery.ends import client_context, server_context

PLAIN = response("200 OK", body=b"hello")
FILM_URL = URL("http://localhost/film%2Fone.mp4?access_token=a%2Bb", encoded=True)
EITHER = pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])


@asynccontextmanager
async def media(
    *replies: Script | bytes, encrypted: bool = False
) -> AsyncIterator[tuple[ScriptedMedia, ConnectionPool]]:
    async with scripted_media(in_turn(*replies), tls=server_context() if encrypted else None) as server:
        pool = ConnectionPool(client_context(), connect_timeout=10, max_idle=2)
        try:
            yield server, pool
        finally:
            pool.close()


async def get(connection: Connection, read_timeout: float = 10.0) -> Head:
    async with asyncio.timeout(10):
        return await connection.get(FILM_URL, {"Range": "bytes=0-4"}, read_timeout=read_timeout)


async def read(connection: Connection, length: int) -> bytes:
    body = b""
    while len(body) < length:
        body += await connection.read(length - len(body))
    return body


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@EITHER
async def test_a_request_is_sent_byte_for_byte_and_its_response_is_read(encrypted: bool) -> None:
    async with media(PLAIN, encrypted=encrypted) as (server, pool):
        connection = await pool.connect(server.origin)
        head = await get(connection)
        assert (head.status, head.length, head.reusable) == (200, 5, True)
        assert await read(connection, 5) == b"hello"
        assert [request.raw for request in server.requests] == [
            b"GET /film%2Fone.mp4?access_token=a%2Bb HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-4\r\n\r\n"
        ]
        connection.close()


async def test_a_server_with_an_untrusted_certificate_gets_no_request() -> None:
    async with media(PLAIN, encrypted=True) as (server, _):
        pool = ConnectionPool(ssl.create_default_context(), connect_timeout=10)
        with pytest.raises(ssl.SSLCertVerificationError):
            await pool.connect(server.origin)
        assert server.requests == []


async def test_a_connection_that_is_refused_is_an_os_error() -> None:
    async with media() as (server, pool):
        origin = server.origin
    with pytest.raises(OSError):
        await pool.connect(origin)


async def test_interim_responses_are_skipped() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with media(interim + PLAIN) as (server, pool):
        connection = await pool.connect(server.origin)
        assert (await get(connection)).status == 200
        assert await read(connection, 5) == b"hello"
        connection.close()


async def test_interim_responses_without_end_are_refused() -> None:
    endless = Script([b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100] * 100)
    async with media(endless) as (server, pool):
        connection = await pool.connect(server.origin)
        with pytest.raises(ValtResponseError):
            await get(connection)
        connection.close()


async def test_a_head_that_arrives_in_pieces_is_one_head() -> None:
    pieces = [PLAIN[at : at + 7] for at in range(0, len(PLAIN), 7)]
    async with media(Script(pieces)) as (server, pool):
        connection = await pool.connect(server.origin)
        assert (await get(connection)).length == 5
        connection.close()


@pytest.mark.promise("media-M14")
@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
async def test_m14_a_head_that_is_never_silent_for_the_read_timeout_is_read(encrypted: bool) -> None:
    pieces = PLAIN.splitlines(keepends=True)
    async with media(Script(pieces, pause=0.15), encrypted=encrypted) as (server, pool):
        connection = await pool.connect(server.origin)
        assert (await get(connection, read_timeout=0.3)).status == 200
        connection.close()


async def test_a_head_that_is_silent_for_the_read_timeout_times_out() -> None:
    async with media(Script([PLAIN[:10], PLAIN[10:]], pause=5.0)) as (server, pool):
        connection = await pool.connect(server.origin)
        with pytest.raises(TimeoutError):
            await get(connection, read_timeout=0.05)
        connection.close()


@pytest.mark.promise("media-M14")
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\n",
        b"HTTP/1.1 200 OK\n\r\n",
    ],
)
async def test_m14_lines_that_end_with_a_bare_lf_are_refused_at_once(head: bytes) -> None:
    async with media(head) as (server, pool):
        connection = await pool.connect(server.origin)
        async with asyncio.timeout(2):
            with pytest.raises(UnsupportedResponseError):
                await get(connection, read_timeout=60)
        connection.close()


async def test_a_head_of_30_kib_is_read_and_one_of_40_kib_is_not_supported() -> None:
    def padded(size: int) -> bytes:
        return response("200 OK", "X: " + "x" * size, body=b"hello")

    async with media(padded(30 * 1024), padded(40 * 1024)) as (server, pool):
        connection = await pool.connect(server.origin)
        assert (await get(connection)).length == 5
        assert await read(connection, 5) == b"hello"
        with pytest.raises(UnsupportedResponseError):
            await get(connection)
        connection.close()


async def test_a_server_that_closes_without_a_response_gave_none() -> None:
    async with media() as (server, pool):
        connection = await pool.connect(server.origin)
        with pytest.raises((EOFError, ConnectionError)):
            await get(connection)
        connection.close()


async def test_a_head_that_ends_in_the_middle_is_not_supported() -> None:
    async with media(Script([b"HTTP/1.1 200 OK\r\nContent-Le"], close=True)) as (server, pool):
        connection = await pool.connect(server.origin)
        with pytest.raises(UnsupportedResponseError):
            await get(connection)
        connection.close()


@EITHER
async def test_a_released_connection_is_used_again(encrypted: bool) -> None:
    async with media(PLAIN, PLAIN, encrypted=encrypted) as (server, pool):
        first = await pool.connect(server.origin)
        for _ in range(2):
            await get(first)
            await read(first, 5)
            pool.release(first)
            assert pool.take(server.origin) is first
        assert len(server.connections) == 1
        first.close()


async def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    async with media(Script([PLAIN], close=True)) as (server, pool):
        connection = await pool.connect(server.origin)
        await get(connection)
        await read(connection, 5)
        pool.release(connection)
        await until(lambda: not connection.is_idle())
        assert pool.take(server.origin) is None
        assert connection.closed


async def test_a_connection_with_unrequested_bytes_on_it_is_not_used_again() -> None:
    async with media(PLAIN + response("200 OK", body=b"evil")) as (server, pool):
        connection = await pool.connect(server.origin)
        await get(connection)
        await read(connection, 5)
        pool.release(connection)
        assert pool.take(server.origin) is None
        assert connection.closed


@EITHER
async def test_m5_bytes_behind_a_body_that_have_been_decrypted_already_are_noticed(encrypted: bool) -> None:
    body = bytes(200_000)
    async with media(response("200 OK", body=body) + response("200 OK", body=b"evil"), encrypted=encrypted) as (
        server,
        pool,
    ):
        connection = await pool.connect(server.origin)
        await get(connection)
        assert await read(connection, len(body)) == body
        pool.release(connection)
        await until(lambda: not connection.is_idle())
        assert pool.take(server.origin) is None


async def test_another_origin_gets_a_connection_of_its_own() -> None:
    async with media(PLAIN) as (server, pool):
        connection = await pool.connect(server.origin)
        await get(connection)
        await read(connection, 5)
        pool.release(connection)
        scheme, _, port = server.origin
        assert pool.take((scheme, "127.0.0.1", port)) is None
        assert pool.take(("https", "localhost", port)) is None
        assert pool.take(server.origin) is connection
        connection.close()


async def test_no_more_idle_connections_than_the_maximum_and_the_oldest_goes_first() -> None:
    async with media() as (server, pool):
        opened = [await pool.connect(server.origin) for _ in range(3)]
        for connection in opened:
            pool.release(connection)
        assert [connection.closed for connection in opened] == [True, False, False]
        assert repr(pool) == "<ConnectionPool idle=2 origins=1>"


async def test_a_connection_shows_its_state_when_printed() -> None:
    async with media(PLAIN) as (server, pool):
        connection = await pool.connect(server.origin)
        await get(connection)
        await until(lambda: "early=5" in repr(connection) or connection.is_idle())
        assert repr(connection).startswith(f"<Connection http://localhost:{server.port} open")
        connection.close()
        assert "closed" in repr(connection)


@EITHER
async def test_a_connect_that_is_cancelled_at_any_point_leaves_no_connection_open(encrypted: bool) -> None:
    async with media(PLAIN, encrypted=encrypted) as (server, pool):
        for iterations in itertools.count():
            connecting = asyncio.create_task(pool.connect(server.origin))
            for _ in range(iterations):
                await asyncio.sleep(0)
            if not connecting.cancel():
                (await connecting).close()
                break
            with pytest.raises(asyncio.CancelledError):
                await connecting
        await until(lambda: all(writer.is_closing() for writer in server.connections))
