"""Sign-out at the gateway and at a certified provider; the test acts as the browser."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.support.free_ports import free_port
from tests.support.gateway_fixture import NAVIGATION, PUBLIC, GatewayStack, running_stack
from tests.support.openid import openid_provider

OIDC = """
[[identity]]
type = "oidc"
name = "campus-login"
issuer = "{issuer}"
client_id = "valt-gateway"
client_secret = "planted-client-secret"
subject_claim = "preferred_username"
"""


@dataclass
class Browser:
    """Follows redirects and submits forms. The public address is replaced by the listening one."""

    stack: GatewayStack
    client: aiohttp.ClientSession
    issuer: str

    async def go(self, url: str, form: dict[str, str] | None = None, **headers: str) -> tuple[URL, str, str]:
        """Returns the final URL, the page, and the URL in its Refresh header."""
        method = "GET" if form is None else "POST"
        while True:
            address = self.stack.url + url.removeprefix(PUBLIC) if url.startswith(PUBLIC) else url
            async with self.client.request(
                method, address, data=form, headers=NAVIGATION | headers, allow_redirects=False
            ) as answer:
                if answer.status not in (302, 303):
                    return URL(url), await answer.text(), answer.headers.get("Refresh", "").removeprefix("0; url=")
                url, method, form = str(URL(url).join(URL(answer.headers["Location"]))), "GET", None

    async def submit(self, at: URL, page: str, **fields: str) -> tuple[URL, str, str]:
        action = re.search(r'<form[^>]* action="([^"]+)"', page)
        assert action is not None, page
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        return await self.go(str(at.join(URL(action[1]))), {**hidden, **fields})

    async def sign_in(self) -> None:
        at, page, _ = await self.go(f"{PUBLIC}/oauth2/start?rd=/")
        at, page, _ = await self.submit(at, page, login="anna", password="any")
        at, page, _ = await self.submit(at, page)
        assert at == URL(f"{PUBLIC}/")
        assert await self.is_signed_in()

    async def is_signed_in(self) -> bool:
        async with self.client.get(f"{self.stack.url}/oauth2/userinfo") as answer:
            return answer.status == 200


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    with free_port() as port:
        issuer = f"http://localhost:{port}"
        async with (
            running_stack(tmp_path, more=OIDC.replace("{issuer}", issuer)) as stack,
            openid_provider(port, PUBLIC, backchannel=f"{stack.url}/oauth2/backchannel_logout"),
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True, quote_cookie=False)) as client,
        ):
            yield Browser(stack, client, issuer)


@pytest.mark.promise("sign-in-8")
async def test_a_sign_out_at_the_provider_ends_the_session(browser: Browser) -> None:
    await browser.sign_in()
    at, page, _ = await browser.go(f"{browser.issuer}/session/end")
    await browser.submit(at, page, logout="yes")
    assert not await browser.is_signed_in()
    line = browser.stack.audit()[-1]
    # The token has the provider's own id of the person and not preferred_username, so that it names nobody.
    assert (line["event"], line["subject"], line["issuer"]) == ("sign_out", None, browser.issuer)


@pytest.mark.promise("sign-in-8")
async def test_a_sign_out_here_leads_to_the_provider_and_back(browser: Browser) -> None:
    await browser.sign_in()
    same_origin = {"Sec-Fetch-Site": "same-origin"}
    _, _, onward = await browser.go(f"{PUBLIC}/oauth2/sign_out", {}, **same_origin)
    assert not await browser.is_signed_in()
    at, page, _ = await browser.go(onward)
    at, page, _ = await browser.submit(at, page, logout="yes")
    assert at == URL(f"{PUBLIC}/")
    assert "You are not signed in" in page
    at, page, _ = await browser.go(f"{PUBLIC}/oauth2/start?rd=/")
    assert 'name="login"' in page
