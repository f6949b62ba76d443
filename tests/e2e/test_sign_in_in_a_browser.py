"""Browser sign-in as Chromium lives it: moments behind #, the back button, sessions that end, clocks that are off."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

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
async def test_a_moment_behind_the_hash_is_kept_through_the_providers_forms(
    here: Site, context: BrowserContext
) -> None:
    page = await context.new_page()
    for address, moment in ((f"{WATCH}#t=9", 9), (f"{VIDEO_PATH}#t=3", 3), (f"{WATCH}?t=4#t=0:11.5", 11.5)):
        await context.clear_cookies()
        await page.goto(here.url + address)
        await sign_in_as(page, "anna")
        await page.wait_for_url(here.url + address)
        await page.wait_for_selector("video")
        assert await is_playing(page)
        assert await page.evaluate("document.querySelector('video').played.start(0)") == pytest.approx(moment, abs=0.5)


@pytest.mark.promise("sign-in-1")
async def test_without_scripts_sign_in_goes_on_by_itself_and_keeps_path_and_query(here: Site) -> None:
    async with browser() as chromium:
        page = await (await chromium.new_context(java_script_enabled=False)).new_page()
        await page.goto(f"{here.url}{WATCH}?t=4")
        await sign_in_as(page, "anna")
        await page.wait_for_url(f"{here.url}{WATCH}?t=4")


async def test_where_the_script_does_not_come_a_button_leads_on(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.route("**/moment.js", lambda route: route.abort())
    await page.goto(here.url + WATCH)
    assert await violations(page) == []
    await page.get_by_role("link", name="Sign in").click()
    await sign_in_as(page, "anna")
    await page.wait_for_url(here.url + WATCH)


async def test_an_address_that_is_no_moment_goes_no_further_than_the_browser(
    here: Site, context: BrowserContext
) -> None:
    page = await context.new_page()
    for fragment in ("#//evil.test", "#t=1%0d%0aX", "#t=<script>", "#access_token=x"):
        await page.goto("about:blank")
        await page.goto(f"{here.url}{WATCH}{fragment}")
        await page.wait_for_selector("input[name=login]")
    await sign_in_as(page, "anna")
    await page.wait_for_url(here.url + WATCH)


@pytest.mark.promise("sign-in-15")
async def test_the_back_button_after_signing_in_leads_to_the_portal_and_on_again_to_the_film(
    here: Site, context: BrowserContext
) -> None:
    page = await context.new_page()
    answers: list[tuple[str, int]] = []
    page.on("response", lambda answer: answers.append((answer.url, answer.status)))
    await page.goto(f"{here.url}/robots.txt")  # stands for the portal
    await page.goto(here.url + VIDEO_PATH)
    await sign_in_as(page, "anna")
    await page.wait_for_url(here.url + VIDEO_PATH)
    answers.clear()
    steps = 0
    while page.url != f"{here.url}/robots.txt":
        await page.go_back()
        steps += 1
    assert steps == 3  # the provider's two forms lie between, and no page of ours
    for _ in range(steps):
        await page.go_forward()
    assert page.url == here.url + VIDEO_PATH
    assert await is_playing(page)
    assert all(status < 400 for url, status in answers if url.startswith(here.url))


async def test_a_provider_that_answers_the_back_button_once_more_leads_to_the_film_and_not_to_an_error(
    here: Site, context: BrowserContext
) -> None:
    page = await context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "code_challenge=" in request.url else None)
    await page.goto(f"{here.url}{WATCH}?t=4#t=9")
    await sign_in_as(page, "anna")
    await page.wait_for_url(f"{here.url}{WATCH}?t=4#t=9")
    # Many providers show their form at this very address, so that it stands in the history.
    await page.goto(asked[0])
    assert page.url == f"{here.url}{WATCH}?t=4#t=9"
    assert (here.folder / "audit.jsonl").read_text().count('"event":"sign_in"') == 1
    await context.clear_cookies(name="valt_gateway_sign_in")  # which lives for ten minutes
    await page.goto(asked[0])
    assert await page.get_by_role("heading", level=1).inner_text() == "You are signed in as anna"


@pytest.mark.promise("sign-in-15")
async def test_a_session_that_ends_while_a_film_plays_cuts_it_and_the_page_leads_back_to_the_second(
    tmp_path: Path, context: BrowserContext
) -> None:
    clock = ManualClock(wall=time.time())
    async with site(tmp_path, clock=clock, session='lifetime = "5m"') as here:
        here.valt.knobs.stall_after = [150_000, 150_000]
        page = await context.new_page()
        await page.goto(f"{here.url}{WATCH}?t=2")
        await sign_in_as(page, "anna")
        await page.wait_for_selector("video")
        assert await is_playing(page)
        assert len(here.gateway.streams) == 2
        clock.pass_(301)
        link = page.get_by_role("link", name="Go on from")
        await link.wait_for()
        assert await page.get_by_text("You have been signed out.").is_visible()
        assert len(here.gateway.streams) == 0
        here.valt.knobs.stall_gate.set()
        await link.click()
        await page.wait_for_url(f"{here.url}{WATCH}?t=*")  # the provider still knows them, and asks nothing
        await page.wait_for_selector("video")
        assert await is_playing(page)
        assert '"outcome":"cut"' in (here.folder / "audit.jsonl").read_text()


@pytest.mark.promise("sign-in-15")
async def test_the_providers_keys_change_and_people_go_on_signing_in(tmp_path: Path, context: BrowserContext) -> None:
    clock = ManualClock(wall=time.time())
    async with site(tmp_path, clock=clock) as here:
        page = await context.new_page()
        await page.goto(here.url + WATCH)
        await sign_in_as(page, "anna")
        await page.wait_for_url(here.url + WATCH)
        here.provider.terminate()
        await here.provider.wait()
        async with openid_provider(here.provider_port, here.url):
            clock.pass_(61)  # strangers' keys are not looked for more often than once a minute
            await context.clear_cookies()
            await page.goto(here.url + WATCH)
            await sign_in_as(page, "anna")
            await page.wait_for_url(here.url + WATCH)


@pytest.mark.promise("sign-in-11")
async def test_a_clock_that_is_five_minutes_behind_is_named_and_nobody_is_sent_round(
    tmp_path: Path, context: BrowserContext
) -> None:
    async with site(tmp_path, clock=ManualClock(wall=time.time() - 300)) as here:
        page = await context.new_page()
        await page.goto(here.url + WATCH)
        await sign_in_as(page, "anna")
        await page.wait_for_url(f"{here.url}/oauth2/callback?*")
        assert await page.get_by_role("heading", level=1).inner_text() == "A clock is wrong"


@pytest.mark.promise("sign-in-15")
async def test_a_clock_that_is_five_minutes_ahead_keeps_nobody_out(tmp_path: Path, context: BrowserContext) -> None:
    async with site(tmp_path, clock=ManualClock(wall=time.time() + 300)) as here:
        page = await context.new_page()
        await page.goto(here.url + WATCH)
        await sign_in_as(page, "anna")
        await page.wait_for_url(here.url + WATCH)


@pytest.mark.promise("sign-in-11")
async def test_where_the_browser_blocks_our_cookies_the_page_says_so(here: Site, tmp_path: Path) -> None:
    async with profile(tmp_path / "profile", without_cookies_of=here.url) as context:
        page = await context.new_page()
        await page.goto(here.url + WATCH)
        await sign_in_as(page, "anna")
        await page.wait_for_url(f"{here.url}/oauth2/callback?*")
        assert await page.get_by_text("Perhaps it blocks cookies here").is_visible()


@pytest.mark.promise("sign-in-11")
async def test_who_comes_by_another_address_than_the_public_one_is_told_so(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto(here.url.replace("localhost", "127.0.0.1") + WATCH)
    await sign_in_as(page, "anna")
    await page.wait_for_url(f"{here.url}/oauth2/callback?*")
    assert await page.get_by_text("the service's public address is not this one").is_visible()


@pytest.mark.promise("sign-in-11")
async def test_a_session_that_never_holds_ends_in_a_page_and_not_in_a_fourth_sign_in(
    here: Site, context: BrowserContext
) -> None:
    page = await context.new_page()
    await page.goto(here.url + WATCH)
    await sign_in_as(page, "anna")
    for _ in range(3):
        await page.wait_for_url(here.url + WATCH)
        await context.clear_cookies(name="valt_gateway_session")
        await page.goto(here.url + WATCH)
    await page.wait_for_url(f"{here.url}/oauth2/start?**")
    assert await page.get_by_role("heading", level=1).inner_text() == "You keep being signed in"


@pytest.mark.promise("sign-in-12")
async def test_a_provider_that_stops_and_starts_again_lets_newcomers_in_again(
    tmp_path: Path, context: BrowserContext
) -> None:
    clock = ManualClock(wall=time.time())
    async with site(tmp_path, clock=clock) as here:
        here.provider.terminate()
        await here.provider.wait()
        page = await context.new_page()
        await page.goto(f"{here.url}{WATCH}#t=9")
        assert await page.get_by_role("heading", level=1).inner_text() == "Sign-in cannot be reached"
        async with openid_provider(here.provider_port, here.url):
            clock.pass_(10)  # as Retry-After said
            await page.reload()
            await sign_in_as(page, "anna")
            await page.wait_for_url(f"{here.url}{WATCH}#t=9")


@pytest.mark.promise("sign-in-9")
async def test_in_a_portals_frame_nobody_is_sent_away_and_a_button_opens_a_window_to_sign_in(
    tmp_path: Path, context: BrowserContext
) -> None:
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
