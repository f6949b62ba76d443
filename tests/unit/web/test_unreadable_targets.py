"""Request targets whose host cannot be decoded: answered and closed on either listener, as any malformed request."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.clock import SystemClock
from gateway.ports import Observer
from gateway.web.http_server import HttpServer, counted, rejections
from tests.support.client import connect
from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.listener import listening
from tests.support.recorder import Recorder

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
MALFORMED = [
    "GET http://xn--/ HTTP/1.1",
    "GET http://xn--a/ HTTP/1.1",
    "HEAD ftp://a.xn--/x HTTP/1.1",
    "POST http://xn--:8080/oauth2/switch?a=b HTTP/1.1",
    "OPTIONS ws://xn--.localhost:8080/x HTTP/1.1",
    "CONNECT xn--:1 HTTP/1.1",
    "CONNECT xn--a:443 HTTP/1.0",
]


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path) as running:
        yield running


async def answer(_request: web.BaseRequest) -> web.Response:
    return web.Response(text="answer")


def server(observer: Observer | None = None, **options: Any) -> HttpServer:
    return HttpServer(counted(answer), rejections(SystemClock(), observer or Recorder()), **options)


@pytest.mark.promise("security-S3")
@pytest.mark.parametrize("pipelined", [False, True], ids=["alone", "pipelined"])
@pytest.mark.parametrize("listener", ["public", "admin"])
async def test_a_target_whose_host_cannot_be_decoded_is_400_and_the_last_request(
    stack: GatewayStack, listener: str, pipelined: bool
) -> None:
    url = stack.url if listener == "public" else stack.admin
    for line in MALFORMED:
        async with connect(url) as connection:
            head = f"{line}\r\nHost: localhost\r\n\r\n".encode()
            await connection.send(REQUEST + head + REQUEST if pipelined else head)
            if pipelined:
                assert (await connection.read_response()).status in (200, 404)
            refused = await connection.read_last_response()
        assert refused.status == 400, line
        assert line.endswith("1.0") or refused.headers["Connection"] == "close"
        assert refused.headers["X-Request-ID"]
        assert b"xn--" not in refused.raw_head + refused.body
        if not line.startswith("HEAD"):
            assert json.loads(refused.body)["code"] == "bad_request"
    assert "xn--" not in stack.log.getvalue()
    assert "Traceback" not in stack.log.getvalue()
    if listener == "public":
        counts = {name: count for name, count in (await stack.metrics()).items() if 'status="400"' in name}
        assert sum(counts.values()) == len(MALFORMED), counts


@pytest.mark.promise("security-S3")
@pytest.mark.parametrize(("fault", "status"), [(ValueError("secret"), 400), (RuntimeError("secret"), 500)])
async def test_an_error_of_the_request_factory_is_a_response_and_a_record(fault: Exception, status: int) -> None:
    def refuse(*_: Any) -> web.BaseRequest:
        raise fault

    recorder = Recorder()
    async with (
        listening(server(recorder, request_factory=refuse)) as listener,
        connect(listener.address) as connection,
    ):
        await connection.send(REQUEST + REQUEST)
        refused = await connection.read_last_response()
    assert (refused.status, refused.headers["Connection"]) == (status, "close")
    assert [(record.status, record.reason) for record in recorder.records] == [(status, type(fault).__name__)]


@pytest.mark.promise("security-S3")
async def test_a_connection_ends_with_the_task_that_handles_its_requests() -> None:
    tasks = []

    async def handle(request: web.BaseRequest) -> web.Response:
        tasks.append(request.task)
        return await answer(request)

    async with (
        listening(HttpServer(counted(handle), rejections(SystemClock(), Recorder()))) as listener,
        connect(listener.address) as connection,
    ):
        await connection.send(REQUEST)
        assert (await connection.read_response()).status == 200
        tasks[0].cancel()
        assert await connection.read_to_end() == b""
