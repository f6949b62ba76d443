"""The watch page in a browser: every camera on one clock, whatever happens to one of them, and without a script too."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from gateway.sim.catalogue import SESSION
from tests.support.browser import browser
from tests.support.harness import House, house

WATCH = f"/recordings/{SESSION}"
EVERY = "[...document.querySelectorAll('video')].every"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as built:
        yield built


@pytest.fixture
async def page(home: House) -> AsyncIterator[Page]:
    async with browser() as chromium:
        context = await chromium.new_context(extra_http_headers=home.front("anna"), base_url=home.url, locale="en-GB")
        opened = await context.new_page()
        faults: list[str] = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on("console", lambda line: faults.append(line.text) if "Security Policy" in line.text else None)
        yield opened
        assert faults == []


async def ready(page: Page, address: str = WATCH) -> None:
    """Open the page and wait until each camera can play."""
    await page.goto(address)
    await page.wait_for_function(f"{EVERY}(video => video.readyState >= 3)")


async def times(page: Page) -> list[float]:
    told: list[float] = await page.evaluate("[...document.querySelectorAll('video')].map(video => video.currentTime)")
    return told


async def moved_to(page: Page, seconds: float) -> None:
    """Wait until every camera is at *seconds* or later, and not far."""
    await page.wait_for_function(
        f"at => {EVERY}(video => video.currentTime >= at - 0.05 && video.currentTime < at + 3)", arg=seconds
    )


async def stands(page: Page) -> None:
    await page.wait_for_function(f"{EVERY}(video => video.paused && !video.seeking)")


async def test_play_pause_seek_and_speed_move_every_camera(home: House, page: Page) -> None:
    await ready(page)
    await page.get_by_role("button", name="Play").click()
    await moved_to(page, 0.5)
    await page.get_by_role("slider", name="Position").fill("12")
    await moved_to(page, 12.2)
    await page.get_by_role("combobox", name="Speed").select_option("2")
    await moved_to(page, 14.0)
    assert await page.evaluate("document.querySelector('video').playbackRate") == 2
    await page.get_by_role("button", name="Pause").click()
    await page.wait_for_function(
        "[...document.querySelectorAll('video')].every(video => video.paused && !video.seeking)"
    )
    one, other = await times(page)
    assert one == pytest.approx(other, abs=0.05)
