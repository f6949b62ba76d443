"""A client names the identity's field in ``Connection``, so that a front might remove what it has set itself."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.client import connect, request
from tests.support.free_ports import free_port
from tests.support.front import nginx
from tests.support.fronts import running_front
from tests.support.gateway_fixture import GatewayStack

NGINX = """\
server {{
    listen 127.0.0.1:PORT;
    location / {{
        proxy_pass http://{gateway};
        proxy_set_header X-Forwarded-User anna;
        proxy_set_header X-Forwarded-Groups supervisors;
        proxy_set_header X-Front-Secret {secret};
    }}
}}
"""
HAPROXY = """\
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend people
    bind 127.0.0.1:{port}
    http-request set-header X-Forwarded-User anna
    http-request set-header X-Forwarded-Groups supervisors
    http-request set-header X-Front-Secret {secret}
    default_backend gateway
backend gateway
    server gateway {gateway}
"""
FIELDS = ("X-Forwarded-User", "X-Forwarded-Groups", "X-Front-Secret")


async def assert_anna_or_nobody(url: str) -> None:
    for named in (*FIELDS, ", ".join(FIELDS)):
        forged = {"X-Forwarded-User": "root"}
        async with connect(url) as connection:
            head = {"Accept": "application/json", "Connection": f"close, {named}"} | forged
            await connection.send(request("GET", "/oauth2/userinfo", head))
            response = await connection.read_last_response()
        assert response.status == 401 or b'"anna"' in response.body, (named, response)
        assert b"root" not in response.body


@pytest.mark.promise("operation-O14")
async def test_behind_nginx_a_connection_field_makes_nobody_another_person(stack: GatewayStack, tmp_path: Path) -> None:
    folder = tmp_path / "nginx"
    folder.mkdir()
    site = NGINX.format(gateway=urlsplit(stack.url).netloc, secret=stack.front_secret)
    async with nginx(folder, site) as url:
        await assert_anna_or_nobody(url)


@pytest.mark.promise("operation-O14")
async def test_behind_haproxy_a_connection_field_makes_nobody_another_person(
    stack: GatewayStack, tmp_path: Path
) -> None:
    def configure(folder: Path, port: int) -> list[str]:
        text = HAPROXY.format(port=port, gateway=urlsplit(stack.url).netloc, secret=stack.front_secret)
        (folder / "haproxy.cfg").write_text(text)
        return ["haproxy", "-db", "-f", "haproxy.cfg"]

    folder = tmp_path / "haproxy"
    folder.mkdir()
    with free_port() as port:
        async with running_front(folder, port, configure, encrypted=False) as front:
            await assert_anna_or_nobody(f"http://127.0.0.1:{front.port}")
