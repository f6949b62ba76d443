"""axe finds no violation of WCAG on any page, light or dark, wide or on a phone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from gateway.sim.catalogue import INTERVIEW, SESSION
from tests.support.axe import violations, violations_in_every_view
from tests.support.browser import browser
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack

LIMIT = 40
MORE = f"""\
[[identity]]
type = "oidc"
name = "campus-login"
issuer = "http://localhost:9"
client_id = "valt-gateway"
client_secret = "planted-client-secret"
[limits]
requests_per_minute = {LIMIT}
[branding]
name = "Recordings of the clinic"
help_url = "https://help.example.edu/"
logo_file = "logo.svg"
"""

# name: (subject, path, heading)
PAGES = {
    "start page, not signed in": ("", "/", "You are not signed in"),
    "start page, signed in": ("anna", "/", "You are signed in as anna"),
    "sign-out": ("anna", "/oauth2/sign_out", "Sign out?"),
    "sign-in failed": ("", "/oauth2/callback?state=forged&code=x", "Signing in did not work"),
    "sign-in cannot be reached": ("", VIDEO_PATH, "The sign-in service cannot be reached"),
    "not allowed": ("carla", VIDEO_PATH, "You may not see this recording"),
    "not found": ("anna", "/nowhere", "There is no such page"),
    "docs": ("anna", "/docs", "API reference"),
    "watch page": ("anna", f"/recordings/{SESSION}", "Session 1451"),
    "watch page with comments": ("anna", f"/recordings/{INTERVIEW}", "Interview 12"),
    "embedded watch page": ("anna", f"/recordings/{SESSION}?embed", "Session 1451"),
    "too many requests": ("busy", VIDEO_PATH, "Too many requests"),
    "VALT unavailable": ("anna", f"/recordings/{SESSION}/videos/another", "The recording system cannot be reached"),
}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="160" height="40"/>')
    async with running_stack(tmp_path, more=MORE) as running:
        yield running


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as running:
        yield running


async def opened(here: GatewayStack, chromium: Browser, name: str) -> Page:
    """Returns the page *name*, after causing the state that it reports."""
    who, path, heading = PAGES[name]
    headers = here.front(who, "others" if who == "carla" else "supervisors") if who else {}
    if name == "VALT unavailable":
        here.valt.knobs.fail["download"] = [500] * 10
    for _ in range(LIMIT if name == "too many requests" else 0):
        async with here.client.head(here.url + path, headers=headers) as answer:
            assert answer.status == 200
    context = await chromium.new_context(extra_http_headers=headers, locale="en-GB")
    page = await context.new_page()
    await page.goto(here.url + path)
    assert await page.get_by_role("heading", level=1).inner_text() == heading
    return page


@pytest.mark.promise("sign-in-13")
async def test_axe_finds_nothing_on_any_page(here: GatewayStack, chromium: Browser) -> None:
    violations_by_page = {}
    for name in PAGES:
        page = await opened(here, chromium, name)
        violations_by_page[name] = await violations_in_every_view(page)
        await page.context.close()
    assert {name: lines for name, lines in violations_by_page.items() if lines} == {}


@pytest.mark.promise("sign-in-13")
async def test_axe_finds_nothing_on_the_page_after_sign_out(here: GatewayStack, chromium: Browser) -> None:
    page = await opened(here, chromium, "sign-out")
    await page.get_by_role("button", name="Sign out").click()
    assert await page.get_by_role("heading", level=1).inner_text() == "You are signed out"
    assert await violations_in_every_view(page) == []


@pytest.mark.promise("security-S9")
async def test_axe_finds_nothing_on_the_page_that_asks_for_a_change_of_person(
    here: GatewayStack, chromium: Browser
) -> None:
    page = await (await chromium.new_context(locale="en-GB")).new_page()
    for person in ("anna", "ben"):
        await page.goto(f"{here.url}/recordings?ticket={here.ticket(person)}")
    assert "anna. The link that you followed was made for ben." in await page.get_by_role("main").inner_text()
    assert await violations_in_every_view(page) == []
    await page.get_by_role("link", name="Stay signed in as anna").click()
    await page.goto(f"{here.url}/")
    assert await page.get_by_role("heading", level=1).inner_text() == "You are signed in as anna"


@pytest.mark.promise("watch-13")
async def test_axe_finds_nothing_on_the_watch_page_while_playing_and_offline(
    here: GatewayStack, chromium: Browser
) -> None:
    here.valt.recording(SESSION).films[1].ready = False
    page = await opened(here, chromium, "watch page")
    await page.get_by_role("button", name="Try again").wait_for()
    await page.get_by_role("button", name="Play").click()
    await page.get_by_role("button", name="Pause").wait_for()
    assert await violations_in_every_view(page) == []
    await page.context.set_offline(True)
    await page.get_by_text("No connection.").wait_for()
    await page.keyboard.press("?")
    await page.get_by_role("dialog").wait_for()
    assert await violations_in_every_view(page) == []


@pytest.mark.promise("sign-in-13")
async def test_axe_reports_violations(chromium: Browser) -> None:
    page = await chromium.new_page()
    await page.set_content("<title>x</title><img src=x><p style='color:#aaa;background:#fff'>faint</p>")
    assert {line.partition(":")[0] for line in await violations(page)} >= {"image-alt", "color-contrast"}
