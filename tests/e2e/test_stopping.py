"""A gateway that stops: what becomes of the streams and requests that have not ended."""

import asyncio
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from tests.e2e.test_media_servers import DATE, FILM, media_stack
from tests.support.client import connect, request
from tests.support.gateway_fixture import VIDEO_PATH, running_stack
from tests.support.scripted_media import Script, response
from tests.support.tls import CERTIFIED, client_context, write_certificate

HALF = len(FILM) // 2
CHUNKED = response(
    "200 OK", "Content-Type: video/mp4", f"Last-Modified: {DATE}", "Transfer-Encoding: chunked", length=None
)
STATED = response("200 OK", "Content-Type: video/mp4", f"Last-Modified: {DATE}", length=len(FILM))


def unfinished(head: bytes) -> Script:
    """Half of the film, and nothing after it for longer than any test."""
    size = b"%x\r\n" % HALF if head is CHUNKED else b""
    return Script([head + size + FILM[:HALF], b""], pause=60)


@pytest.mark.promise("streams-23")
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("head", [CHUNKED, STATED], ids=["chunked", "stated"])
async def test_a_stop_without_a_drain_resets_running_streams_and_audits_a_cut(
    tmp_path: Path, head: bytes, version: str
) -> None:
    running = media_stack(tmp_path, lambda _: unfinished(head), manual=False)
    async with running as (stack, _), connect(stack.url) as connection:
        await connection.send(request("GET", VIDEO_PATH, stack.bearer(), version=version))
        await connection.read_head()
        await connection.read(1000)
        stopping = asyncio.create_task(stack.gateway.stop())
        _, was_reset = await connection.read_until_reset()
        await stopping
        assert was_reset
        (closed,) = [line for line in stack.audit() if line["event"] == "close"]
        assert closed["outcome"] == "cut"


async def test_a_half_closed_client_gets_no_incomplete_film_that_looks_whole(tmp_path: Path) -> None:
    """The end of the connection is the film's end in HTTP/1.0 without a stated length."""
    running = media_stack(tmp_path, lambda _: unfinished(CHUNKED), manual=False)
    async with running as (stack, _), connect(stack.url) as connection:
        await connection.send(request("GET", VIDEO_PATH, stack.bearer(), version="1.0"))
        await connection.read_head()
        connection.send_eof()
        _, was_reset = await connection.read_until_reset()
        assert was_reset
        await stack.ended()
        assert stack.audit()[-1]["outcome"] == "left"


async def test_a_film_that_would_start_after_the_streams_were_ended_is_refused(tmp_path: Path) -> None:
    running = media_stack(tmp_path, lambda _: unfinished(CHUNKED), manual=False)
    async with running as (stack, media), connect(stack.url) as connection:
        link = stack.valt.knobs.gate["download"] = asyncio.Event()
        await connection.send(request("GET", VIDEO_PATH, stack.bearer(), version="1.0"))
        await stack.valt.wait_for(lambda: stack.valt.calls["download"] == 1)
        stopping = asyncio.create_task(stack.gateway.stop())
        await asyncio.sleep(0)  # it has ended the streams, and waits for what it releases
        link.set()
        refused = await connection.read_last_response()
        await stopping
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        assert not media.requests
        assert [line["code"] for line in stack.audit() if line["event"] == "deny"] == ["busy"]


@pytest.mark.promise("streams-23")
@pytest.mark.parametrize(("path", "operation"), [(VIDEO_PATH, "download"), ("/recordings", "search")])
async def test_a_drain_waits_for_a_request_that_waits_for_valt(tmp_path: Path, path: str, operation: str) -> None:
    async with running_stack(tmp_path) as stack, connect(stack.url) as idle, connect(stack.url) as connection:
        await idle.send(request("GET", "/robots.txt"))
        await idle.read_response()
        answer = stack.valt.knobs.gate[operation] = asyncio.Event()
        headers = stack.bearer() | {"Accept": "application/json" if operation == "search" else "*/*"}
        await connection.send(request("GET", path, headers))
        await stack.valt.wait_for(lambda: stack.valt.calls[operation] == 1)
        draining = asyncio.create_task(stack.gateway.drain())
        finished, _ = await asyncio.wait({draining}, timeout=0.3)
        assert not finished
        answer.set()
        received = await connection.read_last_response()
        assert (received.status, len(received.body)) == (200, int(received.headers["Content-Length"]))
        async with asyncio.timeout(5):
            await draining
        assert await stack.gateway.stop()


