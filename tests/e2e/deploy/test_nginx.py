"""deploy/nginx.conf, run by nginx: identity headers of clients are dropped, and no ticket is logged."""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer
from pytest_aiohttp.plugin import AiohttpServer

from tests.support.programs import wait_until_listening

SNIPPET = Path(__file__).parents[3] / "deploy/nginx.conf"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
HOST = "recordings.example.edu"
AROUND = """
daemon off; master_process off; pid {here}/nginx.pid; error_log {here}/main.log crit;
events {{}}
http {{
    client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;
    include {here}/valt-gateway.conf;
}}
"""


@dataclass
class Behind:
    """A server in the gateway's place. It records requests, and sends the rest of a body when *rest_may_go* is set."""

    heads: list[web.Request] = field(default_factory=list)
    rest_may_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.heads.append(request)
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request)
        await response.write(b"first")
        await self.rest_may_go.wait()
        await response.write(b"-rest")
        return response


@dataclass
class Front:
    url: str
    client: aiohttp.ClientSession
    logs: tuple[Path, ...]

    def get(self, path: str, **headers: str) -> "aiohttp.client._RequestContextManager":
        return self.client.get(self.url + path, headers=headers, server_hostname=HOST)

    def written(self) -> str:
        return "".join(log.read_text() for log in self.logs)


def configuration(here: Path, port: int, behind: int) -> Path:
    """Write deploy/nginx.conf to *here* with this machine's addresses and files. Returns the main configuration."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(here / "ca.pem")
    certificate = authority.issue_cert(HOST)
    certificate.private_key_pem.write_to_path(here / f"{HOST}.key")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(here / f"{HOST}.crt", append=True)
    snippet = SNIPPET.read_text()
    for old, new in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server 127.0.0.1:8080": f"server 127.0.0.1:{behind}",
        "/etc/nginx/tls/": f"{here}/",
        "/var/log/nginx/": f"{here}/",
    }.items():
        assert old in snippet
        snippet = snippet.replace(old, new)
    (here / "valt-gateway.conf").write_text(snippet)
    whole = here / "nginx.conf"
    whole.write_text(AROUND.format(here=here))
    return whole


async def nginx(here: Path, *arguments: str) -> asyncio.subprocess.Process:
    assert NGINX is not None, "nginx is needed: run make test"
    command = (NGINX, "-p", str(here), "-e", str(here / "main.log"), "-c", str(here / "nginx.conf"), *arguments)
    return await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)


@pytest.fixture
async def behind() -> Behind:
    return Behind()


@pytest.fixture
async def upstream(behind: Behind, aiohttp_server: AiohttpServer) -> TestServer:
    application = web.Application()
    application.router.add_route("*", "/{any:.*}", behind.answer)
    return await aiohttp_server(application)


@pytest.fixture
async def front(tmp_path: Path, upstream: TestServer, port: int) -> AsyncIterator[Front]:
    configuration(tmp_path, port, upstream.port or 0)
    process = await nginx(tmp_path)
    tls = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    connector = aiohttp.TCPConnector(ssl=tls)
    try:
        async with aiohttp.ClientSession(connector=connector) as client:
            async with asyncio.timeout(10):
                await wait_until_listening(port, process)
            logs = tuple(tmp_path / f"valt-gateway.{name}" for name in ("log", "error.log"))
            yield Front(f"https://127.0.0.1:{port}", client, (*logs, tmp_path / "main.log"))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def test_nginx_accepts_the_configuration(tmp_path: Path, port: int) -> None:
    configuration(tmp_path, port, behind=9)
    process = await nginx(tmp_path, "-t")
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert b"warn" not in errors


async def test_nginx_drops_a_clients_identity_headers(front: Front, behind: Behind) -> None:
    behind.rest_may_go.set()
    forged = {
        "X-Forwarded-User": "root",
        "X-Forwarded-Groups": "supervisors",
        "Remote-User": "root",
        "Cf-Access-Jwt-Assertion": "forged",
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "http",
        "Forwarded": "for=203.0.113.9",
        "Authorization": "Bearer genuine",
        "Range": "bytes=0-",
    }
    async with front.get("/recordings/a/videos/b?download", **forged) as response:
        assert await response.read() == b"first-rest"
    request = behind.heads[0]
    received = {name: request.headers.get(name) for name in forged}
    assert received == dict.fromkeys(forged) | {
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "https",
        "Authorization": "Bearer genuine",
        "Range": "bytes=0-",
    }
    assert request.raw_path == "/recordings/a/videos/b?download"


async def test_nginx_does_not_buffer_the_body(front: Front, behind: Behind) -> None:
    async with front.get("/recordings/a/videos/b") as response:
        assert await response.content.readexactly(5) == b"first"
        behind.rest_may_go.set()
        assert await response.content.read() == b"-rest"


async def test_no_log_contains_a_ticket_even_if_the_gateway_is_down(
    front: Front, behind: Behind, upstream: TestServer
) -> None:
    behind.rest_may_go.set()
    address = "/recordings/a/videos/b?ticket=planted"
    async with front.get(address, Referer=address) as response:
        assert response.status == 200
    await upstream.close()
    async with front.get(address, Referer=address) as response:
        assert response.status == 502
    written = front.written()
    assert '"GET /recordings/a/videos/b" 200' in written
    assert '"GET /recordings/a/videos/b" 502' in written
    assert "planted" not in written
