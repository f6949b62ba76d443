"""What a client names by a header reaches no gateway, whichever front of deploy/ is between, in no spelling."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.e2e.deploy import test_fronts
from tests.e2e.deploy.test_nginx import AROUND
from tests.support import forged_headers
from tests.support.fronts import running_front, write_config
from tests.support.person import person_before


def nginx(folder: Path, port: int, gateway: str) -> list[str]:
    write_config(
        folder,
        "nginx.conf",
        "valt-gateway.conf",
        {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "server 127.0.0.1:8080": f"server {gateway}",
            "/etc/nginx/tls/": f"{folder}/",
            "/var/log/nginx/": f"{folder}/",
        },
    )
    (folder / "nginx.conf").write_text(AROUND.format(here=folder))
    return ["nginx", "-p", str(folder), "-e", str(folder / "main.log"), "-c", str(folder / "nginx.conf")]


FRONTS = {**test_fronts.FRONTS, "nginx": nginx}


@dataclass
class Backend:
    """A server in the gateway's place that records the requests that reach it."""

    received: list[web.BaseRequest] = field(default_factory=list)

    async def respond(self, request: web.BaseRequest) -> web.Response:
        self.received.append(request)
        return web.Response()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Yields the address."""
        application = web.Application()
        application.router.add_route("*", "/{any:.*}", self.respond)
        async with TestServer(application) as server:
            yield f"127.0.0.1:{server.port}"


@pytest.mark.promise("operation-O14")
@pytest.mark.parametrize("front", FRONTS)
async def test_no_header_that_names_a_user_or_a_path_passes_in_any_spelling(
    front: str, tmp_path: Path, port: int
) -> None:
    backend = Backend()
    async with (
        backend.running() as address,
        running_front(tmp_path, port, lambda folder, port: FRONTS[front](folder, port, address)) as running,
        person_before(running.port, running.tls) as client,
    ):
        for name in forged_headers.FRONTS:
            headers = [("X-Sent", name), *forged_headers.forged(name)]
            async with client.get("/", headers) as response:
                assert response.status == 200, (name, await response.text())
    assert [request.headers["X-Sent"] for request in backend.received] == list(forged_headers.FRONTS)
    for request in backend.received:
        assert forged_headers.arrived(request.headers, forged_headers.FRONTS) == {}, request.headers["X-Sent"]
