"""The watch page in a portal's frame: the player alone, and readable error pages."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest
import trustme
from playwright.async_api import BrowserContext, FrameLocator, Page, expect

from gateway.sim.catalogue import CAMERA_A, SESSION
from tests.support.gateway_fixture import NAVIGATION, GatewayStack
from tests.support.sites import API, PUBLIC, clinic, elsewhere, visitor
from tests.support.watching import until

WATCH = f"/recordings/{SESSION}"
NOTICE = "Viewing is recorded."
FRAME = """address => {
    const frame = Object.assign(document.createElement("iframe"), { src: address, width: 900, height: 700 });
    document.body.replaceChildren(frame);
}"""

ALLOWING = """allow => {
    const create = document.createElement.bind(document);
    document.createElement = name => Object.assign(create(name), { allow });
    window.states = [];
    addEventListener("message", ({ data }) => window.states.push(data.playing));
}"""
"""Makes the frame that ``API`` creates allow something, and notes whether the player plays."""


@dataclass
class Portal:
    stack: GatewayStack
    gateway: str
    context: BrowserContext
    page: Page

    async def frames(self, address: str) -> FrameLocator:
        await self.page.evaluate(FRAME, self.gateway + address)
        return self.page.frame_locator("iframe")


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[Portal]:
    authority = trustme.CA()
    async with (
        elsewhere(authority, "portal.school.test") as origin,
        clinic(tmp_path, authority, [origin], branding=f'notice = "{NOTICE}"\n') as (stack, gateway),
        visitor() as context,
    ):
        page = await context.new_page()
        await page.goto(origin)
        yield Portal(stack, gateway, context, page)


@pytest.mark.promise("watch-15")
async def test_a_frame_contains_the_player_alone(portal: Portal) -> None:
    frame = await portal.frames(f"{WATCH}?ticket={portal.stack.ticket(audience=PUBLIC)}")
    await frame.get_by_role("button", name="Play").click()
    await frame.locator(".bar .time").filter(has_text="0:01").wait_for()
    await expect(frame.locator("header, footer")).to_have_count(0)


async def test_a_frame_shows_the_notice_without_moving_the_player(portal: Portal) -> None:
    frame = await portal.frames(f"{WATCH}?ticket={portal.stack.ticket(audience=PUBLIC)}")
    await expect(frame.get_by_text(NOTICE)).to_be_visible()
    assert await frame.locator("#watch").evaluate("player => player.getBoundingClientRect().top") == 0
    frame = await portal.frames(f"{WATCH}?ticket=spoilt")
    await expect(frame.get_by_text(NOTICE)).to_be_visible()


async def test_links_in_a_frame_open_another_window(portal: Portal) -> None:
    frame = await portal.frames(f"{WATCH}?ticket={portal.stack.ticket(audience=PUBLIC)}")
    link = frame.get_by_role("link", name="Download Ceiling")
    assert await link.evaluate("link => [link.pathname, document.querySelector('base').target]") == [
        f"{WATCH}/videos/{CAMERA_A}",
        "_blank",
    ]


async def test_the_embed_parameter_selects_the_player_alone(portal: Portal) -> None:
    await portal.page.goto(f"{portal.gateway}{WATCH}?embed&ticket={portal.stack.ticket(audience=PUBLIC)}")
    await expect(portal.page.get_by_role("button", name="Play")).to_be_visible()
    await expect(portal.page.locator("header, footer")).to_have_count(0)
    await portal.page.goto(f"{portal.gateway}{WATCH}")
    await expect(portal.page.locator("header, footer")).to_have_count(2)


@pytest.mark.promise("watch-15")
async def test_an_error_page_is_readable_in_the_portals_frame_only(portal: Portal) -> None:
    frame = await portal.frames(f"{WATCH}?ticket=spoilt")
    await expect(frame.get_by_role("heading", level=1)).to_have_text("This link has expired")
    origin = await portal.page.evaluate("origin")
    async with portal.stack.client.get(f"{portal.stack.url}{WATCH}", headers=NAVIGATION, ssl=False) as answer:
        assert answer.headers["Content-Security-Policy"].endswith(f"; frame-ancestors {origin}")


async def test_a_portal_controls_the_embedded_player_by_messages(portal: Portal) -> None:
    address = f"{portal.gateway}{WATCH}?ticket={portal.stack.ticket(audience=PUBLIC)}"
    page = portal.page
    await page.evaluate(API, address)
    await page.frame_locator("iframe").get_by_role("button", name="Play").wait_for()
    await page.evaluate("send({ type: 'seek', seconds: 12 })")
    await page.evaluate("send({ type: 'play' })")
    await until(page, "state?.playing && state.seconds > 12.3 && state.duration > 20 && state.error === null")
    await page.evaluate("send({ type: 'pause' })")
    await until(page, "state.playing === false")
    await page.evaluate("send({ type: 'seek', seconds: 1e9 })")
    await page.evaluate("send({ type: 'play' })")
    await page.evaluate("send({ type: 'seek', seconds: 23.5 })")
    await until(page, "state.ended")


async def test_the_example_of_the_documentation_controls_the_player(portal: Portal) -> None:
    async with portal.stack.client.get(f"{portal.stack.url}/docs", ssl=False) as answer:
        text = await answer.text()
    example = unescape(re.findall(r'<pre tabindex="0" id="frame-example">(.*?)</pre>', text, re.DOTALL)[0])
    assert len(example.splitlines()) == 10
    example = example.replace(PUBLIC, portal.gateway).replace("RECORDING", SESSION)
    await portal.page.set_content(example.replace("TICKET", portal.stack.ticket(audience=PUBLIC)))
    await portal.page.frame_locator("iframe").get_by_role("button", name="Play").wait_for()
    await portal.page.get_by_role("button", name="Play from 0:08").click()
    await expect(portal.page.locator("output")).to_have_text("9")


@pytest.mark.promise("watch-15")
@pytest.mark.parametrize(("allow", "plays"), [("fullscreen", False), ("autoplay; fullscreen", True)])
async def test_a_portal_starts_the_player_by_a_message_if_the_frame_allows_autoplay(
    tmp_path: Path, allow: str, plays: bool
) -> None:
    authority = trustme.CA()
    async with (
        elsewhere(authority, "portal.school.test") as origin,
        clinic(tmp_path, authority, [origin]) as (stack, gateway),
        visitor("--autoplay-policy=document-user-activation-required") as context,
    ):
        page = await context.new_page()
        await page.goto(origin)
        await page.evaluate(ALLOWING, allow)
        await page.evaluate(API, f"{gateway}{WATCH}?ticket={stack.ticket(audience=PUBLIC)}")
        # Playwright must not look into the frame: that would count as the person's click.
        await until(page, "(send({ type: 'state' }), state?.duration > 20)")
        await page.evaluate("send({ type: 'play' })")
        if plays:
            await until(page, "state.seconds > 0.3")
        else:
            await until(page, "states.includes(true) && states.at(-1) === false && state.seconds === 0")


async def test_a_player_on_another_sites_page_ignores_messages(portal: Portal) -> None:
    page = portal.page
    await page.goto(f"{portal.gateway}{WATCH}?embed&ticket={portal.stack.ticket(audience=PUBLIC)}")
    await page.get_by_role("button", name="Play").wait_for()
    await page.evaluate("postMessage({ source: 'valt-gateway', v: 1, type: 'play' }, origin)")
    await page.evaluate("new Promise(done => setTimeout(done, 300))")
    assert await page.get_by_role("button", name="Play").is_visible()
