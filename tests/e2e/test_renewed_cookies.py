"""The renewed cookie of a request that waited does not replace what the browser was given meanwhile."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.support.clock import ManualClock
from tests.support.cookie_jar import CookieJar
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack, settings_of

pytestmark = pytest.mark.promise("security-S2")

GRANTS = """
[[grants]]
name = "students"
groups = ["students"]
recordings = ["6ecfe37c-*"]
account = "reviewer"

[[grants]]
name = "supervisors"
groups = ["supervisors"]
recordings = ["*"]
account = "reviewer"
"""
OTHER = "/recordings/other/videos/film"

Change = Callable[[GatewayStack, CookieJar], Awaitable[None]]
"""What happens to a browser, or to the gateway, while a request waits."""


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, grants=GRANTS, clock=ManualClock()) as stack:
        stack.valt.add_video("other", "film", bytes(1000))
        yield stack


async def follow(stack: GatewayStack, jar: CookieJar, path: str, ticket: str) -> str:
    """Follows a link with *ticket*; returns the page."""
    headers = NAVIGATION | {"Cookie": f"theme=dark; {jar.header}"}
    async with stack.client.get(f"{stack.url}{path}?ticket={ticket}", headers=headers, allow_redirects=False) as answer:
        jar.store(answer.headers.getall("Set-Cookie", []))
        return await answer.text()


async def more_groups(stack: GatewayStack, jar: CookieJar) -> None:
    await follow(stack, jar, OTHER, stack.ticket("anna", "supervisors"))


async def another_person(stack: GatewayStack, jar: CookieJar) -> None:
    page = await follow(stack, jar, OTHER, stack.ticket("ben", "supervisors"))
    (sealed,) = re.findall(r'name="switch" value="([^"]+)"', page)
    headers = {"Cookie": jar.header, "Sec-Fetch-Site": "same-origin"}
    async with stack.client.post(
        f"{stack.url}/oauth2/switch", data={"switch": sealed}, headers=headers, allow_redirects=False
    ) as answer:
        jar.store(answer.headers.getall("Set-Cookie"))


async def play(stack: GatewayStack, jar: CookieJar, path: str) -> aiohttp.ClientResponse:
    async with stack.client.get(stack.url + path, headers={"Cookie": jar.header}) as answer:
        await answer.read()
        return answer


async def play_during(
    change: Change, stack: GatewayStack, jar: CookieJar, path: str = VIDEO_PATH
) -> aiohttp.ClientResponse:
    """Returns the response to a request that waits for its link while *change* takes place."""
    calls, gate = stack.valt.calls["download"], asyncio.Event()
    stack.valt.knobs.gate["download"] = gate
    waiting = asyncio.create_task(play(stack, jar, path))
    await stack.valt.wait_for(lambda: stack.valt.calls["download"] > calls)
    await change(stack, jar)
    gate.set()
    return await waiting


async def a_reload(stack: GatewayStack, _jar: CookieJar) -> None:
    """The cookie that the old configuration would set may have attributes that the new one's has not."""
    stack.config.write_text(stack.config.read_text() + '\n[branding]\nname = "New"\n')
    assert await stack.gateway.reload(settings_of(stack.config))


async def more_groups_after_a_reload(stack: GatewayStack, jar: CookieJar) -> None:
    await a_reload(stack, jar)
    await more_groups(stack, jar)


CHANGES = [
    (more_groups, 200, 200),
    (more_groups_after_a_reload, 200, 200),
    (another_person, 401, 200),
    (a_reload, 200, 403),
]


@pytest.mark.parametrize(("change", "status", "afterwards"), CHANGES)
async def test_a_request_that_waited_brings_no_older_session_back(
    stack: GatewayStack, change: Change, status: int, afterwards: int
) -> None:
    jar, clock = CookieJar(), stack.gateway.clock
    assert isinstance(clock, ManualClock)
    await follow(stack, jar, VIDEO_PATH, stack.ticket("anna", "students"))
    clock.pass_(600)  # so that a renewed cookie is due
    answer = await play_during(change, stack, jar)
    assert answer.status == status
    assert "Set-Cookie" not in answer.headers
    assert (await play(stack, jar, OTHER)).status == afterwards


async def test_a_request_that_waits_during_a_reload_is_a_use_of_its_session(stack: GatewayStack) -> None:
    jar, clock = CookieJar(), stack.gateway.clock
    assert isinstance(clock, ManualClock)
    await follow(stack, jar, VIDEO_PATH, stack.ticket("anna", "students"))
    clock.pass_(3500)
    assert (await play_during(a_reload, stack, jar)).status == 200
    clock.pass_(200)
    assert (await play(stack, jar, VIDEO_PATH)).status == 200


async def test_a_session_in_use_is_given_a_newer_cookie(stack: GatewayStack) -> None:
    jar, clock = CookieJar(), stack.gateway.clock
    assert isinstance(clock, ManualClock)
    await follow(stack, jar, VIDEO_PATH, stack.ticket("anna", "students"))
    clock.pass_(600)
    assert "Set-Cookie" in (await play(stack, jar, VIDEO_PATH)).headers
    refused = await play(stack, jar, OTHER)
    assert (refused.status, "Set-Cookie" in refused.headers) == (403, False)
