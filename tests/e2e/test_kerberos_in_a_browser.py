"""Kerberos sign-in in Chromium: with a ticket, without one, and where the browser may not use it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import BrowserContext, Page

from gateway.sim.catalogue import SESSION
from tests.support.browser import browser, is_playing
from tests.support.gateway_fixture import GatewayStack
from tests.support.kerberos import Realm
from tests.support.kerberos_gateway import by_name, gateway_of, realm_of_browsers, use

WATCH = f"/recordings/{SESSION}"
ALLOWED = "--auth-server-allowlist=localhost"
SIGN_IN = """\

[[identity]]
type = "oidc"
name = "login"
issuer = "{issuer}"
client_id = "valt-gateway"
client_auth = "none"
"""


@pytest.fixture
async def realm(tmp_path: Path) -> AsyncIterator[Realm]:
    async with realm_of_browsers(tmp_path / "realm") as running:
        yield running


@pytest.fixture
async def stack(tmp_path: Path, realm: Realm) -> AsyncIterator[GatewayStack]:
    async with gateway_of(tmp_path / "gateway", realm.folder / "http.keytab") as running:
        yield running


class Prompts:
    """Counts the password prompts that a page would show, each of which it cancels as a person would."""

    def __init__(self) -> None:
        self.count = 0

    async def watch(self, context: BrowserContext, page: Page) -> None:
        session = await context.new_cdp_session(page)
        running: set[asyncio.Task[object]] = set()

        def start(method: str, parameters: dict[str, object]) -> None:
            task = asyncio.create_task(session.send(method, parameters))
            running.add(task)
            task.add_done_callback(running.discard)

        def on_prompt(event: dict[str, object]) -> None:
            self.count += 1
            cancel = {"response": "CancelAuth"}
            start("Fetch.continueWithAuth", {"requestId": event["requestId"], "authChallengeResponse": cancel})

        session.on("Fetch.authRequired", on_prompt)
        session.on(
            "Fetch.requestPaused", lambda event: start("Fetch.continueRequest", {"requestId": event["requestId"]})
        )
        await session.send("Fetch.enable", {"handleAuthRequests": True})


async def open_page(context: BrowserContext) -> tuple[Page, Prompts]:
    page, prompts = await context.new_page(), Prompts()
    page.set_default_timeout(15_000)
    await prompts.watch(context, page)
    return page, prompts


@pytest.mark.promise("kerberos-1", "kerberos-4")
async def test_a_new_browser_with_a_ticket_plays_at_its_first_navigation(
    stack: GatewayStack, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(realm, monkeypatch, "anna")
    async with browser(ALLOWED) as chromium:
        context = await chromium.new_context(locale="en-GB")
        page, prompts = await open_page(context)
        await page.goto(by_name(stack, f"{WATCH}#t=3"))
        await page.wait_for_selector("video")
        assert await is_playing(page)
        assert await page.evaluate("document.querySelector('video').played.start(0)") == pytest.approx(3, abs=0.5)
        assert [cookie["name"] for cookie in await context.cookies()].count("valt_gateway_session") == 1
        accepted = 'valt_gateway_identity_total{outcome="accepted",provider="domain"}'
        assert (await stack.metrics())[accepted] == 1
        await page.goto(by_name(stack, "/recordings"))
        assert (await stack.metrics())[accepted] == 1
        assert prompts.count == 0


@pytest.mark.promise("kerberos-2")
@pytest.mark.parametrize(("flags", "person"), [((ALLOWED,), ""), ((), "anna")], ids=["no ticket", "not allowed"])
async def test_a_browser_without_a_usable_ticket_shows_a_page_and_no_prompt(
    stack: GatewayStack, realm: Realm, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], person: str
) -> None:
    use(realm, monkeypatch, person)
    async with browser(*flags) as chromium:
        page, prompts = await open_page(await chromium.new_context(locale="en-GB"))
        statuses: list[int] = []
        page.on("response", lambda one: statuses.append(one.status) if one.url.endswith(WATCH) else None)
        await page.goto(by_name(stack, WATCH))
        await page.locator("[data-retry-after]").wait_for(state="detached")
        assert await page.text_content("h1") == "You are not signed in"
        assert statuses == [401, 401]
        assert prompts.count == 0


@pytest.mark.promise("kerberos-2")
async def test_without_a_ticket_the_browser_goes_on_to_another_sign_in(
    tmp_path: Path, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(realm, monkeypatch)
    async with (
        gateway_of(tmp_path / "gateway", realm.folder / "http.keytab", more=SIGN_IN) as stack,
        browser(ALLOWED) as chromium,
    ):
        page, prompts = await open_page(await chromium.new_context(locale="en-GB"))
        async with page.expect_request(lambda request: request.url.startswith(stack.provider.issuer)):
            await page.goto(by_name(stack, f"{WATCH}#t=9"))
        assert prompts.count == 0


async def test_the_tests_notice_a_password_prompt() -> None:
    async def ask(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=401, text="refused", headers={"WWW-Authenticate": 'Basic realm="x"'})

    runner = web.ServerRunner(web.Server(ask))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with browser() as chromium:
            page, prompts = await open_page(await chromium.new_context())
            await page.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/")
            assert prompts.count == 1
    finally:
        await runner.cleanup()
