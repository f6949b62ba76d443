"""Each front asks the gateway about requests to a small page, run with the file in deploy/forward-auth/."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from tests.support import forged_headers
from tests.support.client import connect
from tests.support.fronts import Front, running_front, write_config
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack

GATEWAY, PAGES = "127.0.0.1:8080", "127.0.0.1:9000"
NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/main.log crit;
events {{}}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/pages.conf;
}}
"""
TRAEFIK = """
global: {{ checkNewVersion: false, sendAnonymousUsage: false }}
log: {{ level: ERROR }}
entryPoints: {{ web: {{ address: "127.0.0.1:{port}", http: {{ aliasHeadersStrategy: delete }} }} }}
providers: {{ file: {{ filename: {folder}/pages.yml }} }}
"""


def nginx(folder: Path, port: int, gateway: str, pages: str) -> list[str]:
    replacements = {"listen 8443": f"listen 127.0.0.1:{port}", GATEWAY: gateway, PAGES: pages}
    write_config(folder, "forward-auth/nginx.conf", "pages.conf", replacements | {"/var/log/nginx/": f"{folder}/"})
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
    return ["nginx", "-p", str(folder), "-e", str(folder / "main.log"), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, gateway: str, pages: str) -> list[str]:
    replacements = {"http://:8443 {": f"http://:{port} {{\n\tbind 127.0.0.1", GATEWAY: gateway, PAGES: pages}
    write_config(folder, "forward-auth/Caddyfile", "Caddyfile", replacements)
    return ["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"]


def traefik(folder: Path, port: int, gateway: str, pages: str) -> list[str]:
    write_config(folder, "forward-auth/traefik.yml", "pages.yml", {GATEWAY: gateway, PAGES: pages})
    (folder / "traefik.yml").write_text(TRAEFIK.format(folder=folder, port=port))
    return ["traefik", "--configFile=traefik.yml"]


def envoy(folder: Path, port: int, gateway: str, pages: str) -> list[str]:
    replacements = {"port_value: 8443": f"port_value: {port}", f"http://{GATEWAY}": f"http://{gateway}"}
    for old, new in (("8080", gateway), ("9000", pages)):
        replacements[f"port_value: {old}"] = f"port_value: {new.partition(':')[2]}"
    write_config(folder, "forward-auth/envoy.yaml", "envoy.yaml", replacements)
    return ["envoy", "-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart"]


FRONTS: dict[str, Callable[[Path, int, str, str], list[str]]] = {
    "nginx": nginx,
    "caddy": caddy,
    "traefik": traefik,
    "envoy": envoy,
}


@dataclass
class Page:
    """The server that the front protects: it records the requests that reach it."""

    received: list[web.BaseRequest] = field(default_factory=list)

    async def respond(self, request: web.Request) -> web.Response:
        self.received.append(request)
        return web.Response(text="the page")


@dataclass(frozen=True, slots=True)
class Site:
    stack: GatewayStack
    front: Front
    page: Page

    async def get(self, path: str, *headers: dict[str, str]) -> int:
        """Returns the status of a GET with all *headers*."""
        merged = {name: value for one in headers for name, value in one.items()}
        url = f"http://127.0.0.1:{self.front.port}{path}"
        async with self.stack.client.get(url, headers=merged, allow_redirects=False) as response:
            await response.read()
            return response.status


@pytest.fixture(params=FRONTS)
async def site(
    request: pytest.FixtureRequest, tmp_path: Path, port: int, aiohttp_server: AiohttpServer
) -> AsyncIterator[Site]:
    inside, outside = tmp_path / "gateway", tmp_path / "front"
    inside.mkdir()
    outside.mkdir()
    page = Page()
    application = web.Application()
    application.router.add_route("*", "/{any:.*}", page.respond)
    pages = f"127.0.0.1:{(await aiohttp_server(application)).port}"
    async with running_stack(inside, server='trusted_proxies = ["127.0.0.1/32"]') as stack:
        gateway = stack.url.removeprefix("http://")
        configure = FRONTS[request.param]
        async with running_front(
            outside, port, lambda folder, port: configure(folder, port, gateway, pages), encrypted=False
        ) as front:
            site = Site(stack, front, page)
            async with asyncio.timeout(10):
                while await site.get("/") != 401:
                    await asyncio.sleep(0.05)
            yield site


async def test_the_front_lets_in_whom_the_gateway_allows(site: Site) -> None:
    supervisor, nobody = site.stack.bearer("anna", "supervisors"), site.stack.bearer("ben", "nobody")
    assert await site.get("/page", NAVIGATION) == 401
    assert await site.get("/page", nobody) == 200
    assert site.page.received[-1].headers["X-Auth-Request-User"] == "ben"
    assert await site.get(VIDEO_PATH, nobody) == 403
    assert await site.get(f"{VIDEO_PATH}?t=1", supervisor) == 200
    assert site.page.received[-1].headers["X-Auth-Request-User"] == "anna"
    assert len(site.page.received) == 2


