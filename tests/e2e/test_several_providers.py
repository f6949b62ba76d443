"""With several providers a person chooses one, and what the one says is never taken for the other's word."""

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
    """A gateway between a clinic and a campus, and one browser's cookies."""

    stack: GatewayStack
    providers: Mapping[str, Provider]
    cookie: str = ""

    async def get(self, path: str) -> tuple[int, URL, str]:
        headers = {**NAVIGATION, "Cookie": self.cookie}
        async with self.stack.client.get(self.stack.url + path, headers=headers, allow_redirects=False) as answer:
            for kept in answer.headers.getall("Set-Cookie", []):
                self.cookie = kept.partition(";")[0]
            return answer.status, URL(answer.headers.get("Location", "")), await answer.text()

    async def begin(self, name: str) -> Mapping[str, str]:
        """What the browser brings to the provider."""
        code, location, _ = await self.get(f"/oauth2/start?provider={name}&rd={VIDEO_PATH}%23")
        assert (code, str(location.origin())) == (302, self.providers[name].issuer)
        return location.query

    def vouch(self, name: str, begun: Mapping[str, str]) -> None:
        provider, now = self.providers[name], int(self.stack.gateway.clock.now())
        claims = {"iss": provider.issuer, "aud": "gateway-client", "sub": "anna", "groups": ["supervisors"]}
        provider.id_token = {**claims, "nonce": begun["nonce"], "iat": now, "exp": now + 300}

    async def finish(self, begun: Mapping[str, str], **more: str) -> int:
        answer = URL("/oauth2/callback").with_query({"code": "the-code", "state": begun["state"], **more})
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
async def test_who_names_none_is_asked_and_each_choice_keeps_the_link(two: Two) -> None:
    wanted = f"{VIDEO_PATH}?t=90"
    code, _, page = await two.get(f"/oauth2/start?rd={quote(wanted)}")
    assert code == 200
    for name in two.providers:
        assert f'href="/oauth2/start?provider={name}&amp;rd={quote(wanted + "#", safe="")}">{name}</a>' in page
    assert page.index("clinic") < page.index("campus-login")


async def test_each_choice_keeps_the_moment_behind_the_hash(two: Two) -> None:
    async with browser() as chromium:
        page = await chromium.new_page(locale="en-GB")
        await page.goto(f"{two.stack.url}{VIDEO_PATH}?x=1#t=90")
        await page.get_by_role("heading", name="Where do you want to sign in?").wait_for()
        for name in two.providers:
            href = await page.get_by_role("link", name=name).get_attribute("href")
            assert URL(href or "").query == {"provider": name, "rd": f"{VIDEO_PATH}?x=1#t=90"}
        assert await violations(page) == []


@pytest.mark.parametrize("name", ["clinic", "campus-login"])
async def test_each_signs_its_people_in(two: Two, name: str) -> None:
    begun = await two.begin(name)
    two.vouch(name, begun)
    assert await two.finish(begun) == 303
    told = await two.person()
    assert (told["subject"], told["provider"], told["issuer"]) == ("anna", name, two.providers[name].issuer)


async def test_a_provider_that_there_is_not_is_not_found(two: Two) -> None:
    for query in ("provider=other", "provider=", "provider=portal"):
        assert (await two.get(f"/oauth2/start?{query}"))[0] == 404
    assert (await two.get("/oauth2/start?provider=clinic&provider=clinic"))[0] == 400


@pytest.mark.promise("sign-in-6")
async def test_no_answer_of_one_passes_for_the_others(two: Two) -> None:
    begun = await two.begin("clinic")
    two.vouch("campus-login", begun)
    campus = two.providers["campus-login"]
    assert await two.finish(begun, iss=campus.issuer) == 401
    assert two.providers["clinic"].asked["/token"] + campus.asked["/token"] == 0  # the code went nowhere
    two.providers["clinic"].id_token = campus.id_token
    assert await two.finish(begun) == 401


async def test_sign_out_leads_to_the_provider_that_signed_the_person_in(two: Two) -> None:
    for provider in two.providers.values():
        provider.discovery = {"end_session_endpoint": f"{provider.issuer}/end"}
    begun = await two.begin("campus-login")
    two.vouch("campus-login", begun)
    await two.finish(begun)
    headers = {"Cookie": two.cookie, "Sec-Fetch-Site": "same-origin"}
    async with two.stack.client.post(f"{two.stack.url}/oauth2/sign_out", headers=headers) as answer:
        onward = URL(answer.headers["Refresh"].removeprefix("0; url="))
    assert str(onward.with_query(None)) == f"{two.providers['campus-login'].issuer}/end"


async def test_the_sign_out_of_one_ends_its_own_sessions_alone(two: Two) -> None:
    cookies = {}
    for name in two.providers:
        begun = await two.begin(name)
        two.vouch(name, begun)
        await two.finish(begun)
        cookies[name] = two.cookie
    clinic = two.providers["clinic"]
    claims = {name: value for name, value in clinic.id_token.items() if name != "nonce"}
    events: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
    token = clinic.sign({**claims, "jti": "one", "events": events})
    address = f"{two.stack.url}/oauth2/backchannel_logout"
    async with two.stack.client.post(address, data={"logout_token": token}) as answer:
        assert answer.status == 200
    for name, known in (("clinic", False), ("campus-login", True)):
        two.cookie = cookies[name]
        assert ("subject" in await two.person()) is known
