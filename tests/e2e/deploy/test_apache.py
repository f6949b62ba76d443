"""Apache with deploy/apache-shib.conf where people need not be signed in, in front of a whole gateway. Basic
authentication stands in for mod_shib: it sets REMOTE_USER, and SetEnv sets the attribute. The real modules run in
test_apache_sign_in.py."""

import base64
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from tests.e2e.deploy.test_fronts import PUBLIC, SPELLINGS, VIEWER, Site, assert_deletes_cookies, film, too_many_cookies
from tests.support import apache as support
from tests.support.fronts import HOST, running_front
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, running_stack

STAND_IN = """\
    <Location />
        AuthType Basic
        AuthName test
        AuthBasicProvider anon
        Anonymous *
        Anonymous_MustGiveEmail Off
        SetEnv isMemberOf "supervisors"
        <If "-n %{{HTTP:Authorization}} && %{{HTTP:Authorization}} =~ /^Basic /">
            Require valid-user
        </If>
        <Else>
            Require all granted
        </Else>
    </Location>
"""
ANNA = {"Authorization": "Basic " + base64.b64encode(b"anna:secret").decode()}


def apache(folder: Path, port: int, gateway: str, secret: str) -> list[str]:
    command = support.apache(
        *(folder, port, gateway),
        source="apache-shib.conf",
        modules=("authn_anon", "auth_basic", "env"),
        replacements={},
        secret=secret,
        secret_header="X-Front-Secret",
    )
    config = folder / "valt-gateway.conf"
    text, replaced = re.subn(
        r"    <Location />.*?</Location>\n    <Location /Shibboleth.sso>.*?</Location>\n",
        lambda _: STAND_IN.format(),
        config.read_text(),
        flags=re.DOTALL,
    )
    assert replaced == 1
    config.write_text(text)
    return command


@pytest.fixture
def outside() -> Iterator[Path]:
    with support.readable_folder() as folder:
        yield folder


@pytest.fixture
async def site(tmp_path: Path, outside: Path, port: int) -> AsyncIterator[Site]:
    server = 'trusted_proxies = ["127.0.0.1/32"]'
    async with (
        running_stack(tmp_path, server=server, public=PUBLIC, more="[streams]\nresume_tries = 0") as stack,
        running_front(outside, port, lambda folder, port: apache(folder, port, stack.url, stack.front_secret)) as front,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=front.tls, local_addr=(VIEWER, 0)), cookie_jar=aiohttp.DummyCookieJar()
        ) as viewer,
    ):
        yield Site(stack, front, viewer)


async def test_the_person_that_apache_authenticated_watches(site: Site) -> None:
    async with site.get(VIDEO_PATH, ANNA | {"Range": "bytes=1000-4999"}) as response:
        assert (response.status, await response.read()) == (206, film(site)[1000:5000])
    await site.stack.ended()
    opened = [line for line in site.stack.audit() if line["event"] == "open"]
    assert [(line["subject"], line["groups"], line["peer"]) for line in opened] == [("anna", ["supervisors"], VIEWER)]
    site.stack.valt.knobs.reset_after = [100_000] * 2
    async with site.get(VIDEO_PATH, ANNA) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientError):
            await response.read()


async def test_apache_names_nobody_who_is_not_signed_in_whatever_they_send(site: Site) -> None:
    for spelling in SPELLINGS:
        forged = {spelling if name == "X-Forwarded-User" else name: v for name, v in site.stack.front("root").items()}
        async with site.get(VIDEO_PATH, forged) as response:
            assert (response.status, (await response.json())["code"]) == (401, "credentials_missing"), spelling
    address = f"{VIDEO_PATH}?ticket={site.stack.ticket('ben', audience=PUBLIC)}"
    async with site.get(address, {}) as response:
        assert response.status == 200, "no blank header of Apache's stands before a valid ticket"


@pytest.mark.promise("security-S2")
@pytest.mark.parametrize("count", [20, 40])
async def test_the_gateway_deletes_the_cookies_of_a_browser_with_too_many(site: Site, count: int) -> None:
    """Apache would lock the browser out until they end, from the sign-out too."""
    async with site.get("/oauth2/sign_out", NAVIGATION | {"Cookie": too_many_cookies(count)}) as response:
        assert_deletes_cookies(response, count)


async def test_apache_writes_no_ticket_into_its_logs_even_if_the_gateway_is_down(site: Site) -> None:
    address = VIDEO_PATH + "?ticket=planted"
    async with site.get(address, {"Referer": PUBLIC + address}) as response:
        assert response.status == 401
    await site.stack.gateway.stop()
    async with site.get(address, {"Referer": PUBLIC + address}) as response:
        assert response.status == 503
    await site.front.wait_until_written(f'"GET {VIDEO_PATH}" 503')
    assert "planted" not in site.front.written()


def test_the_configuration_for_shibboleth_quotes_the_lines_of_the_shipped_file() -> None:
    root = Path(__file__).parents[3]
    shipped = (root / "deploy/apache-shib.conf").read_text()
    lines = re.findall(r"# +(RequestHeader .*)", (root / "config/behind-shibboleth.toml").read_text())
    assert len(lines) == 2
    assert all(line in shipped for line in lines)


async def test_apache_passes_on_none_of_its_own_secrets(
    outside: Path, port: int, tmp_path: Path, aiohttp_server: AiohttpServer
) -> None:
    received: list[web.BaseRequest] = []

    async def respond(request: web.Request) -> web.Response:
        received.append(request)
        return web.Response()

    application = web.Application()
    application.router.add_route("*", "/{any:.*}", respond)
    server = await aiohttp_server(application)
    async with (
        running_front(outside, port, lambda folder, port: apache(folder, port, str(server.make_url("")), "s")) as front,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=front.tls)) as client,
    ):
        for authorization, passed in (("Bearer portal", "Bearer portal"), ("Negotiate YII=", None)):
            cookies = "_shibsession_64656661=secret; valt_gateway_session=ours; _shibstate_1=secret; other=1"
            headers = {"Host": HOST, "Authorization": authorization, "Cookie": cookies}
            async with client.get(f"https://127.0.0.1:{port}/", headers=headers, server_hostname=HOST) as response:
                assert response.status == 200
            assert received[-1].headers.get("Authorization") == passed
            assert "secret" not in received[-1].headers["Cookie"]
            assert dict(received[-1].cookies) == {"valt_gateway_session": "ours", "other": "1"}
    assert all("X-Forwarded-User" not in request.headers for request in received)
