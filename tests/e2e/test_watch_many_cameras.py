"""More cameras than a browser opens connections to a host over HTTP/1.1: some play, the others show still pictures."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from gateway.delivery.streams import Stream
from gateway.sim.valt import ValtSimulator
from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.hour_films import HOUR, hour
from tests.support.watching import until, watching

WATCH = f"/recordings/{HOUR}"
STILLS = "[...document.querySelectorAll('.still')].filter(still => !still.hidden)"
PLAYING = "[...document.querySelectorAll('video')].filter(video => !video.paused && video.currentTime > {})"
PICTURES = f"{STILLS}.map(still => still.toDataURL())"


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, valt=ValtSimulator(recordings=[hour(9)])) as built:
        yield built


@pytest.fixture
async def page(stack: GatewayStack) -> AsyncIterator[Page]:
    async with watching(stack) as opened:
        yield opened


async def most_streams(stack: GatewayStack, until_set: asyncio.Event) -> int:
    """Returns the largest number of films that were streamed at once before *until_set* was set.

    Half a second at least: the gateway counts a connection for a moment after the browser has closed it.
    """
    most, before = 0, set[Stream]()
    while not until_set.is_set():
        now = set(stack.gateway.streams)
        most, before = max(most, len(now & before)), now
        await asyncio.sleep(0.5)
    return most


async def test_nine_films_of_an_hour_use_five_connections(stack: GatewayStack, page: Page) -> None:
    played = asyncio.Event()
    counting = asyncio.create_task(most_streams(stack, played))
    await page.goto(f"{WATCH}?t=30m")
    await until(page, f"{STILLS}.length === 5", seconds=60)
    await page.get_by_role("button", name="Play").click()
    await until(page, f"{PLAYING.format(1801)}.length === 4", seconds=60)
    # A connection is left for what the page itself requests.
    assert await page.evaluate("fetch('/oauth2/userinfo').then(response => response.status)") == 200
    pictures: list[str] = await page.evaluate(PICTURES)
    await until(page, f"old => {PICTURES}.every(picture => !old.includes(picture))", pictures, seconds=60)
    played.set()
    assert await counting <= 5


async def test_a_camera_that_is_chosen_plays_in_place_of_another(page: Page) -> None:
    await page.goto(f"{WATCH}?t=30m")
    await until(page, f"{STILLS}.length === 5", seconds=60)
    await page.get_by_role("button", name="Play").click()
    await page.get_by_role("button", name="Show Camera 9 large").click()
    await until(page, "document.querySelector('.large video').currentTime > 1801", seconds=60)
    await expect(page.locator(".large .still")).to_be_hidden()
    await until(page, f"{PLAYING.format(1801)}.length === 4 && {STILLS}.length === 5", seconds=60)
