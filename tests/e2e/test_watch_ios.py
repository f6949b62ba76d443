"""The rules of iOS (docs/player.md): one sounding video, inside the page, its own full screen, two bytes first."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page

from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack
from tests.support.watching import EVERY, moved_to, ready, until, watching

pytestmark = pytest.mark.promise("watch-20")

AUDIBLE = "[...document.querySelectorAll('video')].filter(video => !video.muted).map(video => video.ariaLabel).join()"
LIKE_AN_IPHONE = """
    Object.defineProperty(Document.prototype, "fullscreenEnabled", { value: false });
    HTMLVideoElement.prototype.webkitEnterFullscreen = function () { window.fills = this.ariaLabel; };
"""


@pytest.fixture
async def page(stack: GatewayStack) -> AsyncIterator[Page]:
    async with watching(stack) as opened:
        yield opened


async def test_one_video_sounds_and_all_play_inside_the_page(page: Page) -> None:
    await ready(page)
    assert await page.evaluate(f"{EVERY}(video => video.playsInline && !video.autoplay)")
    assert await page.evaluate(AUDIBLE) == "Ceiling"
    await page.get_by_role("button", name="Play").click()
    await moved_to(page, 0.5)
    assert await page.evaluate(AUDIBLE) == "Ceiling"
    await page.get_by_role("button", name="Show Door large").click()
    assert await page.evaluate(AUDIBLE) == "Ceiling"
    await page.get_by_role("button", name="Hear Door").click()
    await until(page, f"{AUDIBLE} === 'Door'")
    await page.keyboard.press("m")
    await until(page, f"{AUDIBLE} === ''")


async def test_where_only_a_video_may_fill_the_screen_the_large_camera_does(page: Page) -> None:
    await page.add_init_script(LIKE_AN_IPHONE)
    await ready(page)
    await page.keyboard.press("2")
    await page.get_by_role("button", name="Full screen").click()
    await until(page, "window.fills === 'Door'")


async def test_the_first_two_bytes_are_answered_by_exactly_two_and_the_size(stack: GatewayStack) -> None:
    headers = stack.front("anna") | {"Range": "bytes=0-1"}
    async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as answer:
        assert (answer.status, len(await answer.read())) == (206, 2)
        size = len(stack.valt.recordings[0].films[0].content)
        assert answer.headers["Content-Range"] == f"bytes 0-1/{size}"
        assert answer.headers["Content-Length"] == "2"
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.content_type == "video/mp4"
