"""axe finds no violation of WCAG on any page, light or dark, wide or on a phone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from gateway.sim.catalogue import SESSION
from tests.support.axe import violations, violations_in_every_view
from tests.support.browser import browser
from tests.support.gateway_fixture import GatewayStack
from tests.support.page_states import PAGES, opened, pages_stack


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with pages_stack(tmp_path) as running:
        yield running


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as running:
        yield running


@pytest.mark.promise("sign-in-13")
async def test_axe_finds_nothing_on_any_page(here: GatewayStack, chromium: Browser) -> None:
    violations_by_page = {}
    for name in PAGES:
        page = await opened(here, chromium, name)
        violations_by_page[name] = await violations_in_every_view(page)
        await page.context.close()
    assert {name: lines for name, lines in violations_by_page.items() if lines} == {}


@pytest.mark.promise("sign-in-13")
async def test_axe_finds_nothing_on_the_page_after_sign_out(here: GatewayStack, chromium: Browser) -> None:
    page = await opened(here, chromium, "sign-out")
    await page.get_by_role("button", name="Sign out").click()
    assert await page.get_by_role("heading", level=1).inner_text() == "You are signed out"
    assert await violations_in_every_view(page) == []


@pytest.mark.promise("security-S9")
async def test_axe_finds_nothing_on_the_page_that_asks_for_a_change_of_person(
    here: GatewayStack, chromium: Browser
) -> None:
    page = await (await chromium.new_context(locale="en-GB")).new_page()
    for person in ("anna", "ben"):
        await page.goto(f"{here.url}/recordings?ticket={here.ticket(person)}")
    assert "anna. The link that you followed was made for ben." in await page.get_by_role("main").inner_text()
    assert await violations_in_every_view(page) == []
    await page.get_by_role("link", name="Stay signed in as anna").click()
    await page.goto(f"{here.url}/")
    assert await page.get_by_role("heading", level=1).inner_text() == "You are signed in as anna"


@pytest.mark.promise("watch-13")
async def test_axe_finds_nothing_on_the_watch_page_while_playing_and_offline(
    here: GatewayStack, chromium: Browser
) -> None:
    here.valt.recording(SESSION).films[1].ready = False
    page = await opened(here, chromium, "watch page")
    await page.get_by_role("button", name="Try again").wait_for()
    await page.get_by_role("button", name="Play").click()
    await page.get_by_role("button", name="Pause").wait_for()
    assert await violations_in_every_view(page) == []
    await page.context.set_offline(True)
    await page.get_by_text("No connection.").wait_for()
    await page.keyboard.press("?")
    await page.get_by_role("dialog").wait_for()
    assert await violations_in_every_view(page) == []


@pytest.mark.promise("sign-in-13")
async def test_axe_reports_violations(chromium: Browser) -> None:
    page = await chromium.new_page()
    await page.set_content("<title>x</title><img src=x><p style='color:#aaa;background:#fff'>faint</p>")
    assert {line.partition(":")[0] for line in await violations(page)} >= {"image-alt", "color-contrast"}
