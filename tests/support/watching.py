"""Opens the watch page in Chromium, and waits for states of its videos."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page

from gateway.sim.catalogue import SESSION
from tests.support.browser import browser
from tests.support.gateway_fixture import GatewayStack

WATCH = f"/recordings/{SESSION}"
EVERY = "[...document.querySelectorAll('video')].every"


@asynccontextmanager
async def watching(
    stack: GatewayStack, headers: dict[str, str] | None = None, *, locale: str = "en-GB"
) -> AsyncIterator[Page]:
    """Yields a page whose requests carry *headers*. Fails if a script raised an error or broke the page's policy."""
    async with browser() as chromium:
        request_headers = stack.front("anna") if headers is None else headers
        context = await chromium.new_context(extra_http_headers=request_headers, base_url=stack.url, locale=locale)
        opened = await context.new_page()
        faults: list[str] = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on("console", lambda line: faults.append(line.text) if "Security Policy" in line.text else None)
        yield opened
        assert faults == []


async def until(page: Page, condition: str, argument: object = None, *, seconds: float = 60) -> None:
    """Waits until the expression *condition* is true.

    Playwright's ``wait_for_function`` evaluates text inside the page, which the page's policy forbids."""
    async with asyncio.timeout(seconds):
        while not await page.evaluate(condition, argument):
            await asyncio.sleep(0.02)


async def ready(page: Page, address: str = WATCH) -> None:
    """Opens the page and waits until each camera can play."""
    await page.goto(address)
    await until(page, f"{EVERY}(video => video.readyState >= 3)")


async def times(page: Page) -> list[float]:
    positions: list[float] = await page.evaluate(
        "[...document.querySelectorAll('video')].map(video => video.currentTime)"
    )
    return positions


async def moved_to(page: Page, seconds: float) -> None:
    """Waits until every camera is at *seconds* or up to three later."""
    at = f"at => {EVERY}(video => video.currentTime >= at - 0.05 && video.currentTime < at + 3)"
    await until(page, at, seconds, seconds=60)


async def stands(page: Page) -> None:
    """Waits until every video is paused, and none is seeking."""
    await until(page, f"{EVERY}(video => video.paused && !video.seeking)")
