"""Connections to media servers, over real sockets: what is asked, what may be answered, and what is kept."""

import asyncio
import itertools
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from yarl import URL

from gateway.delivery.connection_pool import Connection, ConnectionPool, Origin
from gateway.delivery.response_head import Head, UnsupportedResponseError
from tests.unit.delivery.lines import serving, trusting

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
URL_ASKED = URL("http://localhost/film%2Fone.mp4?access_token=a%2Bb", encoded=True)


@dataclass
class Server:
    """Answers each request with the next of *answers*; hangs up when there is none."""

    origin: Origin
    answers: list[bytes]
    asked: list[bytes] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while self.answers:
                self.asked.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(self.answers.pop(0))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def media(*answers: bytes, encrypted: bool = False) -> AsyncIterator[tuple[Server, ConnectionPool]]:
    told = Server(("", "", 0), list(answers))
    server = await asyncio.start_server(told.serve, "127.0.0.1", 0, ssl=serving() if encrypted else None)
    told.origin = ("https" if encrypted else "http", "localhost", server.sockets[0].getsockname()[1])
    upstreams = ConnectionPool(trusting(), connect_timeout=10)
    try:
        yield told, upstreams
    finally:
        upstreams.close()
        for writer in told.writers:
            writer.transport.abort()
        server.close()
        await server.wait_closed()


async def ask(upstream: Connection, method: str = "GET") -> Head:
    async with asyncio.timeout(10):
        return await upstream.ask(method, URL_ASKED, {"Range": "bytes=0-4"})


async def body(upstream: Connection, length: int) -> bytes:
    read = b""
    while len(read) < length:
        read += await upstream.read(length - len(read))
    return read


async def until(settled: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not settled():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
async def test_a_request_says_what_was_asked_byte_for_byte_and_its_answer_is_read(encrypted: bool) -> None:
    async with media(PLAIN, encrypted=encrypted) as (server, upstreams):
        upstream = await upstreams.connect(server.origin)
        head = await ask(upstream)
        assert (head.status, head.length, head.keep) == (200, 5, True)
        assert await body(upstream, 5) == b"hello"
        assert server.asked == [
            b"GET /film%2Fone.mp4?access_token=a%2Bb HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-4\r\n\r\n"
        ]
        upstream.close()


async def test_a_server_whose_certificate_nobody_vouches_for_is_not_asked() -> None:
    async with media(PLAIN, encrypted=True) as (server, _):
        upstreams = ConnectionPool(ssl.create_default_context(), connect_timeout=10)
        with pytest.raises(ssl.SSLCertVerificationError):
            await upstreams.connect(server.origin)
        assert server.asked == []


async def test_nobody_there_is_an_error_and_no_descriptor_is_lost() -> None:
    async with media() as (server, upstreams):
        origin = server.origin
    with pytest.raises(OSError):
        await upstreams.connect(origin)


async def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with media(interim + PLAIN) as (server, upstreams):
        upstream = await upstreams.connect(server.origin)
        assert (await ask(upstream)).status == 200
        assert await body(upstream, 5) == b"hello"
        upstream.close()


async def test_a_head_that_arrives_in_pieces_is_one_head() -> None:
    async with media(b"", b"") as (server, upstreams):
        upstream = await upstreams.connect(server.origin)
        asking = asyncio.create_task(ask(upstream))
        await until(lambda: bool(server.asked))
        for number in range(0, len(PLAIN), 7):
            server.writers[0].write(PLAIN[number : number + 7])
            await asyncio.sleep(0)
        assert (await asking).length == 5
        upstream.close()


async def test_a_head_as_large_as_is_allowed_is_read_and_a_larger_one_is_odd() -> None:
    def padded(size: int) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: " + b"x" * size + b"\r\n\r\nhello"

    async with media(padded(30 * 1024), padded(40 * 1024)) as (server, upstreams):
        upstream = await upstreams.connect(server.origin)
        assert (await ask(upstream)).length == 5
        assert await body(upstream, 5) == b"hello"
        with pytest.raises(UnsupportedResponseError):
            await ask(upstream)
        upstream.close()


@pytest.mark.parametrize(
    ("method", "head", "length"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 0),
        ("GET", b"HTTP/1.1 304 Not Modified\r\n\r\n", 0),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 0),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 0),
        ("GET", b"HTTP/1.1 206 \r\nContent-Length:0\r\n\r\n", 0),
        ("GET", b"HTTP/1.1 200\r\ncontent-length: \t 7 \r\n\r\n", 7),
    ],
)
async def test_the_bodys_length_is_told(method: str, head: bytes, length: int) -> None:
    async with media(head) as (server, upstreams):
        upstream = await upstreams.connect(server.origin)
        assert (await ask(upstream, method)).length == length
        upstream.close()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/2 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 600 OK\r\nContent-Length: 5\r\n\r\n",
        b"ICY 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\n\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5_0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n Content-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\rb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\nb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\rb\r\nY: c\nd\r\n\r\n",
        b"HTTP/1.1 200 O\x00K\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n: empty\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + b"X: y\r\n" * 64 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
    ],
)
async def test_whatever_is_not_a_plain_head_with_one_stated_length_is_odd(head: bytes) -> None:
    async with media(head) as (server, upstreams):
        upstream = await upstreams.connect(server.origin)
        with pytest.raises(UnsupportedResponseError):
            await ask(upstream)
        upstream.close()


