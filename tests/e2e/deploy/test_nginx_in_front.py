"""A whole gateway behind nginx with deploy/nginx.conf."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.sim.catalogue import CAMERA_A, SESSION
from tests.e2e.deploy.test_fronts import MANY_GROUPS, assert_deletes_cookies, too_many_cookies
from tests.e2e.deploy.test_nginx import HOST, configuration, nginx
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack
from tests.support.programs import wait_until_listening

PUBLIC = f"https://{HOST}"
VIEWER = "127.0.0.9"
"""The client's address. All of 127.0.0.0/8 is this machine; nginx connects to the gateway from 127.0.0.1."""


@dataclass(frozen=True, slots=True)
class Site:
    """A gateway behind nginx, and a client."""

    stack: GatewayStack
    url: str
    viewer: aiohttp.ClientSession

    def get(self, path: str, **headers: str) -> "aiohttp.client._RequestContextManager":
        return self.viewer.get(
            self.url + path, headers={"Host": HOST} | headers, server_hostname=HOST, allow_redirects=False
        )


@pytest.fixture
async def site(tmp_path: Path, port: int) -> AsyncIterator[Site]:
    inside, outside = tmp_path / "gateway", tmp_path / "nginx"
    inside.mkdir()
    outside.mkdir()
    server = 'trusted_proxies = ["127.0.0.1/32"]'
    async with running_stack(inside, server=server, public=PUBLIC, more="[streams]\nresume_tries = 0") as stack:
        behind = urlsplit(stack.url).port
        assert behind is not None
        configuration(outside, port, behind)
        process = await nginx(outside)
        tls = ssl.create_default_context(cafile=str(outside / "ca.pem"))
        connector = aiohttp.TCPConnector(ssl=tls, local_addr=(VIEWER, 0))
        try:
            async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as viewer:
                async with asyncio.timeout(10):
                    await wait_until_listening(port, process)
                yield Site(stack, f"https://127.0.0.1:{port}", viewer)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.communicate()


def film(site: Site) -> bytes:
    film = site.stack.valt.recording(SESSION).film(CAMERA_A)
    assert film is not None
    return film.content


@pytest.mark.promise("identity-I7")
async def test_a_portals_link_plays_and_is_audited(site: Site) -> None:
    ticket = site.stack.ticket("anna", "supervisors", *MANY_GROUPS, audience=PUBLIC)
    async with site.get(f"{VIDEO_PATH}?t=90&ticket={ticket}", **NAVIGATION) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, VIDEO_PATH + "?t=90")
        cookie, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert cookie.startswith("__Host-valt_gateway_session=")
    assert "Secure" in attributes

    async with site.get(VIDEO_PATH, Cookie=cookie) as answer:
        assert answer.status == 200
        assert await answer.read() == film(site)
    await site.stack.ended()
    lines = [(line["event"], line["subject"], line["peer"], line["outcome"]) for line in site.stack.audit()]
    assert lines == [
        ("sign_in", "anna", VIEWER, None),
        ("open", "anna", VIEWER, None),
        ("close", "anna", VIEWER, "whole"),
    ]


@pytest.mark.promise("security-S2")
@pytest.mark.parametrize("count", [20, 40])
async def test_the_gateway_deletes_the_cookies_of_a_browser_with_too_many(site: Site, count: int) -> None:
    """nginx would lock the browser out until they end, from the sign-out too."""
    async with site.get("/oauth2/sign_out", **NAVIGATION | {"Cookie": too_many_cookies(count)}) as answer:
        assert_deletes_cookies(answer, count)


async def test_a_range_returns_exactly_its_bytes(site: Site) -> None:
    async with site.get(VIDEO_PATH, Range="bytes=1000-4999", **site.stack.bearer()) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes 1000-4999/{len(film(site))}"
        assert await answer.read() == film(site)[1000:5000]


@pytest.mark.parametrize("spelt", ["X-Forwarded-User", "x-forwarded-user", "X_Forwarded_User"])
async def test_a_clients_identity_headers_are_dropped_even_with_the_secret(site: Site, spelt: str) -> None:
    genuine = site.stack.front("root")
    forged = {spelt if name == "X-Forwarded-User" else name: value for name, value in genuine.items()}
    async with site.stack.client.get(site.stack.url + VIDEO_PATH, headers=genuine) as answer:
        assert answer.status == 200, "without nginx in between the very same proof is good"
    async with site.get(VIDEO_PATH, **forged) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "credentials_missing")


async def test_a_client_cannot_forge_its_address(site: Site) -> None:
    claims = {"X-Forwarded-For": "203.0.113.9, 127.0.0.1", "Forwarded": "for=203.0.113.9", "X-Real-IP": "203.0.113.9"}
    async with site.get(VIDEO_PATH, **claims) as answer:
        assert answer.status == 401
    assert [(line["event"], line["peer"]) for line in site.stack.audit()] == [("deny", VIEWER)]


async def test_a_cut_body_is_not_complete_for_the_client(site: Site) -> None:
    site.stack.valt.knobs.reset_after = [100_000] * 2
    async with site.get(VIDEO_PATH, **site.stack.bearer()) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    await site.stack.ended()
    assert [line["outcome"] for line in site.stack.audit() if line["event"] == "close"] == ["failed"]


async def test_error_responses_are_the_gateways(site: Site) -> None:
    async with site.get("/recordings/a%3Fb%23c/videos/1", **site.stack.bearer()) as answer:
        problem = await answer.json()
        assert (answer.status, problem["code"]) == (404, "video_invalid")
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert answer.headers["X-Request-ID"] == problem["request_id"]
