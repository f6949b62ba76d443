"""People come through each front proxy, run with the file in deploy/, to a whole gateway."""

import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from gateway.sim.catalogue import CAMERA_A, SESSION
from tests.support.forged_headers import spellings
from tests.support.fronts import HOST, Front, running_front, write_config
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack

PUBLIC = f"https://{HOST}"
VIEWER = "127.0.0.9"
"""The whole of 127.0.0.0/8 is this machine; the fronts come to the gateway from 127.0.0.1."""

MANY_GROUPS = [str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number))) for number in range(85)]
"""Names of groups as Entra ID has them; a ticket with all of them has nearly five thousand characters."""

SPELLINGS = tuple(spellings("X-Forwarded-User"))


def haproxy(folder: Path, port: int, gateway: str) -> list[str]:
    write_config(
        folder,
        "haproxy.cfg",
        "haproxy.cfg",
        {
            "log /dev/log local0 info": "log stdout format raw local0 info",
            "bind :443": f"bind 127.0.0.1:{port}",
            "/etc/haproxy/": f"{folder}/",
            "127.0.0.1:8080": gateway,
        },
    )
    return ["haproxy", "-db", "-f", "haproxy.cfg"]


def caddy(folder: Path, port: int, gateway: str) -> list[str]:
    write_config(
        folder,
        "Caddyfile",
        "Caddyfile",
        {
            "admin off\n": "admin off\n\tauto_https disable_redirects\n",
            f"https://{HOST} {{": f"https://{HOST}:{port} {{\n\tbind 127.0.0.1",
            "/etc/caddy/": f"{folder}/",
            "/var/log/caddy/": f"{folder}/",
            "127.0.0.1:8080": gateway,
        },
    )
    return ["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"]


def traefik(folder: Path, port: int, gateway: str) -> list[str]:
    write_config(
        folder,
        "traefik.yml",
        "traefik.yml",
        {'":443"': f'"127.0.0.1:{port}"', "/etc/traefik/": f"{folder}/", "/var/log/traefik/": f"{folder}/"},
    )
    write_config(
        folder,
        "traefik-valt-gateway.yml",
        "traefik-valt-gateway.yml",
        {"/etc/traefik/": f"{folder}/", "127.0.0.1:8080": gateway},
    )
    return ["traefik", "--configFile=traefik.yml"]


def envoy(folder: Path, port: int, gateway: str) -> list[str]:
    address, _, number = gateway.partition(":")
    write_config(
        folder,
        "envoy.yaml",
        "envoy.yaml",
        {
            "address: 0.0.0.0, port_value: 443": f"address: 127.0.0.1, port_value: {port}",
            "address: 127.0.0.1, port_value: 8080": f"address: {address}, port_value: {number}",
            "/etc/envoy/": f"{folder}/",
            "/var/log/envoy/": f"{folder}/",
        },
    )
    return ["envoy", "-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart"]


FRONTS: dict[str, Callable[[Path, int, str], list[str]]] = {
    "haproxy": haproxy,
    "caddy": caddy,
    "traefik": traefik,
    "envoy": envoy,
}


@dataclass(frozen=True, slots=True)
class Site:
    """A gateway behind a front, and a viewer in front of it."""

    stack: GatewayStack
    front: Front
    viewer: aiohttp.ClientSession

    def get(self, path: str, headers: dict[str, str]) -> "aiohttp.client._RequestContextManager":
        url = f"https://127.0.0.1:{self.front.port}{path}"
        return self.viewer.get(url, headers={"Host": HOST} | headers, server_hostname=HOST, allow_redirects=False)