async def test_a_server_that_hangs_up_without_a_word_gave_no_answer() -> None:
    async with media(b"") as (server, upstreams):
        upstream = await upstreams.connect(server.origin)
        with pytest.raises((EOFError, ConnectionError)):
            await ask(upstream)
        upstream.close()


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
async def test_a_kept_connection_is_used_again(encrypted: bool) -> None:
    async with media(PLAIN, PLAIN, b"", encrypted=encrypted) as (server, upstreams):
        first = await upstreams.connect(server.origin)
        for _ in range(2):
            await ask(first)
            await body(first, 5)
            upstreams.keep(first)
            assert upstreams.take(server.origin) is first
        assert len(server.writers) == 1
        first.close()


async def test_one_that_the_server_has_ended_is_not_used_again() -> None:
    async with media(PLAIN) as (server, upstreams):
        upstream = await upstreams.connect(server.origin)
        await ask(upstream)
        await body(upstream, 5)
        upstreams.keep(upstream)
        await until(lambda: not upstream.is_idle())
        assert upstreams.take(server.origin) is None
        assert upstream.sock.fileno() < 0


async def test_one_on_which_something_was_said_unasked_is_not_used_again() -> None:
    async with media(PLAIN + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"") as (server, upstreams):
        upstream = await upstreams.connect(server.origin)
        await ask(upstream)
        await body(upstream, 5)
        upstreams.keep(upstream)
        assert upstreams.take(server.origin) is None
        assert upstream.sock.fileno() < 0


async def test_another_origin_gets_a_connection_of_its_own() -> None:
    async with media(PLAIN, b"") as (server, upstreams):
        upstream = await upstreams.connect(server.origin)
        await ask(upstream)
        await body(upstream, 5)
        upstreams.keep(upstream)
        scheme, _, port = server.origin
        assert upstreams.take((scheme, "127.0.0.1", port)) is None
        assert upstreams.take(("https", "localhost", port)) is None
        assert upstreams.take(server.origin) is upstream
        upstream.close()


async def test_no_more_are_kept_than_a_bound_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.delivery.connection_pool._MAX_KEPT", 2)
    async with media(b"") as (server, upstreams):
        opened = [await upstreams.connect(server.origin) for _ in range(3)]
        for upstream in opened:
            upstreams.keep(upstream)
        assert [one.sock.fileno() >= 0 for one in opened] == [False, True, True]


@pytest.mark.parametrize("said", ["close", "Close", "keep-alive, close"])
async def test_a_server_that_will_close_says_so(said: str) -> None:
    answer = f"HTTP/1.1 200 OK\r\nConnection: {said}\r\nContent-Length: 0\r\n\r\n".encode()
    async with media(answer) as (server, upstreams):
        upstream = await upstreams.connect(server.origin)
        assert not (await ask(upstream)).keep
        upstream.close()


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
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
        await until(lambda: all(writer.is_closing() for writer in server.writers))
