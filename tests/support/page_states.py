"""Each page of the gateway, opened in Chromium in the state that it reports."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page

from gateway.sim.catalogue import INTERVIEW, SESSION
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack

LIMIT = 40
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" width="160" height="40">
<rect width="160" height="40" rx="6" fill="#2a7d6a"/></svg>"""
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


@asynccontextmanager
async def pages_stack(folder: Path) -> AsyncIterator[GatewayStack]:
    """Runs a gateway with a logo, a help address, a provider that cannot be reached and a low rate limit."""
    (folder / "logo.svg").write_text(LOGO)
    # The limit does not recover while a busy machine is slow to open the page.
    async with running_stack(folder, clock=ManualClock(), more=MORE) as running:
        yield running


async def opened(here: GatewayStack, chromium: Browser, name: str) -> Page:
    """Returns the page *name*, after causing the state that it reports. An error page is not loaded again by itself."""
    who, path, heading = PAGES[name]
    headers = here.front(who, "others" if who == "carla" else "supervisors") if who else {}
    if name == "VALT unavailable":
        here.valt.knobs.fail["download"] = [500] * 10
    for _ in range(LIMIT if name == "too many requests" else 0):
        async with here.client.head(here.url + path, headers=headers) as answer:
            assert answer.status == 200
    context = await chromium.new_context(extra_http_headers=headers, locale="en-GB")
    page = await context.new_page()
    await page.route("**/retry.js", lambda route: route.abort())
    await page.goto(here.url + path)
    assert await page.get_by_role("heading", level=1).inner_text() == heading
    return page
