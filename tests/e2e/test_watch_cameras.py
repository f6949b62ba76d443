"""Each camera says what it is: no picture, no sound, a format that cannot be played, or why it cannot be loaded."""

import functools
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Route

from gateway.sim.catalogue import Film, Recording, demo_recordings
from gateway.sim.valt import ValtSimulator
from tests.support.clock import ManualClock
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
        subprocess.run([program("ffmpeg"), "-nostdin", "-y", "-loglevel", "error", *sources, *options], check=True)
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
    assert await page.evaluate(f"{camera('Old')}.innerText.includes('(mp4v)')")
    assert await page.evaluate(f"{camera('Old')}.innerText.includes('Download it')")
    await until(page, f"!{camera('Silent')}.querySelector('.silent').hidden")
    await until(page, f"{camera('Complete')}.querySelector('.listen').ariaPressed === 'true'")
    await page.get_by_role("button", name="Play").click()
    await until(page, f"{camera('Complete')}.querySelector('video').currentTime > 0.3")
    assert await page.evaluate(f"{camera('Complete')}.querySelector('video').muted") is False


async def test_a_camera_without_sound_says_so_also_if_the_script_comes_after_its_picture(page: Page) -> None:
    async def after_the_picture(route: Route) -> None:
        await until(page, "document.querySelector('video').readyState >= 2")
        await route.continue_()

    await page.route("**/watch.js", after_the_picture)
    await page.goto(f"/recordings/{MIXED}")
    await until(page, f"{camera('Silent')}?.querySelector('.silent')?.hidden === false")


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
    countdown = "Number(/in (\\d+) second/.exec(document.querySelector('.large .state').innerText)?.[1] ?? 0)"
    await until(page, f"{countdown} >= 3", seconds=60)
    await until(page, f"[1, 2].includes({countdown})", seconds=60)


async def test_a_camera_that_is_not_ready_is_requested_again_by_itself(tmp_path: Path) -> None:
    valt = ValtSimulator(recordings=[mixed()])
    more = '[links]\nnegative_ttl = "0s"'
    async with running_stack(tmp_path, valt=valt, more=more) as stack, watching(stack) as page:
        valt.recording(MIXED).films[0].ready = False
        await page.goto(f"/recordings/{MIXED}")
        await page.locator(".large .state").filter(has_text="not ready yet").wait_for()
        valt.recording(MIXED).films[0].ready = True
        await until(page, f"{camera('Silent')}.dataset.state === 'ready'", seconds=30)


async def test_too_many_requests_show_the_reason_and_the_next_attempt(tmp_path: Path, clock: ManualClock) -> None:
    limit = 40
    valt = ValtSimulator(recordings=[mixed()])
    more = f"[limits]\nrequests_per_minute = {limit}"
    async with running_stack(tmp_path, valt=valt, clock=clock, more=more) as stack, watching(stack) as page:
        await page.goto(f"/recordings/{MIXED}")
        await until(page, f"{camera('Microphone')}?.dataset.state === 'audio_only'")
        video = f"{stack.url}/recordings/{MIXED}/videos/{valt.recording(MIXED).films[0].video}"
        statuses = []
        while 429 not in statuses:
            async with stack.client.head(video, headers=stack.front("anna")) as answer:
                statuses.append(answer.status)
        await page.evaluate("document.querySelector('video').src += '?new'")
        message = page.locator(".large .state")
        await message.filter(has_text="Too many requests. Trying again in").wait_for()
        words = await message.inner_text()
        assert "Request id: " in words
        assert " seconds." in words or "1 second." in words
        clock.pass_(60)
        await until(page, f"{camera('Silent')}.dataset.state === 'ready'", seconds=60)


async def test_cameras_that_wait_for_a_connection_say_what_they_are(tmp_path: Path) -> None:
    recording = mixed()
    silent, complete, microphone, old = recording.films
    first = [
        Film(f"{number:08d}-0000-4000-8000-000000000001", f"Camera {number}", complete.content) for number in range(4)
    ]
    late = Film("00000009-0000-4000-8000-000000000001", "Late", complete.content, ready=False)
    recording.films = [*first, silent, complete, microphone, old, late]
    more = '[links]\nnegative_ttl = "0s"'
    valt = ValtSimulator(recordings=[recording])
    async with running_stack(tmp_path, valt=valt, more=more) as stack, watching(stack) as page:
        await page.set_viewport_size({"width": 1440, "height": 860})
        await page.goto(f"/recordings/{MIXED}")
        for name, words in (
            ("Silent", "No sound"),
            ("Silent", "Still picture"),
            ("Complete", "Still picture"),
            ("Microphone", "Sound only"),
            ("Old", "This browser cannot show this video"),
            ("Late", "not ready yet"),
        ):
            shows = f"name => {camera(name)}?.textContent.includes(name) && {camera(name)}.innerText.includes(name)"
            await until(page, shows, words, seconds=60)
        assert await page.evaluate(f"{camera('Camera 0')}.querySelector('.parked').hidden")
        late.ready = True
        await until(page, f"{camera('Late')}.dataset.state === 'still'", seconds=60)
