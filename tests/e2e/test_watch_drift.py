"""Three cameras of different lengths stay within 0.1 s of each other for two minutes and after fifty seeks."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from gateway.sim.valt import ValtSimulator
from tests.support.films import LENGTHS, THREE_CAMERAS, three_cameras
from tests.support.gateway_fixture import running_stack
from tests.support.watching import ready, until, watching

WATCH = f"/recordings/{THREE_CAMERAS}"
MAX_DIFFERENCE = 0.1  # seconds, as documented
# Sampled at each frame. After a seek, and after a jump of a camera's own clock (a busy machine), the cameras have three
# seconds to synchronise; every later sample counts.
OBSERVE = """near => {
    Object.assign(window, { settled: false, worst: 0, samples: 0, counted: 0, since: 0 });
    const before = [];
    const sample = now => {
        const videos = [...document.querySelectorAll("video")];
        const positions = videos.map(video => video.currentTime);
        const apart = Math.max(...positions) - Math.min(...positions);
        before.push({ now, positions, rates: videos.map(video => video.playbackRate) });
        if (before.length > 10) before.shift();
        const jumped = camera => {
            let due = before[0].positions[camera];
            for (let at = 1; at < before.length; at++)
                due += before[at - 1].rates[camera] * (before[at].now - before[at - 1].now) / 1000;
            return Math.abs(positions[camera] - due) > 0.04;
        };
        if (videos.some((video, camera) => video.seeking || video.paused || jumped(camera))) {
            Object.assign(window, { settled: false, since: now });
        } else if (apart < near || now - window.since > 3000) window.settled = true;
        window.samples += 1;
        if (window.settled) {
            window.worst = Math.max(window.worst, apart);
            window.counted += 1;
        }
        requestAnimationFrame(sample);
    };
    requestAnimationFrame(sample);
}"""


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with (
        running_stack(tmp_path, valt=ValtSimulator(recordings=[three_cameras()])) as stack,
        watching(stack) as opened,
    ):
        await ready(opened, WATCH)
        await opened.evaluate(OBSERVE, MAX_DIFFERENCE / 2)
        yield opened


@pytest.mark.promise("watch-2")
async def test_three_cameras_stay_in_step_for_two_minutes_and_after_fifty_seeks(
    page: Page,
) -> None:
    await page.get_by_role("combobox", name="Speed").select_option("2")
    await page.keyboard.press("k")
    await until(page, "document.querySelector('video').currentTime > 121", seconds=120)
    assert await page.evaluate("window.worst") < MAX_DIFFERENCE
    assert await page.evaluate("window.counted > window.samples / 2")
    positions = random.Random(50)
    for _ in range(50):
        await page.get_by_role("slider", name="Time line").fill(str(positions.randrange(min(LENGTHS.values()) - 10)))
        await page.evaluate("Object.assign(window, { settled: false, since: performance.now() })")
        await until(page, "window.settled")
    assert await page.evaluate("window.worst") < MAX_DIFFERENCE
