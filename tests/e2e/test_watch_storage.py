"""What the watch page stores in the browser is forgotten when the person signs out or changes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page

from gateway.sim.catalogue import SESSION
from tests.support.browser import browser
from tests.support.gateway_fixture import GatewayStack
from tests.support.sign_in import sign_in_as, site
from tests.support.watching import ready, until

pytestmark = pytest.mark.promise("watch-19")

WATCH = f"/recordings/{SESSION}"
STORED = "JSON.stringify(Object.entries(localStorage))"
NOTHING = "localStorage.length === 0"


@pytest.fixture
async def context() -> AsyncIterator[BrowserContext]:
    async with browser() as chromium:
        yield await chromium.new_context(locale="en-GB")


async def at_ten_seconds(page: Page) -> None:
    """Seeks to second 10, and waits until that is stored."""
    await page.get_by_role("slider", name="Time line").fill("10")
    await page.keyboard.press("2")
    await until(page, f"{STORED}.includes('position\\\\\":10')")


async def test_a_tab_that_stays_open_stores_nothing_after_sign_out_in_another(
    tmp_path: Path, context: BrowserContext
) -> None:
    async with site(tmp_path) as here:
        page = await context.new_page()
        await page.goto(here.url + WATCH)
        await sign_in_as(page, "anna")
        await page.wait_for_url(f"{here.url}{WATCH}*")
        await at_ten_seconds(page)
        other = await context.new_page()
        await other.goto(f"{here.url}/recordings")
        await other.get_by_role("button", name="Sign out").click()
        await other.wait_for_url(lambda url: not url.startswith(here.url + "/recordings"))
        for key in ("1", "2", "ArrowRight", "m"):
            await page.keyboard.press(key)
        await until(page, NOTHING)
        await page.goto("about:blank")
        await other.goto(f"{here.url}/robots.txt")
        assert await other.evaluate(NOTHING)


async def test_a_confirmed_change_of_person_forgets_what_the_first_one_watched(
    stack: GatewayStack, context: BrowserContext
) -> None:
    page = await context.new_page()
    await ready(page, f"{stack.url}{WATCH}?ticket={stack.ticket('anna')}")
    await at_ten_seconds(page)
    await page.goto(f"{stack.url}{WATCH}?ticket={stack.ticket('ben')}")
    await page.get_by_role("button", name="Continue as ben").click()
    await page.get_by_role("button", name="Play").wait_for()
    await until(page, "document.querySelector('video').readyState >= 1")
    assert await page.evaluate("document.querySelector('video').currentTime") == 0


async def test_who_signs_in_after_another_persons_session_ended_finds_nothing_stored(
    tmp_path: Path, context: BrowserContext
) -> None:
    async with site(tmp_path) as here:
        first = await context.new_page()
        await first.goto(here.url + WATCH)
        await sign_in_as(first, "anna")
        await first.wait_for_url(f"{here.url}{WATCH}*")
        await at_ten_seconds(first)
        await context.clear_cookies()
        second = await context.new_page()
        await second.goto(here.url + WATCH)
        await sign_in_as(second, '{"name": "ben", "groups": ["supervisors"]}')
        await second.wait_for_url(f"{here.url}{WATCH}*")
        await until(second, "document.querySelector('video').readyState >= 1")
        assert await second.evaluate("document.querySelector('video').currentTime") == 0
        # The tab that is still open stores nothing more.
        for key in ("1", "2", "m"):
            await first.keyboard.press(key)
        assert not await second.evaluate(f"{STORED}.includes('position\\\\\":10')")
