"""Bounds on what clients without credentials can hold: time, memory and connections."""

import asyncio
import json
import resource
import socket
import stat
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from aiohttp import web

from gateway.clock import SystemClock
from gateway.ports import Observer
from gateway.web.http_server import Handler, HttpServer, counted, rejections
from gateway.web.listener import connection_limit
from gateway.web.request_validation import MAX_HEAD
from tests.support.client import connect, parse_response
from tests.support.listener import listener_of, listening, running
from tests.support.recorder import Recorder
from tests.support.tls import client_context, write_certificate

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SHORT = 0.05
"""Seconds."""


async def answer(_request: web.BaseRequest) -> web.Response:
    return web.Response(text="answer")


def server(handler: Handler = answer, observer: Observer | None = None) -> HttpServer:
    return HttpServer(counted(handler), rejections(SystemClock(), observer or Recorder()))


@pytest.mark.promise("security-S3", "security-S5")
@pytest.mark.parametrize(
    "head",
    [b"", b"GET", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", REQUEST[:-1]],
    ids=["nothing", "a word", "a field", "all"],
)
async def test_a_head_that_does_not_end_in_time_is_408(head: bytes) -> None:
    recorder = Recorder()
    listener = listener_of(server(observer=recorder), request_timeout=SHORT)
    async with running(listener), connect(listener.address) as client:
        await client.send(head)
        response = await client.read_response()
    assert (response.status, json.loads(response.body)["code"]) == (408, "request_timeout")
    assert response.headers["Connection"] == "close"
    assert [(record.status, record.code) for record in recorder.records] == [(408, "request_timeout")]


@pytest.mark.promise("security-S3")
async def test_a_later_head_has_its_own_deadline() -> None:
    async with listening(server(), request_timeout=SHORT) as listener, connect(listener.address) as client:
        for _ in range(2):
            await client.send(REQUEST)
            assert (await client.read_response()).status == 200
            await asyncio.sleep(2 * SHORT)  # an idle connection is not a late head
        await client.send(REQUEST[:-2])
        assert (await client.read_response()).status == 408


@pytest.mark.promise("security-S3")
async def test_a_late_head_after_a_running_response_is_never_answered_inside_it() -> None:
    first, released = asyncio.Event(), asyncio.Event()

    async def stream(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request)
        await response.write(b"first")
        first.set()
        await released.wait()
        await response.write(b"later")
        return response

    async with listening(server(stream), request_timeout=SHORT) as listener, connect(listener.address) as client:
        await client.send(REQUEST + REQUEST[:-2])
        await first.wait()
        await asyncio.sleep(2 * SHORT)
        released.set()
        assert (await client.read_last_response()).body == b"firstlater"


@pytest.mark.promise("security-S5")
async def test_a_head_of_more_than_32_kib_is_431() -> None:
    field = b"X-Large: " + b"a" * 8000 + b"\r\n"
    async with listening(server()) as listener, connect(listener.address) as client:
        await client.send(REQUEST[:-2] + field * (MAX_HEAD // len(field)) + b"\r\n")
        assert (await client.read_response()).status == 200
        await client.send(REQUEST[:-2] + field * (MAX_HEAD // len(field) + 1))
        assert (await client.read_response()).status == 431


@pytest.mark.promise("security-S4")
async def test_further_clients_wait_until_a_connection_ends() -> None:
    async with listening(server(), connections=2) as listener:
        async with connect(listener.address) as one, connect(listener.address) as two:
            for client in (one, two):
                await client.send(REQUEST)
                await client.read_response()
            async with connect(listener.address) as third:
                await third.send(REQUEST)
                waiting = asyncio.ensure_future(third.read_response())
                await one.send(REQUEST)
                await one.read_response()
                assert (listener.connections, waiting.done()) == (2, False)
                one.abort()
                assert (await waiting).status == 200
        while listener.connections:
            await asyncio.sleep(0)


@pytest.mark.promise("restart-5")
async def test_listeners_of_one_socket_take_turns_with_what_waits() -> None:
    async with AsyncExitStack() as stack:
        sock = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for _ in range(40):  # the kernel completes them, nobody has accepted one yet
            stack.enter_context(socket.create_connection(sock.getsockname()))
        listeners = [listener_of(server(), "systemd:public", passed={"public": [sock.dup()]}) for _ in range(2)]
        for listener in listeners:
            await stack.enter_async_context(running(listener))
        async with asyncio.timeout(30):
            while sum(listener.connections for listener in listeners) < 40:
                await asyncio.sleep(0)
        assert [listener.connections for listener in listeners] == [20, 20]


async def test_a_connection_that_was_accepted_as_the_listener_closes_is_closed() -> None:
    async with listening(server()) as listener:
        client = socket.create_connection(("127.0.0.1", urlsplit(listener.address).port))
        while not listener.connections:
            await asyncio.sleep(0)
    with client:
        client.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
    assert listener.connections == 0


@pytest.mark.promise("security-S4")
async def test_a_full_listener_that_closes_idle_connections_keeps_serving() -> None:
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(listening(server(), connections=3, close_idle=True))
        first = await stack.enter_async_context(connect(listener.address))
        for _ in range(10):
            await stack.enter_async_context(connect(listener.address))
            async with connect(listener.address) as client:
                await client.send(REQUEST)
                assert (await client.read_response()).status == 200
        assert await first.read_to_end() == b""


@pytest.mark.promise("security-S4")
async def test_clients_that_read_nothing_do_not_fill_a_listener_that_closes_idle_ones() -> None:
    async def large(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=bytes(8 * 1024 * 1024))

    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(listening(server(large), connections=2, close_idle=True))
        for _ in range(5):
            client = await stack.enter_async_context(connect(listener.address, receive_buffer=4096))
            await client.send(REQUEST * 10)
            assert (await client.read_head()).status == 200


@pytest.mark.promise("security-S4")
async def test_many_connections_at_once_do_not_fill_a_listener_that_closes_idle_ones() -> None:
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(listening(server(), connections=2, close_idle=True))
        address = urlsplit(listener.address)
        for _ in range(8):  # without an iteration of the event loop in between
            stack.enter_context(socket.create_connection((address.hostname, address.port)))
        async with connect(listener.address) as client:
            await client.send(REQUEST)
            assert (await client.read_response()).status == 200


@pytest.mark.promise("security-S4")
async def test_pipelines_do_not_fill_a_listener_that_closes_idle_connections() -> None:
    started = asyncio.Semaphore(0)

    async def wait(_request: web.BaseRequest) -> web.Response:
        started.release()
        return await asyncio.Future()

    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(listening(server(wait), connections=2, close_idle=True))
        for _ in range(8):
            client = await stack.enter_async_context(connect(listener.address))
            await client.send(REQUEST * 2)
            async with asyncio.timeout(5):
                await started.acquire()


@pytest.mark.promise("security-S4")
async def test_a_full_listener_closes_no_connection_with_a_running_request() -> None:
    started, released = asyncio.Event(), asyncio.Event()

    async def wait(_request: web.BaseRequest) -> web.Response:
        started.set()
        await released.wait()
        return web.Response(text="answer")

    async with listening(server(wait), connections=2, close_idle=True) as listener, connect(listener.address) as busy:
        await busy.send(REQUEST)
        await started.wait()
        async with connect(listener.address) as idle, connect(listener.address):
            assert await idle.read_to_end() == b""
            released.set()
            assert (await busy.read_response()).status == 200


@pytest.mark.promise("security-S11")
@pytest.mark.parametrize("requests", [1, 3])
async def test_a_client_that_ends_its_side_gets_its_responses(requests: int) -> None:
    async with listening(server()) as listener, connect(listener.address) as client:
        await client.send(REQUEST * requests)
        client.send_eof()
        received = await client.read_to_end()
    assert received.count(b"HTTP/1.1 200 OK") == requests


@pytest.mark.promise("security-S11")
async def test_a_client_that_ends_its_side_does_not_keep_its_request_running() -> None:
    ended = asyncio.Event()

    async def wait(_request: web.BaseRequest) -> web.Response:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return web.Response()

    async with listening(server(wait)) as listener, connect(listener.address) as client:
        await client.send(REQUEST)
        client.send_eof()
        assert await client.read_to_end() == b""
        await ended.wait()


@pytest.mark.parametrize("requests", [1, 2])
async def test_a_tls_connection_that_ends_after_a_response_logs_no_error(tmp_path: Path, requests: int) -> None:
    """A client that answers the end of TLS, with its further request unanswered or without one."""
    messages: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: messages.append(context["message"]))
    authority = trustme.CA()
    write_certificate(tmp_path, authority)
    certificate = (tmp_path / "cert.pem", tmp_path / "key.pem")

    async def last(_request: web.BaseRequest) -> web.Response:
        response = web.Response(text="answer")
        response.force_close()
        return response

    async with listening(server(last), certificate=certificate) as listener, asyncio.timeout(10):
        async with connect(listener.address, tls=client_context(authority)) as client:
            await client.send(REQUEST * requests)
            assert (await client.read_to_end()).count(b"HTTP/1.1 200 OK") == 1
        while listener.connections:
            await asyncio.sleep(0.01)
    assert messages == []


@pytest.mark.promise("security-S5")
@pytest.mark.parametrize("framing", [b"", b"Transfer-Encoding: chunked\r\n"], ids=["heads", "chunked"])
async def test_large_requests_that_wait_for_their_turn_end_the_connection(framing: bytes) -> None:
    started, released = asyncio.Event(), asyncio.Event()

    async def wait(request: web.BaseRequest) -> web.Response:
        started.set()
        await released.wait()
        response = web.Response(text="answer")
        if request.body_exists:
            response.force_close()  # as every handler of the gateway's does
        return response

    large = REQUEST[:-2] + b"".join(b"X-%d: " % number + b"a" * 8000 + b"\r\n" for number in range(3)) + b"\r\n"
    async with listening(server(wait)) as listener, connect(listener.address) as client:
        await client.send(REQUEST[:-2] + framing + b"\r\n" + (b"0\r\n\r\n" if framing else b""))
        await started.wait()
        for _ in range(6):
            await client.send(large)
            await asyncio.sleep(0.01)
        released.set()
        received, _ = await client.read_until_reset()
    assert received.count(b"HTTP/1.1 200 OK") <= 1, "what follows has not been read"


@pytest.mark.promise("security-S3")
@pytest.mark.parametrize("fields", [[24_000] * 5, [100, 40_000]], ids=["much in all", "a large head behind another"])
async def test_requests_that_are_refused_in_one_segment_leave_no_connection_open(fields: list[int]) -> None:
    heads = (
        REQUEST[:-2] + b"".join(b"X: " + b"a" * 4000 + b"\r\n" for _ in range(size // 4000)) + b"\r\n"
        for size in fields
    )
    async with listening(server()) as listener, connect(listener.address) as client:
        await client.send(b"".join(heads))
        received, _ = await client.read_until_reset()
        assert received.count(b"HTTP/1.1 ") <= len(fields)
        while listener.connections:
            await asyncio.sleep(0.01)


async def test_a_thousand_small_requests_at_once_are_all_answered() -> None:
    async with listening(server()) as listener, connect(listener.address) as client:
        sending = asyncio.create_task(client.send(REQUEST * 1000))
        for _ in range(1000):
            assert (await client.read_response()).status == 200
        await sending


@pytest.mark.promise("security-S4")
def test_half_of_the_descriptors_are_reserved_for_upstream_connections() -> None:
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert connection_limit(10**9) == (soft - 64) // 2
    assert connection_limit(10) == 10


@pytest.mark.promise("operation-O10")
async def test_a_unix_socket_is_removed_when_the_listener_closes(tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    async with listening(server(), f"unix:{path}") as listener:
        assert path.is_socket()
        assert listener.address == f"unix:{path}"
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert parse_response(await reader.read()).status == 200
        writer.close()
    assert not path.exists()


@pytest.mark.promise("operation-O10")
async def test_a_unix_socket_has_the_configured_permissions(tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    async with listening(server(), f"unix:{path}", socket_mode=0o606):
        assert stat.S_IMODE(path.stat().st_mode) == 0o606


async def test_an_address_in_use_is_reported_with_the_address() -> None:
    async with listening(server()) as listener:
        address = listener.address.removeprefix("http://")
        with pytest.raises(OSError, match=address.partition(":")[2]):
            await listener_of(server(), address).start()
