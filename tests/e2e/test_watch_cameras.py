"""Each camera says what it is: no picture, no sound, a format that cannot be played, or why it cannot be loaded."""

import functools
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from gateway.sim.catalogue import Film, Recording, demo_recordings
from gateway.sim.valt import ValtSimulator
from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.programs import program
from tests.support.watching import until, watching

MIXED = "700"


@functools.cache
def film(*codecs: str) -> bytes:
    """Returns four seconds of a test pattern with a tone. *codecs* are ffmpeg's options that select the tracks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "film.mp4")
        sources = ["-f", "lavfi", "-i", "testsrc2=size=256x144:rate=15:duration=4"]
        sources += ["-f", "lavfi", "-i", "sine=duration=4"]
        options = [*codecs, "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path)]
        subprocess.run([program("ffmpeg"), "-y", "-loglevel", "error", *sources, *options], check=True)
        return path.read_bytes()


def mixed() -> Recording:
    contents = {
        "Silent": film("-an", "-c:v", "libx264"),
        "Complete": demo_recordings()[0].films[0].content,
        "Microphone": film("-vn", "-c:a", "aac"),
        "Old": film("-c:v", "mpeg4", "-an"),
    }
    films = [
        Film(f"{number:08d}-0000-4000-8000-000000000000", name, content)
        for number, (name, content) in enumerate(contents.items())
    ]
    return Recording(MIXED, "Mixed", films=films)


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, valt=ValtSimulator(recordings=[mixed()])) as built:
        yield built


@pytest.fixture
async def page(stack: GatewayStack) -> AsyncIterator[Page]:
    async with watching(stack) as opened:
        yield opened


def camera(name: str) -> str:
    return (
        f"[...document.querySelectorAll('.camera')].find(item => item.querySelector('.name').textContent === '{name}')"
    )


async def test_each_camera_says_what_it_is_and_the_first_with_sound_is_heard(page: Page) -> None:
    await page.goto(f"/recordings/{MIXED}")
    states = (("Silent", "ready"), ("Complete", "ready"), ("Microphone", "audio_only"))
    for name, state in states:
        await until(page, f"{camera(name)}?.dataset.state === '{state}'")
    assert await page.evaluate(f"{camera('Microphone')}.innerText.includes('Sound only')")
    await until(page, f"{camera('Old')}.innerText.includes('This browser cannot show this video')", seconds=60)
    assert await page.evaluate(f"{camera('Old')}.innerText.includes('Download it')")
    await until(page, f"!{camera('Silent')}.querySelector('.silent').hidden")
    await until(page, f"{camera('Complete')}.querySelector('.listen').ariaPressed === 'true'")
    await page.get_by_role("button", name="Play").click()
    await until(page, f"{camera('Complete')}.querySelector('video').currentTime > 0.3")
    assert await page.evaluate(f"{camera('Complete')}.querySelector('video').muted") is False


async def test_the_camera_that_is_heard_and_the_volume_are_remembered(page: Page) -> None:
    await page.goto(f"/recordings/{MIXED}")
    await until(page, f"{camera('Microphone')}?.dataset.state === 'audio_only'")
    await page.get_by_role("button", name="Hear Microphone").click()
    await page.get_by_role("slider", name="Volume").fill("0.5")
    await page.reload()
    await until(page, f"{camera('Microphone')}?.querySelector('.listen')?.ariaPressed === 'true'")
    assert await page.evaluate("document.querySelector('video').volume") == 0.5


async def test_a_refused_camera_shows_reason_request_id_and_next_attempt(stack: GatewayStack, page: Page) -> None:
    stack.valt.knobs.fail["download"] = [503] * 1000
    await page.goto(f"/recordings/{MIXED}")
    message = page.locator(".large .state")
    await message.filter(has_text="The recording system cannot be reached. Trying again in").wait_for()
    words = (await message.inner_text()).split()
    assert len(words[words.index("id:") + 1]) >= 16


async def test_a_camera_that_is_not_ready_is_requested_again_by_itself(tmp_path: Path) -> None:
    valt = ValtSimulator(recordings=[mixed()])
    more = '[links]\nnegative_ttl = "0s"'
    async with running_stack(tmp_path, valt=valt, more=more) as stack, watching(stack) as page:
        valt.recording(MIXED).films[0].ready = False
        await page.goto(f"/recordings/{MIXED}")
        await page.locator(".large .state").filter(has_text="not ready yet").wait_for()
        valt.recording(MIXED).films[0].ready = True
        await until(page, f"{camera('Silent')}.dataset.state === 'ready'", seconds=30)