LOGIN = "POST /api/v3/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"


@pytest.mark.promise("streams-23")
@pytest.mark.parametrize(
    ("framing", "part"),
    [("Content-Length: 100", b""), ("Content-Length: 100", b"{"), ("Transfer-Encoding: chunked", b"1\r\n{\r\n")],
    ids=["no byte", "a part", "chunked"],
)
async def test_a_drain_does_not_wait_for_a_body_that_has_not_arrived(tmp_path: Path, framing: str, part: bytes) -> None:
    async with running_stack(tmp_path) as stack, connect(stack.url) as connection:
        await connection.send(f"{LOGIN}{framing}\r\n\r\n".encode())
        assert (await connection.read_head()).status == 100
        await connection.send(part)
        async with asyncio.timeout(5):
            await stack.gateway.drain()


@pytest.mark.promise("streams-23")
async def test_a_drain_waits_for_a_request_whose_body_has_arrived(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack, connect(stack.url) as connection:
        answer = stack.valt.knobs.gate["search"] = asyncio.Event()
        headers = stack.bearer() | {"Content-Type": "application/json", "Content-Length": "2"}
        await connection.send(request("POST", "/api/v3/records", headers) + b"{}")
        await stack.valt.wait_for(lambda: stack.valt.calls["search"] == 1)
        draining = asyncio.create_task(stack.gateway.drain())
        finished, _ = await asyncio.wait({draining}, timeout=0.3)
        assert not finished
        answer.set()
        assert (await connection.read_last_response()).status == 200
        async with asyncio.timeout(5):
            await draining


@pytest.mark.promise("streams-23")
async def test_a_drain_does_not_wait_for_a_client_that_reads_no_responses(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack, connect(stack.url, receive_buffer=4096) as connection:
        await connection.send(request("GET", "/openapi.json") * 300)
        name = 'valt_gateway_requests_total{method="GET",route="/openapi.json",status="200"}'
        before, count = -1.0, 0.0
        while before < count or not count:  # until the gateway can write nothing more
            before, count = count, (await stack.metrics()).get(name, 0.0)
        assert count < 300
        async with asyncio.timeout(5):
            await stack.gateway.drain()


@pytest.mark.promise("streams-23")
@pytest.mark.parametrize(
    "heads",
    [
        ["GET / HTTP/1.1", "Bad Header: x"],
        ["GET / HTTP/1.1", f"Cookie: a={'a' * 9000}"],
        ["GET /robots.txt HTTP/1.1", "Host: x", "Connection: close", "", "GET /robots.txt HTTP/1.1", "Host: x"],
    ],
    ids=["malformed", "long", "after the last"],
)
async def test_a_drain_does_not_wait_for_a_client_that_agrees_to_no_end_of_tls(
    tmp_path: Path, heads: list[str]
) -> None:
    authority = trustme.CA()
    write_certificate(tmp_path, authority)
    async with running_stack(tmp_path, server=CERTIFIED) as stack:
        host, port = urlsplit(stack.url).hostname, urlsplit(stack.url).port
        with await asyncio.to_thread(socket.create_connection, (host, port)) as connection:
            context = client_context(authority)
            encrypted = await asyncio.to_thread(context.wrap_socket, connection, server_hostname=host)
            await asyncio.to_thread(encrypted.sendall, "\r\n".join([*heads, "", ""]).encode())
            assert await asyncio.to_thread(encrypted.recv, 1)
            async with asyncio.timeout(5):
                await stack.gateway.drain()
            encrypted.close()


async def test_a_drain_waits_for_requests_no_longer_than_its_timeout(tmp_path: Path) -> None:
    async with running_stack(tmp_path, server='drain_timeout = "100ms"\n') as stack, connect(stack.url) as connection:
        stack.valt.knobs.gate["download"] = asyncio.Event()
        await connection.send(request("GET", VIDEO_PATH, stack.bearer()))
        await stack.valt.wait_for(lambda: stack.valt.calls["download"] == 1)
        async with asyncio.timeout(5):
            await stack.gateway.drain()
        assert stack.gateway.connections == 1


async def test_a_stop_waits_for_no_thread_that_waits_for_a_name_server(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        answered = threading.Event()
        for _ in range(64):
            asyncio.get_running_loop().run_in_executor(None, answered.wait)
        try:
            async with asyncio.timeout(10):
                assert await stack.gateway.stop()
        finally:
            answered.set()
