"""The logo of [branding]: on every page, served from memory, sandboxed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gateway_fixture import NAVIGATION, GatewayStack, running_stack, settings_of

LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 1"><rect width="4" height="1"/></svg>'
BRANDING = '[branding]\nname = "Clinic & Campus"\nlogo_file = "campus.SVG"\n'


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    (tmp_path / "campus.SVG").write_bytes(LOGO)
    async with running_stack(tmp_path, more=BRANDING) as running:
        yield running


async def logo_of(here: GatewayStack, path: str = "/") -> str:
    """Returns the address of the logo in the page *path*."""
    async with here.client.get(here.url + path, headers=NAVIGATION) as answer:
        before, _, after = (await answer.text()).partition('" alt="Clinic &amp; Campus">')
        assert after
    return before.rpartition('<img src="')[2]


@pytest.mark.promise("sign-in-13")
async def test_the_logo_is_on_every_page_and_is_served_as_an_image(here: GatewayStack) -> None:
    address = await logo_of(here)
    assert await logo_of(here, "/nowhere") == address
    async with here.client.get(here.url + address) as answer:
        assert (answer.status, await answer.read()) == (200, LOGO)
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_a_changed_logo_has_another_address(here: GatewayStack) -> None:
    address = await logo_of(here)
    (here.folder / "campus.SVG").write_bytes(LOGO + b"<!-- another -->")
    assert await logo_of(here) == address
    assert await here.gateway.reload(settings_of(here.config))
    assert await logo_of(here) != address
    async with here.client.get(here.url + address) as answer:
        assert answer.status == 404
