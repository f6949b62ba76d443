"""Connections over TLS: what counts as sent, and what arrives with the end of the handshake."""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from gateway.clock import SystemClock
from gateway.delivery.client_stream import ClientStalledError, ClientStream
from gateway.web.http_server import Handler, HttpServer, counted, rejections
from gateway.web.listener import Listener
from tests.support.client import connect
from tests.support.listener import listener_of, running
from tests.support.recorder import Recorder
from tests.support.tls import client_context, write_certificate

PIECE = bytes(range(256)) * 400
SIZE = 1_000_000_000
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def listener(folder: Path, authority: trustme.CA, handler: Handler) -> Listener:
    write_certificate(folder, authority)
    server = HttpServer(counted(handler), rejections(SystemClock(), Recorder()))
    return listener_of(server, certificate=(folder / "cert.pem", folder / "key.pem"))


@pytest.mark.parametrize("has_length", [True, False], ids=["with a length", "chunked"])
async def test_what_a_stream_has_written_does_not_end_with_the_process(
    tmp_path: Path, authority: trustme.CA, has_length: bool
) -> None:
    written: asyncio.Queue[int] = asyncio.Queue()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.Response(headers={"Content-Length": str(SIZE)}) if has_length else web.StreamResponse()
        if not has_length:
            response.enable_chunked_encoding()
        stream = ClientStream(request, response, upstream_idle=0.1, viewer_idle=60.0)
        await response.prepare(request)
        transport, complete = request.transport, 0
        assert transport is not None
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        with contextlib.suppress(ClientStalledError):
            while True:
                await stream.write(PIECE)
                complete = stream.sent
        stream.close()
        transport.abort()  # as at the end of the process: the kernel sends what it has, and nothing else arrives
        written.put_nowait(complete)
        return response

    used = listener(tmp_path, authority, handler)
    async with running(used), connect(used.address, tls=client_context(authority)) as client:
        await client.send(REQUEST)
        complete = await written.get()
        assert complete
        await client.read_head()
        await client.read(complete)


@pytest.mark.promise("security-S4")
@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("has_length", [True, False], ids=["with a length", "chunked"])
async def test_a_stream_leaves_the_write_buffer_limits_of_its_connection_as_they_were(
    tmp_path: Path, authority: trustme.CA, encrypted: bool, has_length: bool
) -> None:
    limits: list[tuple[int, int]] = []
    body = PIECE if has_length else b"%x\r\n%b\r\n0\r\n\r\n" % (len(PIECE), PIECE)

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        limits.append(request.transport.get_write_buffer_limits())
        response = web.StreamResponse(headers={"Content-Length": str(len(PIECE))} if has_length else None)
        if not has_length:
            response.enable_chunked_encoding()
        stream = ClientStream(request, response, upstream_idle=60.0, viewer_idle=60.0)
        await response.prepare(request)
        await stream.write(PIECE)
        await stream.finish()
        stream.close()
        return response

    write_certificate(tmp_path, authority)
    server = HttpServer(counted(handler), rejections(SystemClock(), Recorder()))
    used = listener_of(server, certificate=(tmp_path / "cert.pem", tmp_path / "key.pem") if encrypted else None)
    tls = client_context(authority) if encrypted else None
    async with running(used), connect(used.address, tls=tls) as client:
        for _ in range(2):
            await client.send(REQUEST)
            await client.read_head()
            assert await client.read(len(body)) == body
    assert limits[1] == limits[0]


async def test_the_last_response_of_a_connection_takes_longer_than_request_timeout(
    tmp_path: Path, authority: trustme.CA
) -> None:
    answered = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        answered.set()
        return web.Response(body=PIECE * 100)

    write_certificate(tmp_path, authority)
    server = HttpServer(counted(handler), rejections(SystemClock(), Recorder()))
    used = listener_of(server, certificate=(tmp_path / "cert.pem", tmp_path / "key.pem"), request_timeout=1.0)
    async with running(used), connect(used.address, tls=client_context(authority)) as client:
        await client.send(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await answered.wait()
        await asyncio.sleep(1.2)  # asyncio's own timeout of the shutdown, which no clock of ours moves
        await client.read_head()
        assert await client.read(len(PIECE) * 100) == PIECE * 100


async def test_a_request_in_one_segment_with_the_end_of_the_handshake_is_answered(
    tmp_path: Path, authority: trustme.CA
) -> None:
    async def handler(_request: web.BaseRequest) -> web.Response:
        return web.Response(text="answer")

    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(authority).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    used = listener(tmp_path, authority, handler)
    async with running(used), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*used.address.removeprefix("https://").split(":"))
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
        tls.write(REQUEST)
        writer.write(outgoing.read())  # the client's last flight, and the request
        answer = b""
        while not answer.endswith(b"answer"):
            incoming.write(await reader.read(65536))
            try:
                answer += tls.read(65536)
            except ssl.SSLWantReadError:
                continue  # session tickets: the response comes after them
        assert answer.startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_client_that_leaves_within_the_handshake_is_counted_no_more(
    tmp_path: Path, authority: trustme.CA
) -> None:
    async def handler(_request: web.BaseRequest) -> web.Response:
        return web.Response(text="answer")

    used = listener(tmp_path, authority, handler)
    async with running(used), asyncio.timeout(10):
        for data in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"):
            _, writer = await asyncio.open_connection(*used.address.removeprefix("https://").split(":"))
            writer.write(data)
            while not used.connections:
                await asyncio.sleep(0.001)
            writer.close()
            while used.connections:
                await asyncio.sleep(0.001)
        async with connect(used.address, tls=client_context(authority)) as client:
            await client.send(REQUEST)
            assert (await client.read_response()).status == 200
            assert used.connections == 1
        while used.connections:
            await asyncio.sleep(0.001)
