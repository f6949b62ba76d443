"""Sign-ins that were begun in several tabs before the browser had a session."""

from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tests.e2e.test_sign_out_at_the_provider import WITH_STATE
from tests.support.cookie_jar import CookieJar
from tests.support.gateway_fixture import NAVIGATION, GatewayStack, running_stack


async def begin(stack: GatewayStack, jar: CookieJar, path: str) -> Any:
    """Returns the query of the authorization request of one tab."""
    start = f"{stack.url}/oauth2/start"
    headers = NAVIGATION | {"Cookie": jar.header}
    async with stack.client.get(start, params={"rd": path}, headers=headers, allow_redirects=False) as answer:
        jar.store(answer.headers.getall("Set-Cookie", []))
        return URL(answer.headers["Location"]).query


def claims_of(stack: GatewayStack, query: Any, subject: str) -> dict[str, Any]:
    """Returns the claims of an ID token for the authorization request with that *query*."""
    now = int(stack.gateway.clock.now())
    return {
        "iss": stack.provider.issuer,
        "aud": query["client_id"],
        "sub": subject,
        "groups": ["supervisors"],
        "nonce": query["nonce"],
        "iat": now,
        "exp": now + 300,
    }


async def complete(stack: GatewayStack, jar: CookieJar, query: Any, subject: str) -> str:
    """Returns the address to which the callback of a tab leads."""
    stack.provider.id_token = claims_of(stack, query, subject)
    url = f"{stack.url}/oauth2/callback?code=the-code&state={query['state']}"
    async with stack.client.get(url, headers=NAVIGATION | {"Cookie": jar.header}, allow_redirects=False) as answer:
        assert answer.status == 303
        jar.store(answer.headers.getall("Set-Cookie", []))
        return answer.headers["Location"]


async def subject_of(stack: GatewayStack, cookies: str) -> str | None:
    async with stack.client.get(f"{stack.url}/oauth2/userinfo", headers={"Cookie": cookies}) as answer:
        return (await answer.json())["subject"] if answer.status == 200 else None


@pytest.mark.promise("identity-I3", "security-S9")
async def test_a_parallel_sign_in_of_the_same_person_adds_nothing_but_of_another_counts(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more=WITH_STATE) as stack:
        jar = CookieJar()
        tabs = [await begin(stack, jar, f"/recordings?page={number}") for number in range(4)]
        assert await complete(stack, jar, tabs[2], "anna") == "/recordings?page=2"
        first = jar.header
        for number in (0, 3):
            assert await complete(stack, jar, tabs[number], "anna") == f"/recordings?page={number}"
            assert await subject_of(stack, jar.header) == "anna"
        assert await complete(stack, jar, tabs[1], "ben") == "/recordings?page=1"
        assert (await subject_of(stack, jar.header), await subject_of(stack, first)) == ("ben", None)
        lines = [(line["event"], line["subject"]) for line in stack.audit()]
        assert lines == [("sign_in", "anna"), ("sign_out", "anna"), ("sign_in", "ben")]
