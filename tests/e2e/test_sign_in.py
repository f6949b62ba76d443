"""Browser sign-in at a certified OpenID provider, in Chromium."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import BrowserContext

from gateway.web.handlers.login import own_path
from tests.support.browser import browser, is_playing
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH
from tests.support.sign_in import Site, sign_in_as, site


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as running:
        yield running


@pytest.fixture
async def context() -> AsyncIterator[BrowserContext]:
    async with browser() as chromium:
        opened = await chromium.new_context()
        opened.set_default_timeout(15_000)
        yield opened


@pytest.mark.promise("sign-in-1", "watch-16")
async def test_after_a_sign_in_the_video_of_the_link_plays(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto(f"{here.url}{VIDEO_PATH}?t=3")
    await sign_in_as(page, "anna")
    await page.wait_for_url(f"{here.url}{VIDEO_PATH}?t=3")
    await page.wait_for_selector("video")
    assert await is_playing(page)
    assert '"event":"sign_in"' in (here.folder / "audit.jsonl").read_text()


@pytest.mark.promise("sign-in-2")
async def test_two_tabs_sign_in_at_once_and_each_returns_to_its_link(here: Site, context: BrowserContext) -> None:
    first, second = await context.new_page(), await context.new_page()
    await first.goto(f"{here.url}/?tab=1")
    await first.goto(f"{here.url}/oauth2/start?rd=/%3Ftab=1")
    await second.goto(f"{here.url}{VIDEO_PATH}?t=2")
    await sign_in_as(second, "anna")
    await second.wait_for_url(f"{here.url}{VIDEO_PATH}?t=2")
    await sign_in_as(first, "anna", consents=False)
    await first.wait_for_url(f"{here.url}/?tab=1")


@pytest.mark.promise("sign-in-13")
async def test_a_denied_person_sees_their_name_and_can_change_the_account(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto(f"{here.url}{VIDEO_PATH}")
    await sign_in_as(page, "carla")
    await page.wait_for_selector("h1")
    assert await page.get_by_role("heading", level=1).inner_text() == "You may not see this recording"
    assert await page.locator("main").get_by_text("carla").count() == 1
    assert await page.get_by_role("button", name="Sign in as somebody else").count() == 1


@pytest.mark.promise("sign-in-8")
async def test_a_copied_cookie_is_void_after_the_sign_out(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto(f"{here.url}{VIDEO_PATH}")
    await sign_in_as(page, "anna")
    await page.wait_for_selector("video")
    copied = "; ".join(f"{cookie.get('name')}={cookie.get('value')}" for cookie in await context.cookies(here.url))
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{here.url}/oauth2/userinfo", headers={"Cookie": copied}) as answer:
            assert answer.status == 200
        await page.goto(f"{here.url}/")
        await page.get_by_role("button", name="Sign out").click()
        await page.wait_for_url("**/session/end**")
        async with client.get(f"{here.url}/oauth2/userinfo", headers={"Cookie": copied}) as answer:
            assert answer.status == 401
    await page.click("button[name=logout]")
    await page.wait_for_url(f"{here.url}/**")
    await page.get_by_role("link", name="Sign in").click()
    await page.wait_for_selector("input[name=login]")  # signed out at the provider too
    assert '"event":"sign_out"' in (here.folder / "audit.jsonl").read_text()


@pytest.mark.promise("sign-in-12")
async def test_with_the_provider_down_sessions_continue(here: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto(f"{here.url}{VIDEO_PATH}")
    await sign_in_as(page, "anna")
    await page.wait_for_selector("video")
    here.provider.terminate()
    await here.provider.wait()
    await page.reload()
    assert await is_playing(page)


@pytest.mark.promise("sign-in-12")
async def test_with_the_provider_down_a_sign_in_shows_an_error_page(here: Site) -> None:
    here.provider.terminate()
    await here.provider.wait()
    async with (
        aiohttp.ClientSession() as client,
        client.get(here.url + VIDEO_PATH, headers=NAVIGATION | {"Accept-Language": "de"}) as answer,
    ):
        assert (answer.status, answer.url.path) == (503, "/oauth2/start")
        assert answer.headers["Retry-After"] == "10"
        text = await answer.text()
    assert '<html lang="de">' in text
    assert answer.headers["X-Request-ID"] in text


@pytest.mark.promise("identity-I5")
async def test_a_response_that_is_posted_is_405_with_a_page_and_repeats_nothing(here: Site) -> None:
    """A browser sends no SameSite=Lax cookie with a POST from another site, so that form_post cannot work."""
    form = {"code": "the-code", "state": "the-state"}
    cross_site = NAVIGATION | {"Origin": "https://adfs.example.edu", "Sec-Fetch-Site": "cross-site"}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{here.url}/oauth2/callback", data=form, headers=cross_site, allow_redirects=False) as answer,
    ):
        assert (answer.status, answer.headers["Allow"], answer.content_type) == (405, "GET", "text/html")
        text = await answer.text()
    assert "the-code" not in text
    assert "the-state" not in text
    assert 'href="/"' in text


@pytest.mark.promise("sign-in-9")
async def test_only_top_level_navigations_are_redirected_to_sign_in(here: Site) -> None:
    async with aiohttp.ClientSession() as client:
        async with client.get(here.url + VIDEO_PATH, headers=NAVIGATION, allow_redirects=False) as answer:
            assert answer.status == 302
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Location"] == f"/oauth2/start?rd={VIDEO_PATH}"
        for dest in ("video", "image", "script", "iframe"):
            headers = {"Sec-Fetch-Mode": "navigate" if dest == "iframe" else "no-cors", "Sec-Fetch-Dest": dest}
            async with client.get(here.url + VIDEO_PATH, headers=headers, allow_redirects=False) as answer:
                assert answer.status == 401


@pytest.mark.promise("sign-in-16")
async def test_a_response_to_no_sign_in_of_this_browser_is_refused(here: Site) -> None:
    async with aiohttp.ClientSession() as client:
        for query in ("state=forged&code=x", "code=x", "state=a&error=access_denied", "state=&code=", ""):
            async with client.get(
                f"{here.url}/oauth2/callback?{query}", headers=NAVIGATION, allow_redirects=False
            ) as answer:
                assert answer.status == 401
                assert "Signing in did not work" in await answer.text()
                assert "Set-Cookie" not in answer.headers
        async with client.get(f"{here.url}/oauth2/callback?state=a&state=b&code=x") as answer:
            assert answer.status == 400


@pytest.mark.promise("sign-in-2")
async def test_a_sign_in_has_pkce_state_and_nonce_and_a_bounded_cookie(here: Site) -> None:
    from yarl import URL

    cookie, sizes, query = "", [], URL().query
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        for _ in range(12):
            async with client.get(
                f"{here.url}/oauth2/start?rd={VIDEO_PATH}", headers={"Cookie": cookie}, allow_redirects=False
            ) as answer:
                query = URL(answer.headers["Location"]).query
                cookie = answer.headers["Set-Cookie"].partition(";")[0]
                sizes.append(len(cookie))
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    assert len({query["state"], query["nonce"]}) == 2
    assert max(sizes) < 2500
    assert max(sizes[6:]) - max(sizes[4:6]) < 64  # ciphertext has blocks, and random values compress unevenly


@pytest.mark.promise("sign-in-16")
async def test_a_cross_site_sign_out_is_refused(here: Site) -> None:
    async with aiohttp.ClientSession() as client:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}, {}, {"Origin": "null"}):
            async with client.post(f"{here.url}/oauth2/sign_out", headers=headers, allow_redirects=False) as answer:
                assert answer.status == 403
        async with client.get(f"{here.url}/oauth2/sign_out", headers=NAVIGATION) as answer:
            assert answer.status == 200
            assert 'method="post"' in await answer.text()


@pytest.mark.promise("sign-in-10")
@pytest.mark.parametrize(
    "rd",
    [
        *("//evil.test", "/\\evil.test", "https://evil.test", "https:evil.test", "/%2Fevil.test", "/\t/evil.test"),
        *("/recordings/../evil", "/recordings/a/videos/b/../../..", "javascript:alert(1)", "", "evil", "/\r\nX: y"),
        *(
            "/recordings/a#//evil",
            "/recordings/a#t=//evil",
            "/recordings/a#t=1#t=2",
            "/oauth2/start",
            "/recordings//evil.test",
            "\\\\evil",
            "/.evil.test",
            "/@evil.test",
        ),
    ],
)
def test_rd_to_another_site_leads_to_the_home_page(rd: str) -> None:
    assert own_path(rd) == "/"


@pytest.mark.promise("sign-in-10")
@pytest.mark.parametrize(
    "rd", ["/", "/recordings", "/recordings/a-1", "/recordings/a/videos/b?t=90&x=%20y", "/recordings/a?x#t=1:30.5"]
)
def test_rd_preserves_path_and_query_of_pages_of_the_gateway(rd: str) -> None:
    assert own_path(rd) == rd
