"""The large camera is loaded first, and little is loaded before somebody plays."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Route

from gateway.sim.valt import ValtSimulator
from tests.support.films import THREE_CAMERAS, three_cameras
from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.slow_line import slow_line
from tests.support.watching import EVERY, until, watching

ALONE = "801"
MEGABIT = 1e6 / 8
FIRST_PICTURE = """
    document.addEventListener("loadeddata", ({ target }) => {
        if (target === document.querySelector("video")) window.firstPicture ??= performance.now();
    }, true);
"""


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    together = three_cameras()
    alone = dataclasses.replace(together, recording=ALONE, films=together.films[:1])
    async with running_stack(tmp_path, valt=ValtSimulator(recordings=[together, alone])) as built:
        yield built


@pytest.fixture
async def page(stack: GatewayStack) -> AsyncIterator[Page]:
    async with watching(stack) as opened:
        yield opened


async def first_picture(page: Page, address: str) -> float:
    """Returns the milliseconds from the navigation to the first picture of the large camera."""
    await page.goto(address)
    await until(page, "window.firstPicture", seconds=60)
    milliseconds: float = await page.evaluate("window.firstPicture")
    await page.goto("about:blank")
    return milliseconds


async def test_on_a_slow_line_the_first_picture_is_as_early_as_with_one_camera(stack: GatewayStack, page: Page) -> None:
    await page.add_init_script(FIRST_PICTURE)
    async with slow_line(int(stack.url.rpartition(":")[2]), 1.5 * MEGABIT) as (_, url):
        await first_picture(page, f"{url}/recordings/{ALONE}")  # the scripts are in the cache from now on
        alone = min([await first_picture(page, f"{url}/recordings/{ALONE}") for _ in range(2)])
        together = min([await first_picture(page, f"{url}/recordings/{THREE_CAMERAS}") for _ in range(2)])
    assert together < 1.3 * alone


async def test_side_cameras_load_also_if_the_script_comes_after_the_first_picture(page: Page) -> None:
    async def after_the_picture(route: Route) -> None:
        await until(page, "document.querySelector('video').readyState >= 3")
        await route.continue_()

    await page.route("**/watch.js", after_the_picture)
    await page.goto(f"/recordings/{THREE_CAMERAS}")
    await until(page, f"{EVERY}(video => video.readyState >= 2)")


async def test_less_than_12_megabytes_are_loaded_before_playing(stack: GatewayStack, page: Page) -> None:
    async with slow_line(int(stack.url.rpartition(":")[2]), 50 * MEGABIT) as (line, url):
        await page.goto(f"{url}/recordings/{THREE_CAMERAS}")
        await until(page, f"{EVERY}(video => video.readyState >= 2)")
        before = 0
        while before < line.passed:  # until the browser has stopped loading
            before = line.passed
            await asyncio.sleep(1)
        assert line.passed < 12e6
        await page.get_by_role("button", name="Play").click()
        await until(page, f"{EVERY}(video => video.currentTime > 0.5)")


async def test_what_is_loaded_is_on_the_time_line_and_a_spinner_waits_300_ms(page: Page) -> None:
    await page.goto(f"/recordings/{THREE_CAMERAS}")
    await until(page, f"{EVERY}(video => video.readyState >= 2)")
    await until(page, "parseFloat(document.querySelector('.buffered').style.width) > 0")
    await page.get_by_role("button", name="Play").click()
    ahead = """() => {
        const [buffered, played] = [".buffered", ".played"].map(name => document.querySelector(name));
        const end = parseFloat(buffered.style.left) + parseFloat(buffered.style.width);
        return end > parseFloat(played.style.width);
    }"""
    await until(page, ahead)
    spinner = """() => {
        document.querySelector(".camera").dataset.state = "loading";
        const state = document.querySelector(".camera .state"), style = getComputedStyle(state);
        const turning = [...state.querySelectorAll("*")]
            .filter(each => getComputedStyle(each).animationName === "turn");
        return [style.animationName, style.animationDelay, turning.length];
    }"""
    # In one call: a camera that goes on playing leaves the state before the next one.
    assert await page.evaluate(spinner) == ["appear", "0.3s", 1]
