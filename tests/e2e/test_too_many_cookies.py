"""A browser that holds more session cookies than a request may present is not locked out."""

import asyncio

import pytest

from tests.support.cookie_jar import CookieJar
from tests.support.gateway_fixture import NAVIGATION, GatewayStack

FRAMES = 24


async def exchange(stack: GatewayStack, recording: str) -> list[str]:
    """Returns the Set-Cookie headers for a ticket of a browser that presents no cookie."""
    ticket = stack.ticket("anna.miller@example.edu", "supervisors", recording=recording)
    url = f"{stack.url}/recordings/{recording}/videos/film?ticket={ticket}"
    async with stack.client.get(url, headers=NAVIGATION, allow_redirects=False) as answer:
        assert answer.status == 303
        return answer.headers.getall("Set-Cookie")


async def get(stack: GatewayStack, jar: CookieJar, path: str, headers: dict[str, str]) -> int:
    async with stack.client.get(stack.url + path, headers=headers | {"Cookie": f"theme=dark; {jar.header}"}) as answer:
        jar.store(answer.headers.getall("Set-Cookie", []))
        return answer.status


@pytest.mark.promise("security-S2")
@pytest.mark.parametrize("headers", [NAVIGATION, {}])
async def test_after_many_tickets_of_one_moment_a_browser_is_served_again(
    stack: GatewayStack, headers: dict[str, str]
) -> None:
    jar = CookieJar()
    for cookies in await asyncio.gather(*(exchange(stack, f"r{number}") for number in range(FRAMES))):
        jar.store(cookies)
    jar.store([f"{next(iter(jar.cookies)).rpartition('_')[0]}=of-another-kind; Path=/"])
    assert len(jar.cookies) == FRAMES + 1
    assert await get(stack, jar, "/oauth2/sign_out", headers) == 431
    assert list(jar.cookies.values()) == ["of-another-kind"]
    assert await get(stack, jar, "/oauth2/sign_out", headers) == 200
