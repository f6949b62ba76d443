"""The player fits its window, frame and screen: 1 to 9 cameras, from 320 by 240 to 2560 by 1440."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from gateway.sim.catalogue import Film, Recording, demo_recordings
from gateway.sim.valt import ValtSimulator
from tests.support.gateway_fixture import running_stack
from tests.support.visible import VISIBLE
from tests.support.watching import ready, until, watching

SIZES = [
    (320, 240),
    (320, 568),
    (568, 320),
    (390, 844),
    (844, 390),
    (640, 360),
    (640, 400),
    (768, 1024),
    (1024, 768),
    (1280, 720),
    (1366, 768),
    (1920, 1080),
    (2560, 1440),
]
COUNTS = [1, 2, 4, 6, 9]
LONG_NAME = "Room+3++TW3304.example.edu+05-06-2025" * 3


def recording(cameras: int) -> Recording:
    content = demo_recordings()[0].films[0].content
    films = [
        Film(f"{number:08d}-0000-4000-8000-000000000000", f"Camera {number}", content) for number in range(cameras)
    ]
    return Recording(str(100 + cameras), f"Session with {cameras}", films=films, markers=((3.0, LONG_NAME, "red"),))


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    valt = ValtSimulator(recordings=[recording(count) for count in COUNTS])
    async with running_stack(tmp_path, valt=valt) as stack, watching(stack) as opened:
        yield opened


@pytest.mark.parametrize("embed", ["", "?embed"])
async def test_the_player_fits_every_window_with_up_to_nine_cameras(page: Page, embed: str) -> None:
    for count in COUNTS:
        await page.set_viewport_size({"width": 1280, "height": 720})
        await page.goto(f"/recordings/{100 + count}{embed}")
        await until(page, "document.querySelector('video').readyState >= 1")
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            await page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            shares = await page.evaluate(VISIBLE)
            case = (count, width, height, shares)
            assert shares["play"] > 0.99, case
            assert shares["line"] > 0.99, case
            assert shares["picture"] > 0.99, case
            assert shares["height"] > 0.2, case
            assert shares["smallest"] >= 24, case
            assert shares["sideways"] <= 0, case


async def test_full_screen_fills_the_screen_and_the_bar_hides_while_playing(page: Page) -> None:
    for count, (width, height) in itertools.product((1, 4), ((1280, 720), (1024, 768))):
        await page.set_viewport_size({"width": width, "height": height})
        await ready(page, f"/recordings/{100 + count}")
        await page.keyboard.press("f")
        await until(page, "document.fullscreenElement?.id === 'watch'")
        possible = min(height, width * 9 / 16)
        large = "document.querySelector('video').getBoundingClientRect()"
        await until(page, f"possible => Math.min({large}.height, {large}.width * 9 / 16) >= 0.9 * possible", possible)
        background = "getComputedStyle(document.fullscreenElement).backgroundColor"
        assert await page.evaluate(background) == "rgb(0, 0, 0)"
        await page.keyboard.press("k")
        hidden = "getComputedStyle(document.querySelector('.controls')).opacity === '0'"
        await until(page, hidden)
        await page.mouse.move(100, 100)
        await page.mouse.move(110, 110)
        await until(page, "getComputedStyle(document.querySelector('.controls')).opacity === '1'")
        await page.keyboard.press("k")
        if count > 1:
            before = await page.evaluate("document.querySelector('video').ariaLabel")
            await page.locator(".pick:not([hidden])").first.click()
            assert await page.evaluate("document.querySelector('video').ariaLabel") != before
        await page.keyboard.press("f")
        await until(page, "document.fullscreenElement === null")


async def test_in_full_screen_a_camera_that_waits_for_data_does_not_bring_the_bar_back(page: Page) -> None:
    await ready(page, "/recordings/104")
    await page.keyboard.press("f")
    await until(page, "document.fullscreenElement?.id === 'watch'")
    await page.keyboard.press("k")
    await until(page, "document.querySelector('#watch').classList.contains('quiet')")
    waits = """() => {
        document.querySelectorAll("video")[1].dispatchEvent(new Event("waiting"));
        return [document.querySelectorAll(".camera")[1].dataset.state, document.querySelector("#watch").className];
    }"""
    state, classes = await page.evaluate(waits)
    assert state == "loading"
    assert "quiet" in classes.split()
    await page.keyboard.press("k")
    assert not await page.evaluate("document.querySelector('#watch').classList.contains('quiet')")


async def test_a_double_click_toggles_full_screen_and_does_not_start_playing(page: Page) -> None:
    await ready(page, "/recordings/102")
    await page.locator(".large video").dblclick()
    await until(page, "document.fullscreenElement?.id === 'watch'")
    assert await page.get_by_role("button", name="Play").is_visible()
    await page.locator(".large video").dblclick()
    await until(page, "document.fullscreenElement === null")


async def test_long_names_without_spaces_wrap(page: Page) -> None:
    await page.set_viewport_size({"width": 320, "height": 568})
    await page.goto("/recordings/102")
    await page.evaluate("name => document.querySelector('h1').textContent = name", LONG_NAME)
    assert await page.evaluate("document.documentElement.scrollWidth") == 320


NOTICE = "Viewing is recorded. On Saturday from 8 to 10 the recordings cannot be watched because of maintenance."


@pytest.mark.promise("watch-13")
async def test_a_long_notice_and_a_long_name_push_no_button_out_of_the_window(tmp_path: Path) -> None:
    valt = ValtSimulator(recordings=[recording(4)])
    more = f'[branding]\nname = "Recordings of the clinic"\nnotice = "{NOTICE}"'
    person = "anna.maria.schmidt-hoffmann@students.example.edu"
    async with (
        running_stack(tmp_path, valt=valt, more=more) as stack,
        watching(stack, stack.front(person)) as page,
    ):
        await page.goto("/recordings/104")
        await until(page, "document.querySelector('video').readyState >= 1")
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            await page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            shares = await page.evaluate(VISIBLE)
            case = (width, height, shares)
            assert shares["play"] > 0.99, case
            assert shares["line"] > 0.99, case
            assert shares["picture"] > 0.99, case
            assert shares["sideways"] <= 0, case
            inside = "element => element.getBoundingClientRect().right <= innerWidth"
            assert await page.get_by_role("link", name="Recordings list").evaluate(inside), case
            assert await page.get_by_text(NOTICE).is_visible(), case


@pytest.mark.promise("watch-13")
async def test_at_twice_the_size_of_text_everything_is_there_and_nothing_scrolls_sideways(page: Page) -> None:
    for width, height in ((1280, 720), (390, 844)):
        await page.set_viewport_size({"width": width, "height": height})
        await page.goto("/recordings/104")
        await until(page, "document.querySelector('video').readyState >= 1")
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        await page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        shares = await page.evaluate(VISIBLE)
        case = (width, height, shares)
        assert shares["play"] > 0.99, case
        assert shares["line"] > 0.99, case
        assert shares["sideways"] <= 0, case
        fits = "(bar => bar.scrollWidth <= bar.clientWidth)(document.querySelector('.bar'))"
        assert await page.evaluate(fits), case


SMALL = """() => {
    const top = document.querySelector(".controls").getBoundingClientRect().top;
    const small = [...document.querySelectorAll(".camera:not(.large)")].map(item => item.getBoundingClientRect());
    return small.every(box => box.width >= 40 && box.bottom <= top + 1 && box.right <= innerWidth + 1);
}"""


async def test_in_full_screen_the_bar_covers_no_small_picture_and_each_can_be_swapped(page: Page) -> None:
    for count, (width, height) in itertools.product((2, 4, 9), ((1280, 720), (1024, 768), (390, 844), (844, 390))):
        await page.set_viewport_size({"width": width, "height": height})
        await page.goto(f"/recordings/{100 + count}")
        await until(page, "document.querySelector('video').readyState >= 1")
        await page.keyboard.press("f")
        await until(page, "document.fullscreenElement?.id === 'watch'")
        await until(page, SMALL)
        for _ in range(2):
            name = await page.locator(".pick:not([hidden])").last.get_attribute("aria-label") or ""
            await page.get_by_role("button", name=name, exact=True).click()
            large = await page.locator(".large .name").inner_text()
            assert name == f"Show {large} large", (count, width, height)
        await page.keyboard.press("f")
        await until(page, "document.fullscreenElement === null")
