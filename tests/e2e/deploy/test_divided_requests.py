"""What a front takes for one request, the gateway does not take for two (HTTP request smuggling)."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.ambiguous_requests import ambiguous_request
from tests.support.client import connect
from tests.support.free_ports import free_port
from tests.support.front import nginx
from tests.support.fronts import running_front
from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.generated import sequences

REQUESTS = sequences(500)
AT_ONCE = 20
SECONDS = 1.0
"""Seconds that a client waits for a response: some requests never end."""

NGINX = """\
upstream gateway {{ server {gateway}; keepalive 8; }}
log_format forwarded '$request_uri $upstream_status';
server {{
    listen 127.0.0.1:PORT;
    access_log {folder}/forwarded.log forwarded;
    client_header_timeout 1s;
    client_body_timeout 1s;
    location / {{
        proxy_pass http://gateway;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }}
}}
"""
HAPROXY = """\
global
    log stdout format raw local0
defaults
    mode http
    log global
    log-format "%[capture.req.uri] %s"
    timeout connect 5s
    timeout client 5s
    timeout server 30s
    timeout http-request 1s
    http-reuse always
frontend people
    bind 127.0.0.1:{port}
    default_backend gateway
backend gateway
    server gateway {gateway}
"""


@dataclass(frozen=True)
class LoggingFront:
    """A front at *url* whose *log* has a line for each request: its target, and what of the gateway answered."""

    url: str
    log: Path

    def forwarded(self) -> set[str]:
        """Returns the recordings of all requests that went to the gateway."""
        lines = [line.split(" ") for line in self.log.read_text(errors="replace").splitlines()]
        targets = [target for target, *rest in lines if rest and rest[-1] not in ("-", "<NOSRV>")]
        return {match[1] for target in targets if (match := re.search(r"/recordings/([^/]+)/", target))}


@asynccontextmanager
async def behind_nginx(folder: Path, gateway: str) -> AsyncIterator[LoggingFront]:
    async with nginx(folder, NGINX.format(folder=folder, gateway=gateway)) as url:
        yield LoggingFront(url, folder / "forwarded.log")


@asynccontextmanager
async def behind_haproxy(folder: Path, gateway: str) -> AsyncIterator[LoggingFront]:
    def configure(place: Path, port: int) -> list[str]:
        (place / "haproxy.cfg").write_text(HAPROXY.format(port=port, gateway=gateway))
        return ["haproxy", "-db", "-f", "haproxy.cfg"]

    with free_port() as port:
        async with running_front(folder, port, configure, encrypted=False):
            yield LoggingFront(f"http://127.0.0.1:{port}", folder / "program.out")


FRONTS: dict[str, Callable[[Path, str], AbstractAsyncContextManager[LoggingFront]]] = {
    "nginx": behind_nginx,
    "haproxy": behind_haproxy,
}


def second_request(recording: str) -> str:
    return f"GET /recordings/{recording}/videos/1 HTTP/1.1\r\nHost: x\r\n\r\n"


async def send(url: str, data: bytes) -> None:
    """Sends *data*, and waits for the end of the connection or for ``SECONDS``."""
    async with connect(url) as connection:
        try:
            async with asyncio.timeout(SECONDS):
                await connection.send(data)
                await connection.read_until_reset()
        except (TimeoutError, ConnectionError):
            pass


def received_by(stack: GatewayStack) -> set[str]:
    """Returns the recordings of all requests that the gateway has answered."""
    return {str(line["recording"]) for line in stack.audit() if line["recording"]}


@pytest.mark.parametrize("front", FRONTS)
async def test_the_gateway_sees_no_request_that_its_front_has_not_seen(front: str, tmp_path: Path) -> None:
    folder = tmp_path / front
    folder.mkdir()
    limits = f'[limits]\nrequest_timeout = "1s"\nrefusals_per_minute = {100 * REQUESTS}\n'
    async with running_stack(tmp_path, more=limits) as stack:
        async with FRONTS[front](folder, urlsplit(stack.url).netloc) as running:
            await send(running.url, second_request("control").encode() + second_request("control-2").encode())
            limit = asyncio.Semaphore(AT_ONCE)

            async def one(number: int) -> None:
                async with limit:
                    data = ambiguous_request(random.Random(number), second_request(f"smuggled-{number}"))
                    await send(running.url, data + second_request(f"after-{number}").encode())

            async with asyncio.TaskGroup() as group:
                for number in range(REQUESTS):
                    group.create_task(one(number))
        forwarded = running.forwarded()
        received = received_by(stack)
    assert {"control", "control-2"} <= received & forwarded
    assert any(name.startswith("after-") for name in received), "some connections go on after the ambiguous request"
    assert received - forwarded == set()
