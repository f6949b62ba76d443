"""Who may read the admin listener: which Host a request may have, and which paths need the token."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from gateway.model import Secret
from gateway.web.handlers.admin import AdminHandler, Readiness, StreamCommands
from gateway.web.http_server import HttpServer, counted
from tests.support.client import Response, connect
from tests.support.listener import listening

TOKEN = "correct-horse-battery-staple"


async def get(path: str = "/metrics", host: str = "localhost", *headers: str) -> Response:
    handler = AdminHandler(
        Readiness(dict), lambda: (b"metrics", "text/plain"), {}, ("metrics.example.edu",), Secret(TOKEN)
    )
    server = HttpServer(counted(handler), lambda *_: web.Response(status=400))
    async with listening(server) as listener, connect(listener.address) as client:
        await client.send("\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode())
        return await client.read_response()


@pytest.mark.promise("security-S17")
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:9464", 200),
        ("127.0.0.1:9464", 200),
        ("10.0.0.7", 200),
        ("[::1]:9464", 200),
        ("[::1]", 200),
        ("metrics.example.edu:9464", 200),
        ("attacker.example", 421),
        ("attacker.example:9464", 421),
        ("localhost.attacker.example", 421),
        ("127.0.0.1.attacker.example", 421),
        ("[attacker.example]", 421),
        ("localhost:9464@attacker.example", 421),
        ("[::1].attacker.example", 421),
        ("[localhost", 421),
        ("fe80::1%attacker.example", 421),
        ("", 421),
    ],
)
async def test_a_host_that_another_site_can_have_is_misdirected(host: str, status: int) -> None:
    response = await get("/metrics", host, f"Authorization: Bearer {TOKEN}")
    assert response.status == status
    assert (response.body == b"metrics") == (status == 200)


@pytest.mark.promise("security-S17")
@pytest.mark.parametrize(
    ("path", "offered", "status"),
    [
        ("/metrics", f"Bearer {TOKEN}", 200),
        ("/metrics", "", 401),
        ("/metrics", "Bearer wrong", 401),
        ("/metrics", f"Basic {TOKEN}", 401),
        ("/version", "", 401),
        ("/nothing", "", 401),
        ("/healthz", "", 200),
        ("/readyz", "", 503),
        ("/readyz?verbose", "", 401),
    ],
)
async def test_with_a_token_only_health_and_readiness_are_open(path: str, offered: str, status: int) -> None:
    response = await get(path, "localhost", *([f"Authorization: {offered}"] if offered else []))
    assert response.status == status
    assert TOKEN.encode() not in response.body


@pytest.mark.promise("security-S11")
@pytest.mark.parametrize(
    "first",
    [
        ("CONNECT localhost:443 HTTP/1.1",),
        ("GET /healthz HTTP/1.1", "Connection: Upgrade", "Upgrade: h2c"),
        ("GET /healthz HTTP/1.1", "Transfer-Encoding: chunked"),
    ],
)
async def test_after_connect_upgrade_or_a_body_the_admin_connection_closes(first: tuple[str, ...]) -> None:
    handler = AdminHandler(Readiness(dict), lambda: (b"metrics", "text/plain"), {})
    server = HttpServer(handler, lambda *_: web.Response(status=400))
    async with listening(server) as listener, connect(listener.address) as client:
        await client.send("\r\n".join([*first, "Host: localhost", "", ""]).encode())
        response = await client.read_response()
        await client.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received, _ = await client.read_until_reset()
    assert response.headers["Connection"] == "close"
    assert received == b""


class OneStream:
    """One running stream, and what was requested about it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    async def list_streams(self) -> dict[str, Any]:
        return {"streams": [], "total": 0}

    async def cut(self, request_id: str, peer: str | None) -> bool | None:
        self.calls.append(("cut", request_id))
        return {"running": True, "late": None}.get(request_id, False)

    async def refuse_cut(self, request_id: str, peer: str | None) -> None:
        self.calls.append(("refused", request_id))


@pytest.mark.promise("operation-streams")
@pytest.mark.parametrize(
    ("listen", "token", "headers", "path", "status", "calls"),
    [
        ("tcp", None, "", "/streams/running", 403, [("refused", "running")]),
        ("tcp", None, f"Authorization: Bearer {TOKEN}", "/streams/running", 403, [("refused", "running")]),
        ("tcp", TOKEN, "", "/streams/running", 401, [("refused", "running")]),
        ("tcp", TOKEN, "Authorization: Bearer wrong", "/streams/running", 401, [("refused", "running")]),
        ("tcp", TOKEN, f"Authorization: Bearer {TOKEN}", "/streams/running", 204, [("cut", "running")]),
        ("tcp", TOKEN, f"Authorization: Bearer {TOKEN}", "/streams/gone", 404, [("cut", "gone")]),
        ("tcp", TOKEN, f"Authorization: Bearer {TOKEN}", "/streams/late", 503, [("cut", "late")]),
        ("tcp", TOKEN, f"Authorization: Bearer {TOKEN}", "/streams/a%2Fb", 404, []),
        ("unix", None, "", "/streams/running", 204, [("cut", "running")]),
        ("unix", TOKEN, "", "/streams/running", 401, [("refused", "running")]),
    ],
)
async def test_a_stream_is_cut_only_with_the_token_or_over_the_unix_socket(
    tmp_path: Path, listen: str, token: str | None, headers: str, path: str, status: int, calls: list[tuple[str, str]]
) -> None:
    streams = OneStream()
    commands = StreamCommands(streams.list_streams, streams.cut, streams.refuse_cut)
    handler = AdminHandler(Readiness(dict), lambda: (b"metrics", "text/plain"), {}, streams=commands)
    handler.set_access((), None if token is None else Secret(token))
    server = HttpServer(counted(handler), lambda *_: web.Response(status=400))
    address = f"unix:{tmp_path / 'admin.sock'}" if listen == "unix" else "127.0.0.1:0"
    async with listening(server, address) as listener:
        base = listener.address.removeprefix("unix:")
        connector = aiohttp.UnixConnector(base) if listen == "unix" else None
        url = f"http://localhost{path}" if listen == "unix" else f"{base}{path}"
        sent = dict([headers.split(": ", 1)]) if headers else {}
        async with (
            aiohttp.ClientSession(connector=connector) as client,
            client.delete(URL(url, encoded=True), headers=sent) as response,
        ):
            assert response.status == status
    assert streams.calls == calls
