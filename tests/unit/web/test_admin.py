"""Who may read the admin listener: which Host a request may have, and which paths need the token."""

import pytest
from aiohttp import web

from gateway.model import Secret
from gateway.web.handlers.admin import Readiness, admin
from gateway.web.http_server import HttpServer, counted
from tests.support.client import Response, connect
from tests.support.listener import listening

TOKEN = "correct-horse-battery-staple"


async def get(path: str = "/metrics", host: str = "localhost", *headers: str) -> Response:
    handler = admin(Readiness(dict), lambda: (b"metrics", "text/plain"), {}, ("metrics.example.edu",), Secret(TOKEN))
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
    handler = admin(Readiness(dict), lambda: (b"metrics", "text/plain"), {})
    server = HttpServer(handler, lambda *_: web.Response(status=400))
    async with listening(server) as listener, connect(listener.address) as client:
        await client.send("\r\n".join([*first, "Host: localhost", "", ""]).encode())
        response = await client.read_response()
        await client.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received, _ = await client.read_until_reset()
    assert response.headers["Connection"] == "close"
    assert received == b""
