"""The watch page with links that expire every three seconds and end their downloads: playing is not interrupted."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Route

from gateway.sim.valt import ValtSimulator
from tests.support.films import THREE_CAMERAS, three_cameras
from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.watching import moved_to, ready, until, watching

WATCH = f"/recordings/{THREE_CAMERAS}"
# Measures, at each frame, for how long each camera has not advanced. A pause of the page counts for 50 ms at most.
OBSERVE = """() => {
    const cameras = [...document.querySelectorAll(".camera")].map(item => ({ item, position: -1, still: 0 }));
    window.longest = 0;
    window.broken = [];
    document.addEventListener("error", ({ target }) => window.broken.push(target.error?.message), true);
    let before = performance.now();
    const look = now => {
        const passed = Math.min(now - before, 50);
        before = now;
        for (const camera of cameras) {
            const position = camera.item.querySelector("video").currentTime;
            camera.still = position === camera.position ? camera.still + passed : 0;
            camera.position = position;
            window.longest = Math.max(window.longest, camera.still);
        }
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""

IN_PICTURE = "document.pictureInPictureElement === document.querySelector('.large video')"


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    valt = ValtSimulator(recordings=[three_cameras()])
    valt.knobs.link_life, valt.knobs.expiry_cuts = 3, True
    async with running_stack(tmp_path, valt=valt) as built:
        yield built


async def plays_on(stack: GatewayStack, page: Page) -> None:
    """Plays during four lifetimes of a link, and from a position that no link has fetched yet."""
    await ready(page, WATCH)
    await page.keyboard.press("k")
    await moved_to(page, 1)
    await page.evaluate(OBSERVE)
    await moved_to(page, 7)
    await page.get_by_role("slider", name="Time line").fill("100")
    await moved_to(page, 107)
    assert await page.evaluate("window.longest") < 1000
    assert await page.evaluate("window.broken") == []


@pytest.mark.promise("watch-10")
async def test_redirects_that_expire_every_three_seconds_interrupt_nothing(
    stack: GatewayStack,
) -> None:
    async with watching(stack, stack.front("dora", "redirected")) as page:
        await plays_on(stack, page)
    assert stack.valt.calls["download"] >= 3 * 4


async def test_a_picture_in_picture_stays_open_while_its_link_is_renewed(stack: GatewayStack) -> None:
    async with watching(stack, stack.front("dora", "redirected")) as page:
        await ready(page, WATCH)
        await page.keyboard.press("k")
        await page.get_by_role("button", name="Picture in picture").click()
        await moved_to(page, 6)
        assert await page.evaluate(IN_PICTURE)
        assert "again=" in await page.evaluate("document.pictureInPictureElement.currentSrc")


async def test_a_picture_in_picture_that_opens_during_a_renewal_stays_open(stack: GatewayStack) -> None:
    renewing, opened = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        renewing.set()
        await opened.wait()
        await route.continue_()

    async with watching(stack, stack.front("dora", "redirected")) as page:
        await ready(page, WATCH)
        await page.route("**/*again=1", hold)
        await page.keyboard.press("k")
        await renewing.wait()
        await page.get_by_role("button", name="Picture in picture").click()
        await until(page, IN_PICTURE)
        opened.set()
        await until(page, "document.querySelector('.large video').currentSrc.endsWith('again=2')")
        assert await page.evaluate(IN_PICTURE)


@pytest.mark.promise("watch-10")
async def test_proxied_links_that_expire_every_three_seconds_interrupt_nothing(stack: GatewayStack) -> None:
    async with watching(stack) as page:
        await plays_on(stack, page)
    assert stack.valt.calls["download"] >= 3 * 2
