"""Several identity providers: the choice between them, and their separation."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from tests.support.axe import violations
from tests.support.browser import browser
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack
from tests.support.provider import Provider

OIDC = """
[[identity]]
type = "oidc"
name = "{name}"
issuer = "{issuer}"
client_id = "gateway-client"
client_auth = "none"
"""


@dataclass
class Two:
    """A gateway with two providers, and the cookies of one browser."""

    stack: GatewayStack
    providers: Mapping[str, Provider]
    cookie: str = ""

    async def get(self, path: str) -> tuple[int, URL, str]:
        headers = {**NAVIGATION, "Cookie": self.cookie}
        async with self.stack.client.get(self.stack.url + path, headers=headers, allow_redirects=False) as answer:
            for header in answer.headers.getall("Set-Cookie", []):
                self.cookie = header.partition(";")[0]
            return answer.status, URL(answer.headers.get("Location", "")), await answer.text()

    async def begin(self, name: str) -> Mapping[str, str]:
        """Returns the query of the authorization request."""
        code, location, _ = await self.get(f"/oauth2/start?provider={name}&rd={VIDEO_PATH}%23")
        assert (code, str(location.origin())) == (302, self.providers[name].issuer)
        return location.query

    def set_claims(self, name: str, query: Mapping[str, str]) -> None:
        provider, now = self.providers[name], int(self.stack.gateway.clock.now())
        claims = {"iss": provider.issuer, "aud": "gateway-client", "sub": "anna", "groups": ["supervisors"]}
        provider.id_token = {**claims, "nonce": query["nonce"], "iat": now, "exp": now + 300}

    async def finish(self, query: Mapping[str, str], **more: str) -> int:
        """Delivers the response to an authorization request, by default with a code of its own."""
        answer = URL("/oauth2/callback").with_query({"code": query["nonce"], "state": query["state"], **more})
        return (await self.get(str(answer)))[0]

    async def person(self) -> Any:
        async with self.stack.client.get(
            f"{self.stack.url}/oauth2/userinfo", headers={"Cookie": self.cookie}
        ) as answer:
            return await answer.json()


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    async with Provider().running() as clinic, Provider().running() as campus:
        providers = {"clinic": clinic, "campus-login": campus}
        tables = (OIDC.replace("{name}", n).replace("{issuer}", p.issuer) for n, p in providers.items())
        async with running_stack(tmp_path, more="".join(tables)) as stack:
            yield Two(stack, providers)


@pytest.mark.promise("sign-in-6")
async def test_without_a_provider_name_a_page_offers_the_choice(two: Two) -> None:
    wanted = f"{VIDEO_PATH}?t=90"
    code, _, page = await two.get(f"/oauth2/start?rd={quote(wanted)}")
    assert code == 200
    for name in two.providers:
        assert f'href="/oauth2/start?provider={name}&amp;rd={quote(wanted + "#", safe="")}">{name}</a>' in page
    assert page.index("clinic") < page.index("campus-login")


async def test_each_choice_preserves_the_time_in_the_fragment(two: Two) -> None:
    async with browser() as chromium:
        page = await chromium.new_page(locale="en-GB")
        await page.goto(f"{two.stack.url}{VIDEO_PATH}?x=1#t=90")
        await page.get_by_role("heading", name="Where do you want to sign in?").wait_for()
        for name in two.providers:
            href = await page.get_by_role("link", name=name).get_attribute("href")
            assert URL(href or "").query == {"provider": name, "rd": f"{VIDEO_PATH}?x=1#t=90"}
        assert await violations(page) == []


@pytest.mark.parametrize("name", ["clinic", "campus-login"])
async def test_each_provider_signs_its_people_in(two: Two, name: str) -> None:
    query = await two.begin(name)
    two.set_claims(name, query)
    assert await two.finish(query) == 303
    person = await two.person()
    assert (person["subject"], person["provider"], person["issuer"]) == ("anna", name, two.providers[name].issuer)


async def test_an_unknown_provider_is_not_found(two: Two) -> None:
    for query in ("provider=other", "provider=", "provider=portal"):
        assert (await two.get(f"/oauth2/start?{query}"))[0] == 404
    assert (await two.get("/oauth2/start?provider=clinic&provider=clinic"))[0] == 400


@pytest.mark.promise("sign-in-6")
async def test_a_response_of_one_provider_is_not_accepted_for_another(two: Two) -> None:
    query = await two.begin("clinic")
    two.set_claims("campus-login", query)
    campus = two.providers["campus-login"]
    assert await two.finish(query, iss=campus.issuer) == 401
    assert (
        two.providers["clinic"].request_counts["/token"] + campus.request_counts["/token"] == 0
    )  # the code was sent to neither
    two.providers["clinic"].id_token = campus.id_token
    assert await two.finish(query) == 401


CODE = "SplxlOBeZQQYbYS6WxSbIA.0-9_b"


@pytest.mark.parametrize("presented", [CODE, f" {CODE}\n", f"{CODE.lower()}==", f"{CODE[:-1]}c"])
async def test_a_code_that_a_mix_up_brought_to_another_provider_signs_nobody_in(two: Two, presented: str) -> None:
    victim, attacker = two, Two(two.stack, two.providers)
    began = await attacker.begin("campus-login")
    attacker.set_claims("campus-login", began)
    # The clinic's provider, which is hostile, redirects the victim to campus-login with the attacker's nonce and
    # challenge and the victim's state. The campus names no issuer in its response.
    brought = await victim.begin("clinic")
    assert await victim.finish(brought, code=CODE) == 401
    assert await attacker.finish(began, code=presented) == 401
    assert two.providers["campus-login"].request_counts["/token"] == 0
    began = await attacker.begin("campus-login")
    attacker.set_claims("campus-login", began)
    assert await attacker.finish(began, code="a code of one's own") == 303


async def test_a_sign_out_leads_to_the_provider_of_the_session(two: Two) -> None:
    for provider in two.providers.values():
        provider.discovery = {"end_session_endpoint": f"{provider.issuer}/end"}
    query = await two.begin("campus-login")
    two.set_claims("campus-login", query)
    await two.finish(query)
    headers = {"Cookie": two.cookie, "Sec-Fetch-Site": "same-origin"}
    async with two.stack.client.post(f"{two.stack.url}/oauth2/sign_out", headers=headers) as answer:
        onward = URL(answer.headers["Refresh"].removeprefix("0; url="))
    assert str(onward.with_query(None)) == f"{two.providers['campus-login'].issuer}/end"


async def test_a_logout_token_ends_only_sessions_of_its_provider(two: Two) -> None:
    cookies = {}
    for name in two.providers:
        query = await two.begin(name)
        two.set_claims(name, query)
        await two.finish(query)
        cookies[name], two.cookie = two.cookie, ""
    clinic = two.providers["clinic"]
    claims = {name: value for name, value in clinic.id_token.items() if name != "nonce"}
    events: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
    token = clinic.sign({**claims, "jti": "one", "events": events})
    address = f"{two.stack.url}/oauth2/backchannel_logout"
    async with two.stack.client.post(address, data={"logout_token": token}) as answer:
        assert answer.status == 200
    for name, signed_in in (("clinic", False), ("campus-login", True)):
        two.cookie = cookies[name]
        assert ("subject" in await two.person()) is signed_in


async def test_many_sign_ins_that_wait_at_one_provider_keep_nobody_from_another(two: Two) -> None:
    clinic, browsers = two.providers["clinic"], [Two(two.stack, two.providers) for _ in range(20)]
    queries = [await browser.begin("clinic") for browser in browsers]
    clinic.gate = asyncio.Event()
    waiting = [asyncio.create_task(b.finish(query)) for b, query in zip(browsers, queries, strict=True)]
    async with asyncio.timeout(4):
        while clinic.request_counts["/token"] < len(browsers):
            await asyncio.sleep(0.005)
    query = await two.begin("campus-login")
    two.set_claims("campus-login", query)
    assert await two.finish(query) == 303
    assert not any(task.done() for task in waiting)
    clinic.gate.set()
    assert set(await asyncio.gather(*waiting)) == {401}
