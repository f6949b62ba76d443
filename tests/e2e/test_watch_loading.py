"""The large camera is loaded first, and little is loaded before somebody plays."""

import dataclasses
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from gateway.sim.valt import ValtSimulator
from tests.support.films import THREE_CAMERAS, three_cameras
from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.watching import EVERY, until, watching

ALONE = "801"
LINE = {"offline": False, "latency": 40, "downloadThroughput": 1.5e6 / 8, "uploadThroughput": 1e6 / 8}


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


async def first_picture(page: Page, recording: str) -> float:
    """Returns the milliseconds from the navigation to the first picture of the large camera."""
    await page.goto(f"/recordings/{recording}")
    await until(page, "document.querySelector('video').readyState >= 2", seconds=60)
    milliseconds: float = await page.evaluate("performance.now()")
    return milliseconds


async def bytes_sent(stack: GatewayStack) -> float:
    async with stack.client.get(stack.admin + "/metrics") as answer:
        match = re.search(r"^valt_gateway_stream_bytes_total (\S+)$", await answer.text(), re.MULTILINE)
    assert match is not None
    return float(match[1])


async def test_on_a_slow_line_the_first_picture_is_as_early_as_with_one_camera(page: Page) -> None:
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", LINE)
    await page.goto(f"/recordings/{ALONE}")  # the scripts are in the cache from now on
    alone = min([await first_picture(page, ALONE) for _ in range(2)])
    together = min([await first_picture(page, THREE_CAMERAS) for _ in range(2)])
    assert together < 1.3 * alone + 100


async def test_little_is_loaded_before_playing_and_every_camera_after(stack: GatewayStack, page: Page) -> None:
    await page.goto(f"/recordings/{THREE_CAMERAS}")
    await until(
        page, f"{EVERY}(video => video.readyState >= 2 && video.networkState === video.NETWORK_IDLE)", seconds=30
    )
    assert await bytes_sent(stack) < 12e6
    await page.get_by_role("button", name="Play").click()
    await until(page, f"{EVERY}(video => video.currentTime > 0.5)")
