"""The watch page in WebKitGTK, whose engine is Safari's."""

from collections.abc import AsyncIterator

import pytest

from tests.support.gateway_fixture import GatewayStack
from tests.support.other_browsers import Window, webkit_window
from tests.support.watching import EVERY, WATCH

PLAYED = f"seconds => {EVERY}(video => video.currentTime >= seconds && video.videoWidth > 0)"


@pytest.fixture
async def window() -> AsyncIterator[Window]:
    async with webkit_window() as opened:
        yield opened
        assert opened.faults() == []


async def test_a_ticket_of_the_portal_opens_a_recording_that_plays(stack: GatewayStack, window: Window) -> None:
    await window.open(f"{stack.url}{WATCH}?ticket={stack.ticket()}")
    await window.until("href => location.href === href", stack.url + WATCH)
    await window.click("Play")
    await window.until(PLAYED, 1)
    await window.click("Pause")
    await window.until(f"{EVERY}(video => video.paused && !video.seeking)")
