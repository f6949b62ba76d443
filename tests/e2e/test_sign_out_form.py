"""The form that signs out, on each page that has it, in browsers that send no Fetch Metadata."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.sim.catalogue import SESSION
from tests.support.browser import browser
from tests.support.gateway_fixture import NAVIGATION
from tests.support.sign_in import Site, sign_in_as, site

PAGES = ("/", "/recordings", f"/recordings/{SESSION}", "/recordings/6ecfe37c-unknown", "/oauth2/sign_out")
FORM = '<form method="post" action="/oauth2/sign_out">'


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as running:
        yield running


@pytest.mark.promise("identity-I18")
@pytest.mark.parametrize("person", ["anna", "carla"])
async def test_every_page_with_the_form_lets_browsers_name_their_origin(here: Site, person: str) -> None:
    async with browser() as chromium:
        context = await chromium.new_context()
        page = await context.new_page()
        await page.goto(here.url + PAGES[2])
        await sign_in_as(page, person)
        await page.wait_for_selector(".bar form, form")
        for address in PAGES:
            opened = await page.goto(here.url + address)
            assert opened is not None
            assert FORM in await opened.text(), address
            async with page.expect_request(lambda request: request.method == "POST") as sent:
                await page.route("**/oauth2/sign_out", lambda route: route.fulfill(status=204), times=1)
                await page.locator("form[method=post] button").first.click()
            assert (await (await sent.value).all_headers())["origin"] == here.url, address


@pytest.mark.promise("identity-I18")
async def test_the_origin_alone_is_a_proof_of_the_same_origin_for_the_form(here: Site) -> None:
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{here.url}/oauth2/sign_out", headers=NAVIGATION) as page:
            assert (page.status, page.headers["Referrer-Policy"]) == (200, "same-origin")
        for origin, status in ((here.url, 200), ("null", 403), ("https://evil.test", 403)):
            async with client.post(f"{here.url}/oauth2/sign_out", headers={"Origin": origin}) as answer:
                assert answer.status == status, origin
