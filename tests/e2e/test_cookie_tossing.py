"""A neighbour under the same domain lays cookies over ours, in Chromium: nobody is ever taken for somebody else."""

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
    """The value of a good session cookie of *subject*."""
    address = f"{stack.url}{WATCH}?ticket={stack.ticket(subject, audience=PUBLIC)}"
    async with stack.client.get(address, headers=NAVIGATION, allow_redirects=False, ssl=False) as answer:
        return answer.headers["Set-Cookie"].partition(";")[0].partition("=")[2]


@pytest.mark.promise("sign-in-16")
@pytest.mark.parametrize("person", ["anna", None])
async def test_nobody_is_taken_for_whom_a_neighbour_wants_them_to_be(tmp_path: Path, person: str | None) -> None:
    authority = trustme.CA()
    async with (
        clinic(tmp_path, authority, []) as (stack, gateway),
        elsewhere(authority, "www.clinic.test") as neighbour,
        visitor() as context,
    ):
        evil = await session_of(stack, "mallory")
        page = await context.new_page()
        if person is not None:
            await page.goto(f"{gateway}{WATCH}?ticket={stack.ticket(person, audience=PUBLIC)}")
        taken = 0
        for name in TOSSED:
            await page.goto(neighbour)
            for path in ("/", "/oauth2"):
                cookie = f"{name}={evil}; Domain=clinic.test; Path={path}; Secure"
                await page.evaluate("cookie => { document.cookie = cookie }", cookie)
            taken += len(await context.cookies(f"{gateway}/oauth2/userinfo")) - (person is not None)
            answer = await page.goto(f"{gateway}/oauth2/userinfo")
            assert answer is not None
            assert answer.status == 401 or (await answer.json())["subject"] == person, name
            await context.clear_cookies(domain=".clinic.test")
        assert taken > 10  # most of them do reach us
        answer = await page.goto(f"{gateway}/oauth2/userinfo")
        assert answer is not None
        assert answer.status == (401 if person is None else 200)
