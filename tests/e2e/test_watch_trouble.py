"""The watch page when cameras fail, the session ends, or the network or VALT is down."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Request

from gateway.sim.catalogue import CAMERA_B, SESSION
from gateway.sim.valt import ValtSimulator
from tests.support.clock import ManualClock
from tests.support.films import THREE_CAMERAS, three_cameras
from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.watching import EVERY, WATCH, moved_to, ready, until, watching


@pytest.fixture
async def page(stack: GatewayStack) -> AsyncIterator[Page]:
    async with watching(stack) as opened:
        yield opened


@pytest.mark.promise("watch-4")
async def test_a_camera_that_cannot_be_loaded_says_so_and_the_rest_plays(stack: GatewayStack, page: Page) -> None:
    await page.route(f"**/videos/{CAMERA_B}*", lambda route: route.fulfill(status=410))
    await page.goto(WATCH)
    await page.get_by_text("This camera cannot be loaded.", exact=True).wait_for()
    await page.get_by_role("button", name="Play").click()
    await until(page, "document.querySelector('video').currentTime > 0.3")
    await page.unroute_all()
    await page.get_by_role("button", name="Try again").click()
    await moved_to(page, 0.5)


@pytest.mark.promise("watch-4")
async def test_a_camera_that_is_not_ready_yet_says_so_and_the_rest_plays(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more='[links]\nnegative_ttl = "0s"') as stack, watching(stack) as page:
        film = stack.valt.recording(SESSION).films[1]
        film.ready = False
        await page.goto(WATCH)
        message = page.get_by_role("status").filter(has_text=f"{film.camera}: This camera is not ready yet")
        await message.wait_for()
        await page.get_by_role("button", name="Play").click()
        await until(page, "document.querySelector('video').currentTime > 0.3")
        film.ready = True
        await page.get_by_role("button", name="Try again").click()
        await moved_to(page, 0.5)


async def test_a_broken_video_resumes_at_the_same_position(stack: GatewayStack, page: Page) -> None:
    await ready(page, f"{WATCH}?t=6")
    await page.get_by_role("button", name="Play").click()
    await moved_to(page, 6.3)
    await page.route("**/videos/*", lambda route: route.abort())
    await page.evaluate("for (const video of document.querySelectorAll('video')) video.src += '?new'")
    await page.get_by_text("No connection.").wait_for()
    await page.unroute_all()
    await moved_to(page, 6.5)
    await page.get_by_text("No connection.").wait_for(state="hidden")


@pytest.mark.promise("watch-11")
async def test_after_sign_out_a_link_leads_back_to_the_same_second(stack: GatewayStack, page: Page) -> None:
    await ready(page, f"{WATCH}?t=13")
    await page.context.set_extra_http_headers({})
    await page.evaluate("document.querySelector('video').src += '?new'")
    link = page.get_by_role("link", name="Go on from 0:13")
    await link.wait_for()
    assert (await link.get_attribute("href") or "").endswith(f"{WATCH}?t=13")


@pytest.mark.promise("watch-11")
async def test_after_sign_in_in_another_tab_the_page_resumes(stack: GatewayStack, page: Page) -> None:
    await ready(page, f"{WATCH}?t=13")
    await page.context.set_extra_http_headers({})
    await page.evaluate("for (const video of document.querySelectorAll('video')) video.src += '?new'")
    await page.get_by_text("You are signed out.").wait_for()
    await until(page, "document.querySelectorAll('[data-state=failed]').length === 2")
    await page.context.set_extra_http_headers(stack.front("anna"))
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await page.get_by_text("You are signed out.").wait_for(state="hidden")
    await until(page, f"{EVERY}(video => Math.abs(video.currentTime - 13) < 0.1 && video.readyState >= 2)")


@pytest.mark.promise("watch-10")
async def test_an_expired_link_of_a_redirect_is_requested_again(stack: GatewayStack, page: Page) -> None:
    stack.valt.knobs.refuse_media = [403, 403]
    await page.context.set_extra_http_headers(stack.front("dora", "redirected"))
    await ready(page, f"{WATCH}?t=8")
    await page.get_by_role("button", name="Play").click()
    await moved_to(page, 8.3)


@pytest.mark.promise("watch-12")
async def test_playing_resumes_when_the_network_is_back(page: Page) -> None:
    await ready(page, f"{WATCH}?t=6")
    await page.keyboard.press("k")
    await moved_to(page, 6.3)
    await page.context.set_offline(True)
    await page.get_by_text("No connection.").wait_for()
    await page.evaluate("for (const video of document.querySelectorAll('video')) video.src += '?new'")
    await until(page, "document.querySelectorAll('[data-state=retrying]').length === 2")
    await page.context.set_offline(False)
    await page.get_by_text("The connection is back.").wait_for()
    await moved_to(page, 6.5)
    await page.get_by_text("No connection.").wait_for(state="hidden")


@pytest.mark.promise("watch-12")
async def test_playing_resumes_at_the_same_position_when_valt_is_back(tmp_path: Path, clock: ManualClock) -> None:
    valt = ValtSimulator(recordings=[three_cameras()])
    async with running_stack(tmp_path, clock=clock, valt=valt) as stack, watching(stack) as page:
        await ready(page, f"/recordings/{THREE_CAMERAS}")
        await page.keyboard.press("k")
        await moved_to(page, 0.5)
        valt.knobs.fail["download"] = [503] * 1000
        valt.knobs.refuse_media = [503] * 1000
        await page.get_by_role("slider", name="Time line").fill("100")
        # Every camera, or one that asks a moment later finds VALT back and plays ahead of the others.
        reason = "The recording system cannot be reached. Trying again in"
        await page.locator(".camera", has_text=reason).nth(2).wait_for()
        valt.knobs.fail["download"].clear()
        valt.knobs.refuse_media.clear()
        clock.pass_(60)
        await moved_to(page, 100.3)
        assert await page.get_by_role("button", name="Try again").count() == 0


@pytest.mark.promise("watch-10")
async def test_a_file_that_cannot_be_decoded_fails_after_five_attempts(stack: GatewayStack, page: Page) -> None:
    stack.valt.recording(SESSION).films[1].content = b"no film"
    urls: list[str] = []

    def note(request: Request) -> None:
        if CAMERA_B in request.url and request.resource_type == "media":
            urls.append(request.url)

    page.on("request", note)
    await page.clock.install()
    await page.goto(WATCH)
    while not await page.get_by_role("button", name="Try again").is_visible():
        await page.clock.run_for(1000)
    assert len(set(urls)) == 5
    await page.clock.run_for(60_000)
    assert len(set(urls)) == 5


@pytest.mark.promise("watch-11")
async def test_signed_out_without_browser_sign_in_the_portal_is_the_way_on(tmp_path: Path) -> None:
    more = '[branding]\nhelp_url = "https://portal.example.edu/"'
    async with running_stack(tmp_path, more=more) as stack, watching(stack) as page:
        await ready(page)
        await page.context.set_extra_http_headers({})
        await page.evaluate("document.querySelector('video').src += '?new'")
        link = page.get_by_role("link", name="Open the recording from your portal again")
        await link.wait_for()
        assert await link.get_attribute("href") == "https://portal.example.edu/"


async def test_an_error_page_counts_down_and_opens_the_page_when_valt_is_back(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with running_stack(tmp_path, clock=clock) as stack, watching(stack) as page:
        stack.valt.knobs.fail["record"] = [503] * 1000
        await page.clock.install()
        await page.goto(WATCH)
        timer = page.get_by_role("timer")
        await timer.filter(has_text="This page is loaded again in").wait_for()
        seconds = int(await page.locator("[data-retry-after]").get_attribute("data-retry-after") or "0")
        await page.clock.run_for(1000 * (seconds - 1))
        await timer.filter(has_text="This page is loaded again in 1 second.").wait_for()
        stack.valt.knobs.fail.clear()
        clock.pass_(60)
        await page.clock.run_for(2000)
        await page.get_by_role("button", name="Play").wait_for()
