"""Kerberos sign-in in Firefox: with a ticket, without one, and where the browser may not use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from selenium.common.exceptions import NoAlertPresentException

from gateway.sim.catalogue import SESSION
from tests.support.gateway_fixture import GatewayStack
from tests.support.kerberos import Realm
from tests.support.kerberos_gateway import by_name, gateway_of, realm_of_browsers, use
from tests.support.other_browsers import Preferences, Window, firefox, firefox_window

WATCH = f"/recordings/{SESSION}"
ALLOWED: Preferences = {"network.negotiate-auth.trusted-uris": "localhost"}
PLAYS = "() => document.querySelector('video')?.currentTime > 3.2"

SIGNED_OUT = """() => document.querySelector("h1")?.textContent === "You are not signed in" &&
    !document.querySelector("[data-retry-after]")"""


@pytest.fixture
async def password_page() -> AsyncIterator[str]:
    """The address of a page that asks for a password."""

    async def ask(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=401, text="refused", headers={"WWW-Authenticate": 'Basic realm="x"'})

    runner = web.ServerRunner(web.Server(ask))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.fixture
async def realm(tmp_path: Path) -> AsyncIterator[Realm]:
    async with realm_of_browsers(tmp_path / "realm") as running:
        yield running


@pytest.fixture
async def stack(tmp_path: Path, realm: Realm) -> AsyncIterator[GatewayStack]:
    async with gateway_of(tmp_path / "gateway", realm.folder / "http.keytab") as running:
        yield running


@asynccontextmanager
async def new_firefox(preferences: Preferences) -> AsyncIterator[Window]:
    """Runs a new browser, which has never been challenged."""
    starting = firefox(preferences)
    driver = await asyncio.to_thread(starting.__enter__)
    try:
        async with firefox_window(driver) as window:
            yield window
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)


async def shows_prompt(window: Window) -> bool:
    def read() -> bool:
        try:
            return bool(window.driver.switch_to.alert)
        except NoAlertPresentException:
            return False

    return await asyncio.to_thread(read)


@pytest.mark.promise("kerberos-1", "kerberos-4")
async def test_a_new_firefox_with_a_ticket_plays_at_its_first_navigation(
    stack: GatewayStack, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(realm, monkeypatch, "anna")
    async with new_firefox(ALLOWED) as window:
        await window.open(by_name(stack, f"{WATCH}#t=3"))
        await window.click("Play")
        await window.until(PLAYS)
        accepted = 'valt_gateway_identity_total{outcome="accepted",provider="domain"}'
        assert (await stack.metrics())[accepted] == 1
        await window.open(by_name(stack, "/recordings"))
        assert (await stack.metrics())[accepted] == 1
        assert not await shows_prompt(window)


@pytest.mark.promise("kerberos-2")
async def test_firefox_without_a_ticket_shows_a_page_and_no_prompt(
    stack: GatewayStack, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(realm, monkeypatch)
    async with new_firefox(ALLOWED) as window:
        await window.open(by_name(stack, WATCH))
        await window.until(SIGNED_OUT)
        assert not await shows_prompt(window)


@pytest.mark.promise("kerberos-2")
async def test_firefox_sends_no_ticket_to_a_host_that_is_not_listed(
    stack: GatewayStack, realm: Realm, monkeypatch: pytest.MonkeyPatch, password_page: str
) -> None:
    use(realm, monkeypatch, "anna")
    async with new_firefox({}) as window:
        await window.open(by_name(stack, WATCH))
        await window.until(SIGNED_OUT)
        assert not await shows_prompt(window)
        await window.open(password_page)
        assert await shows_prompt(window)  # so that a prompt would have been noticed
        await asyncio.to_thread(window.driver.switch_to.alert.dismiss)
