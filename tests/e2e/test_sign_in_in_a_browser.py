"""Browser sign-in in Chromium: fragments, the back button, expired sessions and wrong clocks."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import BrowserContext

from gateway.sim.catalogue import SESSION
from tests.support.axe import violations
from tests.support.browser import browser, is_playing, profile
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import VIDEO_PATH
from tests.support.openid import openid_provider
from tests.support.sign_in import Site, sign_in_as, site
from tests.support.sites import elsewhere, embed

WATCH = f"/recordings/{SESSION}"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as running:
        yield running


@pytest.fixture
async def context() -> AsyncIterator[BrowserContext]:
    async with browser() as chromium:
        opened = await chromium.new_context(locale="en-GB")
        opened.set_default_timeout(15_000)
        yield opened


@pytest.mark.promise("sign-in-1")
async def test_the_time_in_the_fragment_survives_the_sign_in(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    for address, moment in ((f"{WATCH}#t=9", 9), (f"{VIDEO_PATH}#t=3", 3), (f"{WATCH}?t=4#t=0:11.5", 11.5)):
        await context.clear_cookies()
        await page.goto(here.url + address)
        await sign_in_as(page, "anna")
        await page.wait_for_url(here.url + address)
        await page.wait_for_selector("video")
        assert await is_playing(page)
        assert await page.evaluate("document.querySelector('video').played.start(0)") == pytest.approx(moment, abs=0.5)


async def test_positions_in_recordings_are_forgotten_at_sign_out(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto(f"{here.url}{WATCH}?t=9")
    await sign_in_as(page, "anna")
    await page.get_by_role("button", name="Play").click()
    await page.locator(".bar .time").filter(has_text="0:10").wait_for()
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(lambda url: "/session/end" in url)  # the last of the redirects
    await page.goto(here.url)
    assert await page.evaluate("Object.keys(localStorage)") == []


@pytest.mark.promise("sign-in-1")
async def test_without_scripts_the_sign_in_preserves_path_and_query(here: Site) -> None:
    async with browser() as chromium:
        page = await (await chromium.new_context(java_script_enabled=False)).new_page()
        await page.goto(f"{here.url}{WATCH}?t=4")
        await sign_in_as(page, "anna")
        await page.wait_for_url(f"{here.url}{WATCH}?t=4")


async def test_if_the_script_does_not_load_a_link_continues(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.route("**/login_fragment.js", lambda route: route.abort())
    await page.goto(here.url + WATCH)
    assert await violations(page) == []
    await page.get_by_role("link", name="Sign in").click()
    await sign_in_as(page, "anna")
    await page.wait_for_url(here.url + WATCH)


async def test_a_fragment_that_is_no_time_stays_in_the_browser(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    for fragment in ("#//evil.test", "#t=1%0d%0aX", "#t=<script>", "#access_token=x"):
        await page.goto("about:blank")
        await page.goto(f"{here.url}{WATCH}{fragment}")
        await page.wait_for_selector("input[name=login]")
    await sign_in_as(page, "anna")
    await page.wait_for_url(here.url + WATCH)


@pytest.mark.promise("sign-in-15")
async def test_back_and_forward_after_a_sign_in_show_no_error(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    answers: list[tuple[str, int]] = []
    page.on("response", lambda answer: answers.append((answer.url, answer.status)))
    await page.goto(f"{here.url}/robots.txt")  # represents the portal
    await page.goto(here.url + VIDEO_PATH)
    await sign_in_as(page, "anna")
    await page.wait_for_url(here.url + VIDEO_PATH)
    answers.clear()
    steps = 0
    while page.url != f"{here.url}/robots.txt":
        await page.go_back()
        steps += 1
    assert steps == 3  # the provider's two forms, and no page of the gateway
    for _ in range(steps):
        await page.go_forward()
    assert page.url == here.url + VIDEO_PATH
    assert await is_playing(page)
    assert all(status < 400 for url, status in answers if url.startswith(here.url))


async def test_a_repeated_callback_leads_to_the_video_and_not_to_an_error(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if "code_challenge=" in request.url else None)
    await page.goto(f"{here.url}{WATCH}?t=4#t=9")
    await sign_in_as(page, "anna")
    await page.wait_for_url(f"{here.url}{WATCH}?t=4#t=9")
    # Many providers show their form at this very address, so that it stands in the history.
    await page.goto(requests[0])
    assert page.url == f"{here.url}{WATCH}?t=4#t=9"
    assert (here.folder / "audit.jsonl").read_text().count('"event":"sign_in"') == 1
    for cookie in await context.cookies():
        if "sign_in" in cookie.get("name", ""):
            await context.clear_cookies(name=cookie.get("name"))  # it expires after ten minutes
    await page.goto(requests[0])
    await page.wait_for_url(f"{here.url}{WATCH}?t=4#t=9")


@pytest.mark.promise("identity-I3")
async def test_eight_tabs_restored_at_once_each_end_at_their_own_link(here: Site, context: BrowserContext) -> None:
    pages = [await context.new_page() for _ in range(8)]
    await asyncio.gather(*(page.goto(f"{here.url}{WATCH}?t={n}") for n, page in enumerate(pages)))
    await asyncio.gather(*(page.wait_for_selector("input[name=login]") for page in pages))
    await sign_in_as(pages[5], "anna")
    await pages[5].wait_for_url(f"{here.url}{WATCH}?t=5")
    # The provider shows its form to a tab whose request came before the sign-in: each submits its own, in any order.
    for number in (7, 0, 3, 1, 6, 2, 4):
        await sign_in_as(pages[number], "anna", consents=False)
        await pages[number].wait_for_url(f"{here.url}{WATCH}?t={number}")
    cookies = [cookie.get("name", "") for cookie in await context.cookies(here.url)]
    assert sum("sign_in_" in name for name in cookies) <= 8
    assert (here.folder / "audit.jsonl").read_text().count('"event":"sign_in"') == 1


@pytest.mark.promise("sign-in-15")
async def test_an_expired_session_ends_playback_and_resumes_at_the_same_second(
    tmp_path: Path, context: BrowserContext
) -> None:
    clock = ManualClock(wall=time.time())
    async with site(tmp_path, clock=clock, session='lifetime = "5m"') as here:
        here.valt.knobs.stall_after = [110_000] * 50
        page = await context.new_page()
        await page.goto(f"{here.url}{WATCH}?t=2")
        await sign_in_as(page, "anna")
        await page.wait_for_selector("video")
        assert await is_playing(page)
        async with asyncio.timeout(20):
            while len(here.gateway.streams) == 0:  # the browser decides how many connections it holds
                await asyncio.sleep(0.02)
        address = await page.evaluate("document.querySelector('video').currentSrc")
        cookies = {cookie["name"]: cookie["value"] for cookie in await context.cookies()}
        # The browser may leave its connections before they are cut: its next request is refused. This one stays.
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
            client.get(address, headers={"Cookie": "; ".join(map("=".join, cookies.items()))}) as stream,
        ):
            await stream.content.readexactly(1000)
            clock.pass_(301)
            link = page.get_by_role("link", name="Go on from")
            await link.wait_for()
            assert await page.get_by_text("You are signed out.").is_visible()
            with pytest.raises(aiohttp.ClientPayloadError):
                await stream.read()
        assert len(here.gateway.streams) == 0
        here.valt.knobs.stall_gate.set()
        await link.click()
        await page.wait_for_url(f"{here.url}{WATCH}?t=*")  # still signed in at the provider
        await page.wait_for_selector("video")
        assert await is_playing(page)
        assert '"outcome":"cut"' in (here.folder / "audit.jsonl").read_text()


@pytest.mark.promise("sign-in-15")
async def test_sign_in_works_after_the_provider_rotates_its_keys(tmp_path: Path, context: BrowserContext) -> None:
    clock = ManualClock(wall=time.time())
    async with site(tmp_path, clock=clock) as here:
        page = await context.new_page()
        await page.goto(here.url + WATCH)
        await sign_in_as(page, "anna")
        await page.wait_for_url(here.url + WATCH)
        here.provider.terminate()
        await here.provider.wait()
        async with openid_provider(here.provider_port, here.url):
            clock.pass_(61)  # unknown keys refresh the key set at most once a minute
            await context.clear_cookies()
            await page.goto(here.url + WATCH)
            await sign_in_as(page, "anna")
            await page.wait_for_url(here.url + WATCH)


@pytest.mark.promise("sign-in-11")
async def test_a_clock_five_minutes_behind_shows_an_error_page(tmp_path: Path, context: BrowserContext) -> None:
    async with site(tmp_path, clock=ManualClock(wall=time.time() - 300)) as here:
        page = await context.new_page()
        await page.goto(here.url + WATCH)
        await sign_in_as(page, "anna")
        await page.wait_for_url(f"{here.url}/oauth2/callback?*")
        assert await page.get_by_role("heading", level=1).inner_text() == "The servers' clocks do not agree"


@pytest.mark.promise("sign-in-15")
async def test_a_clock_five_minutes_ahead_allows_the_sign_in(tmp_path: Path, context: BrowserContext) -> None:
    async with site(tmp_path, clock=ManualClock(wall=time.time() + 300)) as here:
        page = await context.new_page()
        await page.goto(here.url + WATCH)
        await sign_in_as(page, "anna")
        await page.wait_for_url(here.url + WATCH)


@pytest.mark.promise("sign-in-11")
async def test_if_cookies_are_blocked_the_page_names_that(here: Site, tmp_path: Path) -> None:
    async with profile(tmp_path / "profile", without_cookies_of=here.url) as context:
        page = await context.new_page()
        await page.goto(here.url + WATCH)
        await sign_in_as(page, "anna")
        await page.wait_for_url(f"{here.url}/oauth2/callback?*")
        assert await page.get_by_text("Perhaps it blocks cookies here").is_visible()


@pytest.mark.promise("sign-in-11")
async def test_at_another_address_than_public_url_the_page_names_that(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto(here.url.replace("localhost", "127.0.0.1") + WATCH)
    await sign_in_as(page, "anna")
    await page.wait_for_url(f"{here.url}/oauth2/callback?*")
    assert await page.get_by_text("the service's public address is not this one").is_visible()


@pytest.mark.promise("sign-in-11")
async def test_a_fourth_sign_in_within_a_minute_shows_an_error_page(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto(here.url + WATCH)
    await sign_in_as(page, "anna")
    for _ in range(3):
        await page.wait_for_url(here.url + WATCH)
        await context.clear_cookies(name="valt_gateway_session")
        await page.goto(here.url + WATCH)
    await page.wait_for_url(f"{here.url}/oauth2/start?**")
    assert await page.get_by_role("heading", level=1).inner_text() == "Signing in does not last"


@pytest.mark.promise("sign-in-12")
async def test_sign_in_works_again_after_the_provider_restarts(tmp_path: Path, context: BrowserContext) -> None:
    clock = ManualClock(wall=time.time())
    async with site(tmp_path, clock=clock) as here:
        here.provider.terminate()
        await here.provider.wait()
        page = await context.new_page()
        await page.goto(f"{here.url}{WATCH}#t=9")
        assert await page.get_by_role("heading", level=1).inner_text() == "The sign-in service cannot be reached"
        async with openid_provider(here.provider_port, here.url):
            clock.pass_(10)  # the Retry-After of the error
            await page.reload()
            await sign_in_as(page, "anna")
            await page.wait_for_url(f"{here.url}{WATCH}#t=9")


@pytest.mark.promise("sign-in-9")
async def test_in_a_frame_the_sign_in_opens_a_window(tmp_path: Path, context: BrowserContext) -> None:
    async with (
        elsewhere(None, "localhost") as portal,
        site(tmp_path, more=f'[branding]\nframe_ancestors = ["{portal}"]') as here,
    ):
        page = await context.new_page()
        await page.goto(portal)
        frame = await embed(page, f"{here.url}{WATCH}?t=9&ticket=old")
        async with context.expect_page() as opened:
            await frame.get_by_role("link", name="Sign in").click()
        window = await opened.value
        await sign_in_as(window, "anna")
        await window.wait_for_url(f"{here.url}{WATCH}?t=9")
        assert page.url == f"{portal}/"
        await page.reload()
        frame = await embed(page, here.url + WATCH)
        assert await is_playing(frame)
