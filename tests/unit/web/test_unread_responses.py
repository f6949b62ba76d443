"""Clients that never read their responses hold no connection; viewers that pause keep theirs."""

import asyncio
import socket
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from gateway.web.http_server import KEEPALIVE_TIMEOUT, HttpServer, counted
from tests.support.client import connect
from tests.support.listener import listening
from tests.support.tls import client_context, write_certificate

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
RESPONSE_TIMEOUT = 0.2
"""Seconds."""
IDLE = 0.2
"""Seconds after which an idle connection is closed: over TLS the transport does not say that one response waits."""
LARGE = 8 * 1024 * 1024
"""Bytes; more than the kernel buffers for a client that reads nothing."""


def server(size: int, keepalive_timeout: float = KEEPALIVE_TIMEOUT) -> HttpServer:
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=bytes(size))

    return HttpServer(counted(answer), lambda *_: web.Response(status=400), keepalive_timeout=keepalive_timeout)


@pytest.mark.promise("security-S4")
@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(("size", "requests"), [(LARGE, 1), (4096, 3000)], ids=["one large", "many small"])
async def test_a_client_that_reads_no_response_loses_its_connection(
    tmp_path: Path, encrypted: bool, size: int, requests: int
) -> None:
    authority = trustme.CA()
    write_certificate(tmp_path, authority)
    certificate = (tmp_path / "cert.pem", tmp_path / "key.pem") if encrypted else None
    tls = client_context(authority) if encrypted else None
    async with (
        listening(
            server(size, IDLE), certificate=certificate, request_timeout=1.0, response_timeout=RESPONSE_TIMEOUT
        ) as listener,
        connect(listener.address, receive_buffer=4096, tls=tls) as client,
    ):
        sending = asyncio.create_task(client.send(REQUEST * requests))
        async with asyncio.timeout(10):
            while not listener.connections:
                await asyncio.sleep(0)
            while listener.connections:
                await asyncio.sleep(0.01)
        await asyncio.gather(sending, return_exceptions=True)


@pytest.mark.promise("security-S4")
async def test_half_a_mebibyte_that_nobody_reads_ends_a_connection_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    write_certificate(tmp_path, authority)
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    async with (
        listening(
            server(16 * 1024),
            "systemd:public",
            passed={"public": [sock]},
            certificate=(tmp_path / "cert.pem", tmp_path / "key.pem"),
            response_timeout=RESPONSE_TIMEOUT,
        ) as listener,
        connect(listener.address, receive_buffer=4096, tls=client_context(authority)) as client,
    ):
        await client.send(REQUEST)
        assert (await client.read_response()).status == 200
        await client.send(REQUEST * 32)  # the client's TLS holds 256 KiB of the responses
        async with asyncio.timeout(10):
            while listener.connections:
                await asyncio.sleep(0.01)


@pytest.mark.promise("security-S4")
async def test_a_client_that_reads_slowly_gets_its_whole_response() -> None:
    async with (
        listening(server(LARGE), response_timeout=30) as listener,
        connect(listener.address, receive_buffer=4096) as client,
    ):
        await client.send(REQUEST)
        await client.read_head()
        await asyncio.sleep(RESPONSE_TIMEOUT)
        assert await client.read(LARGE) == bytes(LARGE)
        await client.send(REQUEST)
        assert (await client.read_response()).body == bytes(LARGE)


async def test_a_stream_that_pauses_is_cut_by_its_own_limit_alone() -> None:
    async def stream(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(LARGE)})
        await response.prepare(request)
        await response.write(bytes(LARGE))
        return response

    streaming = HttpServer(counted(stream), lambda *_: web.Response(status=400))
    async with (
        listening(streaming, response_timeout=RESPONSE_TIMEOUT) as listener,
        connect(listener.address, receive_buffer=4096) as viewer,
    ):
        await viewer.send(REQUEST)
        await viewer.read_head()
        await asyncio.sleep(3 * RESPONSE_TIMEOUT)
        assert await viewer.read(LARGE) == bytes(LARGE)
