"""The admin listener: health, readiness, metrics, version, and nothing else."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient, AiohttpRawServer

from gateway.web.handlers.admin import Readiness, admin

Client = TestClient[web.BaseRequest, None]


@pytest.fixture
def readiness() -> Readiness:
    return Readiness(lambda: {"valt": "up"})


@pytest.fixture
async def client(readiness: Readiness, aiohttp_raw_server: AiohttpRawServer, aiohttp_client: AiohttpClient) -> Client:
    handler = admin(readiness, lambda: (b"a_metric 1\n", "text/plain"), {"version": "1.2.3"})
    return await aiohttp_client(await aiohttp_raw_server(handler))


async def test_readiness_follows_the_gateway_and_health_does_not(client: Client, readiness: Readiness) -> None:
    statuses = []
    for readiness.ready in (False, True, False):
        statuses.append(((await client.get("/readyz")).status, (await client.get("/healthz")).status))
    assert statuses == [(503, 200), (200, 200), (503, 200)]


async def test_verbose_readiness_lists_the_dependencies(client: Client, readiness: Readiness) -> None:
    readiness.ready = True
    response = await client.get("/readyz?verbose")
    assert await response.json() == {"ready": True, "valt": "up"}


async def test_metrics_are_served_with_their_own_content_type(client: Client) -> None:
    response = await client.get("/metrics")
    assert response.headers["Content-Type"] == "text/plain"
    assert await response.read() == b"a_metric 1\n"


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/version"])
async def test_only_get_and_head_are_allowed(client: Client, path: str) -> None:
    response = await client.post(path)
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    assert (await client.head(path)).status in (200, 503)


async def test_any_other_path_is_not_found_and_names_no_software(client: Client) -> None:
    response = await client.get("/recordings")
    assert (response.status, response.headers["Server"]) == (404, "valt-gateway")
