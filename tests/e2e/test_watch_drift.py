"""Three cameras of different lengths, two minutes of playing and fifty seeks: how far they ever are apart."""

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
IN_STEP = 0.1  # seconds, as is promised
# Sampled with every frame. After a seek, and whenever a camera's own clock has jumped because the machine gave it no
# time, the cameras may find together first, within three seconds: from then on until the next of these, every sample
# counts.
OBSERVE = """near => {
    Object.assign(window, { settled: false, worst: 0, samples: 0, counted: 0, since: 0 });
    const before = [];
    const look = now => {
        const videos = [...document.querySelectorAll("video")];
        const places = videos.map(video => video.currentTime);
        const apart = Math.max(...places) - Math.min(...places);
        before.push({ now, places, rates: videos.map(video => video.playbackRate) });
        if (before.length > 10) before.shift();
        const jumped = camera => {
            let due = before[0].places[camera];
            for (let at = 1; at < before.length; at++)
                due += before[at - 1].rates[camera] * (before[at].now - before[at - 1].now) / 1000;
            return Math.abs(places[camera] - due) > 0.04;
        };
        if (videos.some((video, camera) => video.seeking || video.paused || jumped(camera))) {
            Object.assign(window, { settled: false, since: now });
        } else if (apart < near || now - window.since > 3000) window.settled = true;
        window.samples += 1;
        if (window.settled) {
            window.worst = Math.max(window.worst, apart);
            window.counted += 1;
        }
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with (
        running_stack(tmp_path, valt=ValtSimulator(recordings=[three_cameras()])) as stack,
        watching(stack) as opened,
    ):
        await ready(opened, WATCH)
        await opened.evaluate(OBSERVE, IN_STEP / 2)
        yield opened


@pytest.mark.promise("watch-2")
async def test_three_cameras_stay_in_step_for_two_minutes_and_after_fifty_seeks(
    page: Page,
) -> None:
    await page.get_by_role("combobox", name="Speed").select_option("2")
    await page.keyboard.press("k")
    await until(page, "document.querySelector('video').currentTime > 121", seconds=120)
    assert await page.evaluate("window.worst") < IN_STEP
    assert await page.evaluate("window.counted > window.samples / 2")
    places = random.Random(50)
    for _ in range(50):
        await page.get_by_role("slider", name="Position").fill(str(places.randrange(min(LENGTHS.values()) - 10)))
        await page.evaluate("Object.assign(window, { settled: false, since: performance.now() })")
        await until(page, "window.settled")
    assert await page.evaluate("window.worst") < IN_STEP