@pytest.fixture(params=FRONTS)
async def site(request: pytest.FixtureRequest, tmp_path: Path, port: int) -> AsyncIterator[Site]:
    inside, outside = tmp_path / "gateway", tmp_path / "front"
    inside.mkdir()
    outside.mkdir()
    server = 'trusted_proxies = ["127.0.0.1/32"]'
    async with running_stack(inside, server=server, public=PUBLIC, more="[streams]\nresume_tries = 0") as stack:
        gateway = stack.url.removeprefix("http://")
        async with running_front(
            outside, port, lambda folder, port: FRONTS[request.param](folder, port, gateway)
        ) as front:
            connector = aiohttp.TCPConnector(ssl=front.tls, local_addr=(VIEWER, 0))
            async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as viewer:
                yield Site(stack, front, viewer)


def film(site: Site) -> bytes:
    film = site.stack.valt.recording(SESSION).film(CAMERA_A)
    assert film is not None
    return film.content


@pytest.mark.promise("identity-I7")
async def test_people_watch_through_the_front_and_nobody_forges_an_identity(site: Site) -> None:
    async with site.get(VIDEO_PATH, {}) as response:
        assert (response.status, (await response.json())["code"]) == (401, "credentials_missing")
    genuine = site.stack.front("root")
    async with site.stack.client.get(site.stack.url + VIDEO_PATH, headers=genuine) as response:
        assert response.status == 200, "without the front the same headers are accepted"
    for spelling in SPELLINGS:
        forged = {spelling if name == "X-Forwarded-User" else name: value for name, value in genuine.items()}
        async with site.get(VIDEO_PATH, forged) as response:
            assert response.status == 401, spelling
    claims = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Real-IP": "203.0.113.9"}
    async with site.get(VIDEO_PATH, claims) as response:
        assert response.status == 401
    assert {line["peer"] for line in site.stack.audit() if line["event"] == "deny"} == {VIEWER}

    ticket = site.stack.ticket("anna", "supervisors", *MANY_GROUPS, audience=PUBLIC)
    async with site.get(f"{VIDEO_PATH}?t=90&ticket={ticket}", NAVIGATION) as response:
        assert (response.status, response.headers["Location"]) == (303, VIDEO_PATH + "?t=90")
        cookie = response.headers["Set-Cookie"].partition(";")[0]
    async with site.get(VIDEO_PATH, {"Cookie": cookie}) as response:
        assert (response.status, await response.read()) == (200, film(site))
    async with site.get(VIDEO_PATH, {"Cookie": cookie, "Range": "bytes=1000-4999"}) as response:
        assert (response.status, await response.read()) == (206, film(site)[1000:5000])

    site.stack.valt.knobs.reset_after = [100_000] * 2
    async with site.get(VIDEO_PATH, {"Cookie": cookie}) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientError):
            await response.read()


@pytest.mark.promise("security-S2")
@pytest.mark.parametrize("count", [20, 32])
async def test_the_gateway_deletes_the_cookies_of_a_browser_with_too_many(site: Site, count: int) -> None:
    """A front that refuses them by itself locks the browser out until they end, from the sign-out too."""
    async with site.get("/oauth2/sign_out", NAVIGATION | {"Cookie": too_many_cookies(count)}) as response:
        assert_deletes_cookies(response, count)


def assert_deletes_cookies(response: aiohttp.ClientResponse, count: int) -> None:
    """Fails unless the response refuses the request and deletes *count* cookies."""
    assert response.status == 431
    assert len({header.partition("=")[0] for header in response.headers.getall("Set-Cookie")}) == count


def too_many_cookies(count: int) -> str:
    """Returns a Cookie header that is longer than the gateway accepts."""
    header = "; ".join(f"__Host-valt_gateway_session_{number:08x}={'x' * 400}" for number in range(count))
    assert len(header) > 8190
    return header


@pytest.mark.promise("operation-O14")
async def test_no_ticket_is_in_the_logs_of_the_front_even_if_the_gateway_is_down(site: Site) -> None:
    address = VIDEO_PATH + "?ticket=planted"
    async with site.get(address, {"Referer": PUBLIC + address}) as response:
        assert response.status == 401
    await site.stack.gateway.stop()
    async with site.get(address, {"Referer": PUBLIC + address}) as response:
        assert response.status in (502, 503)
    assert "planted" not in site.front.written()
