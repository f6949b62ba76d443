"""Browser sign-in as Chromium lives it: moments behind #, the back button, sessions that end, clocks that are off."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext

from gateway.sim.catalogue import SESSION
from tests.support.axe import violations
from tests.support.browser import browser, is_playing
from tests.support.harness import VIDEO_PATH
from tests.support.sign_in import Site, sign_in_as, site

WATCH = f"/recordings/{SESSION}"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as running:
        yield running


@pytest.fixture
async def context() -> AsyncIterator[BrowserContext]:
    async with browser() as chromium:
        opened = await chromium.new_context(locale="en-GB")
        opened.set_default_timeout(15_000)
        yield opened


@pytest.mark.parametrize(
    ("address", "moment"), [(f"{WATCH}#t=9", 9), (f"{VIDEO_PATH}#t=3", 3), (f"{WATCH}?t=4#t=0:11.5", 11.5)]
)
async def test_a_moment_behind_the_hash_is_kept_through_the_providers_forms(
    here: Site, context: BrowserContext, address: str, moment: float
) -> None:
    page = await context.new_page()
    await page.goto(here.url + address)
    await sign_in_as(page, "anna")
    await page.wait_for_url(here.url + address)
    await page.wait_for_selector("video")
    assert await is_playing(page)
    assert await page.evaluate("document.querySelector('video').played.start(0)") == pytest.approx(moment, abs=0.5)


async def test_without_scripts_sign_in_goes_on_by_itself_and_keeps_path_and_query(here: Site) -> None:
    async with browser() as chromium:
        page = await (await chromium.new_context(java_script_enabled=False)).new_page()
        await page.goto(f"{here.url}{WATCH}?t=4")
        await sign_in_as(page, "anna")
        await page.wait_for_url(f"{here.url}{WATCH}?t=4")


async def test_where_the_script_does_not_come_a_button_leads_on(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.route("**/moment.js", lambda route: route.abort())
    await page.goto(here.url + WATCH)
    assert await violations(page) == []
    await page.get_by_role("link", name="Sign in").click()
    await sign_in_as(page, "anna")
    await page.wait_for_url(here.url + WATCH)


async def test_an_address_that_is_no_moment_goes_no_further_than_the_browser(
    here: Site, context: BrowserContext
) -> None:
    page = await context.new_page()
    for fragment in ("#//evil.test", "#t=1%0d%0aX", "#t=<script>", "#access_token=x"):
        await page.goto("about:blank")
        await page.goto(f"{here.url}{WATCH}{fragment}")
        await page.wait_for_selector("input[name=login]")
    await sign_in_as(page, "anna")
    await page.wait_for_url(here.url + WATCH)
