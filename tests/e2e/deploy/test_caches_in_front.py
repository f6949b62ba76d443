"""A cache between clients and the gateway, as somebody may put it there, stores nothing of anybody."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.sim.catalogue import CAMERA_A, SESSION
from tests.support.front import nginx
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack

CACHE = """\
proxy_cache_path {folder}/cache keys_zone=films:1m;
server {{
    listen 127.0.0.1:PORT;
    location / {{
        proxy_pass http://{gateway};
        proxy_http_version 1.1;
        proxy_cache films;
        proxy_cache_key $uri$http_range;
        proxy_set_header Range $http_range;
        proxy_cache_valid 200 206 1h;
        add_header X-Cache $upstream_cache_status always;
    }}
}}
"""
"""nginx stores what it may: ``proxy_cache_valid`` counts only where the response does not forbid it."""


@pytest.fixture
async def cache(stack: GatewayStack) -> AsyncIterator[str]:
    # Not pytest's folder: nginx's workers run as another user, who may not enter it.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        async with nginx(folder, CACHE.format(folder=folder, gateway=urlsplit(stack.url).netloc)) as url:
            yield url


async def test_a_cache_gives_nobody_the_bytes_of_another_person(stack: GatewayStack, cache: str) -> None:
    film = stack.valt.recording(SESSION).film(CAMERA_A)
    assert film is not None
    for requested, expected in (("", film.content), ("bytes=0-999", film.content[:1000])):
        fields = {"Range": requested} if requested else {}
        for _ in range(2):
            async with stack.client.get(cache + VIDEO_PATH, headers=stack.bearer() | fields) as response:
                assert (await response.read(), response.headers["X-Cache"]) == (expected, "MISS")
        for nobody in ({}, stack.bearer("carl", "strangers")):
            async with stack.client.get(cache + VIDEO_PATH, headers=nobody | fields) as response:
                assert response.status in (401, 403)
                assert b"ftyp" not in await response.read()


@pytest.mark.parametrize("path", ["/", "/recordings", f"/recordings/{SESSION}", "/oauth2/userinfo"])
async def test_a_cache_stores_no_page_and_no_list(stack: GatewayStack, cache: str, path: str) -> None:
    for accept in ("text/html", "application/json"):
        for _ in range(2):
            async with stack.client.get(cache + path, headers=stack.bearer() | {"Accept": accept}) as response:
                assert response.status == 200
                assert response.headers["X-Cache"] == "MISS", accept
        async with stack.client.get(cache + path, headers={"Accept": accept}) as response:
            assert b"anna" not in await response.read()