async def test_no_client_forges_its_user_or_its_path(site: Site) -> None:
    genuine, nobody = site.stack.front("root"), site.stack.bearer("ben", "nobody")
    for spelling in ("X-Forwarded-User", "x-forwarded-user", "X_Forwarded_User"):
        forged = {spelling if name == "X-Forwarded-User" else name: value for name, value in genuine.items()}
        assert await site.get("/page", forged) == 401, spelling
    for name in ("X-Original-URI", "X-Forwarded-Uri", "X-Original-Uri"):
        assert await site.get(VIDEO_PATH, nobody, {name: "/page"}) == 403, name
    assert site.page.received == []
    assert await site.get("/page", nobody, {"X-Auth-Request-User": "root"}) == 200
    assert site.page.received[0].headers.getall("X-Auth-Request-User") == ["ben"]


@pytest.mark.promise("operation-O14")
async def test_no_client_has_a_header_of_the_front_removed(site: Site) -> None:
    """Connection names headers that end at the next server (RFC 9110, section 7.6.1): some fronts remove their own.
    Envoy refuses such a request."""
    headers = "X-Forwarded-Uri, X-Original-URI, X-Forwarded-For, X-Auth-Request-User, X-Auth-Request-Groups"
    nobody = site.stack.bearer("ben", "nobody")["Authorization"]
    for path, status in ((VIDEO_PATH, 403), ("/page", 200)):
        for connection in (f"close, {headers}", f"{headers}, close", f"close\r\nConnection: {headers}"):
            head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {nobody}\r\nConnection: {connection}\r\n\r\n"
            async with connect(f"http://127.0.0.1:{site.front.port}") as client:
                await client.send(head.encode())
                assert (await client.read_last_response()).status in (status, 400), connection
    assert [request.headers.get("X-Auth-Request-User") for request in site.page.received] in ([], ["ben"] * 3)


SPELLINGS = (
    "/Recordings/{id}",
    "//recordings/{id}",
    "/recordings//{id}",
    "/x/../recordings/{id}",
    "/x/..;/recordings/{id}",
    "/recordings;a=b/{id}",
    "/%72ecordings/{id}",
    "/%2572ecordings/{id}",
    "/recordings%2F{id}",
    "/recordings%5C{id}",
    "/x%2F..%2Frecordings/{id}",
    "/recordings/{id}/",
    "/recordings/{id}%3Fx",
    "/recordings/{id}%23x",
    "/recordings/{id};x",
    "/recordings/{id}%20",
)


async def test_no_spelling_of_a_path_reaches_the_other_server_without_a_grant(site: Site) -> None:
    recording, _, _ = VIDEO_PATH.partition("/videos/")
    bearer = site.stack.bearer("ben", "nobody")["Authorization"]
    for spelling in SPELLINGS:
        path = spelling.format(id=recording.removeprefix("/recordings/"))
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nConnection: close\r\n\r\n"
        async with connect(f"http://127.0.0.1:{site.front.port}") as client:
            await client.send(head.encode())
            assert (await client.read_last_response()).status in range(300, 500), spelling
    assert [request.raw_path for request in site.page.received] == []


@pytest.mark.promise("operation-O14")
async def test_the_other_server_receives_no_forged_identity_in_any_spelling(site: Site) -> None:
    for name in ("X-Forwarded-User", "X-Auth-Request-User", "X-Auth-Request-Groups"):
        headers = [*site.stack.bearer("ben", "nobody").items(), *forged_headers.forged(name)]
        url = f"http://127.0.0.1:{site.front.port}/page"
        async with site.stack.client.get(url, headers=headers) as response:
            assert response.status == 200
        received = site.page.received[-1].headers
        assert forged_headers.arrived(received, [name]) == {}
        assert received.getall("X-Auth-Request-User") == ["ben"]
        assert received.getall("X-Auth-Request-Groups") == ["nobody"]


async def test_a_ticket_is_neither_spent_nor_logged_even_if_the_gateway_is_down(site: Site) -> None:
    ticket = site.stack.ticket("anna")
    assert await site.get(f"{VIDEO_PATH}?ticket={ticket}") == 401
    url = f"{site.stack.url}{VIDEO_PATH}?ticket={ticket}"
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        assert response.status == 200
    await site.stack.gateway.stop()
    assert await site.get(f"{VIDEO_PATH}?ticket={ticket}") >= 400
    assert ticket not in site.front.written()
    assert site.page.received == []


@pytest.mark.promise("operation-O14")
@pytest.mark.parametrize("site", ["nginx"], indirect=True)
async def test_nginx_logs_the_path_without_the_query(site: Site) -> None:
    assert (
        await site.get(f"{VIDEO_PATH}?ticket=planted", {"Referer": "https://portal.example.edu/?ticket=planted"}) == 401
    )
    await site.front.wait_until_written(f'"GET {VIDEO_PATH}" 401')
    assert "planted" not in site.front.written()
