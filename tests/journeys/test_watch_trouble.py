"""The watch page in trouble: it waits and goes on, and it gives up where there is no hope."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Request

from gateway.sim.catalogue import CAMERA_B, SESSION
from gateway.sim.valt import ValtSimulator
from tests.support.clock import ManualClock
from tests.support.films import THREE_CAMERAS, three_cameras
from tests.support.harness import House, house
from tests.support.watching import WATCH, moved_to, ready, until, watching


@pytest.fixture
async def page(home: House) -> AsyncIterator[Page]:
    async with watching(home) as opened:
        yield opened


async def test_without_a_network_it_waits_and_then_goes_on_by_itself(page: Page) -> None:
    await ready(page, f"{WATCH}?t=6")
    await page.keyboard.press("k")
    await moved_to(page, 6.3)
    await page.context.set_offline(True)
    await page.get_by_text("The connection is gone").wait_for()
    await page.evaluate("for (const video of document.querySelectorAll('video')) video.src += '?new'")
    await until(page, "document.querySelectorAll('[data-state=resting]').length === 2")
    await page.context.set_offline(False)
    await page.get_by_text("The connection is back.").wait_for()
    await moved_to(page, 6.5)
    await page.get_by_text("The connection is gone").wait_for(state="hidden")


async def test_while_valt_is_down_it_says_so_and_goes_on_at_the_same_place(tmp_path: Path, clock: ManualClock) -> None:
    valt = ValtSimulator(recordings=[three_cameras()])
    async with house(tmp_path, clock=clock, valt=valt) as home, watching(home) as page:
        await ready(page, f"/recordings/{THREE_CAMERAS}")
        await page.keyboard.press("k")
        await moved_to(page, 0.5)
        valt.knobs.fail["download"] = [503] * 1000
        valt.knobs.refuse_media = [503] * 1000
        await page.get_by_role("slider", name="Position").fill("100")
        await page.get_by_text("The picture was lost. Trying again.").first.wait_for()
        valt.knobs.fail["download"].clear()
        valt.knobs.refuse_media.clear()
        clock.pass_(60)
        await moved_to(page, 100.3)
        assert await page.get_by_role("button", name="Try again").count() == 0


async def test_a_film_that_no_browser_plays_is_given_up_after_five_tries(home: House, page: Page) -> None:
    home.valt.recording(SESSION).films[1].content = b"no film"
    asked: list[str] = []

    def note(request: Request) -> None:
        if CAMERA_B in request.url and request.resource_type == "media":
            asked.append(request.url)

    page.on("request", note)
    await page.clock.install()
    await page.goto(WATCH)
    while not await page.get_by_role("button", name="Try again").is_visible():
        await page.clock.run_for(1000)
    assert len(set(asked)) == 5
    await page.clock.run_for(60_000)
    assert len(set(asked)) == 5
