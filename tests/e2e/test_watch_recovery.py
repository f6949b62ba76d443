"""One request that fails, is never answered or is answered late leaves nothing on the watch page wrong for ever."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Page, Request, Route

from gateway.sim.catalogue import INTERVIEW, Film, Recording, demo_recordings
from gateway.sim.valt import ValtSimulator
from tests.e2e.test_watch_cameras import MIXED, camera, mixed
from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.watching import EVERY, WATCH, until, watching

pytestmark = pytest.mark.promise("watch-21")

Handler = Callable[[Route], Awaitable[None]]


@pytest.fixture
async def mixed_stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, valt=ValtSimulator(recordings=[mixed()])) as built:
        yield built


@pytest.fixture
async def mixed_page(mixed_stack: GatewayStack) -> AsyncIterator[Page]:
    async with watching(mixed_stack) as opened:
        yield opened


@pytest.fixture
async def page(stack: GatewayStack) -> AsyncIterator[Page]:
    async with watching(stack) as opened:
        yield opened


async def abort(route: Route) -> None:
    await route.abort()


async def refuse(route: Route) -> None:
    await route.fulfill(status=503)


async def answer_never(_: Route) -> None:
    """Leaves the request without an answer."""


def first(count: int, matches: Callable[[Request], bool], treat: Handler) -> Handler:
    """Returns a handler that treats the first *count* requests that match, and passes on all others."""
    seen: list[Request] = []

    async def handle(route: Route) -> None:
        if matches(route.request) and len(seen) < count:
            seen.append(route.request)
            await treat(route)
        else:
            await route.continue_()

    return handle


def of_script(request: Request) -> bool:
    return request.resource_type == "fetch"


def of_video(request: Request) -> bool:
    return request.resource_type == "media"


@pytest.mark.parametrize("treat", [abort, refuse])
async def test_tracks_whose_reading_fails_are_read_again(mixed_page: Page, treat: Handler) -> None:
    await mixed_page.route("**/videos/*", first(3, of_script, treat))
    await mixed_page.goto(f"/recordings/{MIXED}")
    await until(mixed_page, f"{camera('Silent')}?.querySelector('.silent')?.hidden === false")
    await until(mixed_page, f"{camera('Complete')}.querySelector('.listen').ariaPressed === 'true'")
    await until(mixed_page, f"{camera('Old')}.innerText.includes('(mp4v)')")


async def test_a_camera_with_sound_only_says_so_also_after_it_has_loaded_again(mixed_page: Page) -> None:
    await mixed_page.goto(f"/recordings/{MIXED}")
    await until(mixed_page, f"{camera('Microphone')}?.dataset.state === 'audio_only'")
    video = f"{camera('Microphone')}.querySelector('video')"
    await mixed_page.evaluate(f"{video}.addEventListener('loadeddata', () => window.loaded = true)")
    await mixed_page.evaluate(f"{video}.src += '&new'")
    await until(mixed_page, "window.loaded")
    await until(mixed_page, f"{camera('Microphone')}.dataset.state === 'audio_only'")


async def test_a_video_whose_first_request_is_never_answered_is_requested_again(page: Page) -> None:
    await page.clock.install()
    await page.route("**/videos/*", first(1, of_video, answer_never))
    await page.goto(WATCH)
    await until(page, "document.querySelector('.large')?.dataset.state === 'loading'")
    loads = "document.querySelector('video').readyState >= 2"
    assert not await page.evaluate(loads)
    await page.clock.fast_forward(1_000)
    await page.clock.fast_forward(35_000)
    await until(page, loads)
    await until(page, "document.querySelector('.large').dataset.state === 'ready'")


async def test_a_still_picture_whose_request_fails_once_is_not_called_unsupported(tmp_path: Path) -> None:
    content = demo_recordings()[0].films[0].content
    films = [Film(f"{number:08d}-0000-4000-8000-000000000000", f"Camera {number}", content) for number in range(1, 10)]
    valt = ValtSimulator(recordings=[Recording(MIXED, "Nine", films=films)])
    async with running_stack(tmp_path, valt=valt) as stack, watching(stack) as page:
        await page.route(f"**/videos/{films[8].video}*", first(1, of_video, abort))
        await page.goto(f"/recordings/{MIXED}?t=5")
        last = camera("Camera 9")
        await until(page, f"!!{last}?.querySelector('.state')")
        await page.evaluate(
            f"void new MutationObserver(() => window.states = [...window.states ?? [], {last}.dataset.state])"
            f".observe({last}, {{ attributes: true }})"
        )
        await until(page, f"!{last}.querySelector('.still').hidden")
        assert "unsupported" not in await page.evaluate("window.states")


async def test_a_transcript_that_fails_once_comes_later(page: Page) -> None:
    await page.route("**/captions.vtt", first(1, lambda _: True, refuse))
    await page.goto(f"/recordings/{INTERVIEW}")
    await page.get_by_role("tab", name="Transcript").click()
    await page.locator(".lines button").first.wait_for()
    await page.get_by_text("The transcript could not be loaded.").wait_for(state="hidden")


async def test_no_connection_is_taken_back_though_the_videos_went_on(stack: GatewayStack, page: Page) -> None:
    async def abort_late(route: Route) -> None:
        await until(page, f"{EVERY}(video => video.readyState >= 2)")
        await route.abort()

    await page.context.set_extra_http_headers(stack.front("dora", "redirected"))
    await page.route("**/videos/*", first(2, of_script, abort_late))
    await page.goto(WATCH)
    await page.get_by_text("No connection.").wait_for()
    await page.get_by_text("No connection.").wait_for(state="hidden")
    await until(page, "document.querySelector('.large').dataset.state === 'ready'")
