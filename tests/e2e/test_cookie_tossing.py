"""A site of the same domain sets cookies that collide with the session cookie, in Chromium."""

from pathlib import Path

import pytest
import trustme

from gateway.sim.catalogue import SESSION as RECORDING
from tests.support.gateway_fixture import NAVIGATION, GatewayStack
from tests.support.sites import PUBLIC, clinic, elsewhere, visitor

WATCH = f"/recordings/{RECORDING}"
SESSION = "__Host-valt_gateway_session"
TOSSED = [
    SESSION,
    SESSION.lower(),
    SESSION.upper(),
    f"={SESSION}",
    f"\u2000{SESSION}",
    f"{SESSION}\u2000",
    SESSION.replace("_", "\uff3f"),
    f'"{SESSION}"',
    f"$Path=/; {SESSION}",
    f"x={SESSION}",
    "valt_gateway_session",
]


async def session_of(stack: GatewayStack, subject: str) -> str:
    """Returns the value of a valid session cookie of *subject*."""
    address = f"{stack.url}{WATCH}?ticket={stack.ticket(subject, audience=PUBLIC)}"
    async with stack.client.get(address, headers=NAVIGATION, allow_redirects=False, ssl=False) as response:
        return response.headers["Set-Cookie"].partition(";")[0].partition("=")[2]


@pytest.mark.promise("sign-in-16")
@pytest.mark.parametrize("person", ["anna", None])
async def test_a_cookie_of_a_sibling_site_never_changes_the_identity(tmp_path: Path, person: str | None) -> None:
    authority = trustme.CA()
    async with (
        clinic(tmp_path, authority, []) as (stack, gateway),
        elsewhere(authority, "www.clinic.test") as sibling,
        visitor() as context,
    ):
        foreign_session = await session_of(stack, "mallory")
        page = await context.new_page()
        if person is not None:
            await page.goto(f"{gateway}{WATCH}?ticket={stack.ticket(person, audience=PUBLIC)}")
        sent = 0
        for name in TOSSED:
            await page.goto(sibling)
            for path in ("/", "/oauth2"):
                cookie = f"{name}={foreign_session}; Domain=clinic.test; Path={path}; Secure"
                await page.evaluate("cookie => { document.cookie = cookie }", cookie)
            sent += len(await context.cookies(f"{gateway}/oauth2/userinfo")) - (person is not None)
            response = await page.goto(f"{gateway}/oauth2/userinfo")
            assert response is not None
            assert response.status == 401 or (await response.json())["subject"] == person, name
            await context.clear_cookies(domain=".clinic.test")
        assert sent > 10  # most of them are sent to the gateway
        response = await page.goto(f"{gateway}/oauth2/userinfo")
        assert response is not None
        assert response.status == (401 if person is None else 200)
