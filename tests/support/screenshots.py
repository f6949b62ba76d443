"""Takes a picture of each page and state at three sizes, light and dark, into screenshots/, for people to look at: in
Chromium, and the main states in Firefox too.

``make screenshots`` runs it. The pictures of README.md in docs/ are taken from the demo at the same time.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser, Page

from gateway.sim.catalogue import INTERVIEW, SESSION
from gateway.sim.valt import ValtSimulator
from tests.support.browser import browser
from tests.support.gateway_fixture import running_stack
from tests.support.hour_films import HOUR, hour
from tests.support.other_browsers import FirefoxWindow, firefox, firefox_window, preference
from tests.support.other_viewers import open_player, open_with_ticket
from tests.support.page_states import PAGES, opened, pages_stack
from tests.support.programs import demo

TARGET = Path("screenshots")
DOCUMENTS = Path("docs")
SIZES = {"phone": (390, 780), "tablet": (820, 1180), "desktop": (1440, 860)}
PLAYED = ".bar .time"
STILLS = "document.querySelectorAll('.still:not([hidden])').length"
DARK = "layout.css.prefers-color-scheme.content-override"  # Firefox: 0 is dark, 1 is light


async def take(page: Page, name: str) -> None:
    """Takes *page* at each size, light and dark."""
    for size, (width, height) in SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            await page.wait_for_timeout(300)  # for the layout and the pictures
            await page.screenshot(path=TARGET / f"{name}-{size}-{scheme}.png")
    print(name, flush=True)


async def take_pages(chromium: Browser, folder: Path) -> None:
    async with pages_stack(folder) as stack:
        for name in PAGES:
            page = await opened(stack, chromium, name)
            await take(page, name.replace(" ", "-").replace(",", ""))
            await page.context.close()


async def watch_states(chromium: Browser, folder: Path) -> AsyncIterator[tuple[str, Page]]:
    """Yields the watch page in each state that a person may see."""
    async with running_stack(folder, valt=ValtSimulator()) as stack:
        context = await chromium.new_context(extra_http_headers=stack.front("anna"), base_url=stack.url, locale="en-GB")
        page = await context.new_page()
        await page.goto("/recordings")
        yield "list", page
        await page.goto("/recordings?room=none")
        yield "list-nothing", page
        stack.valt.recording(SESSION).films[1].ready = False
        await page.goto(f"/recordings/{SESSION}")
        await page.get_by_role("button", name="Try again").wait_for()
        yield "watch-not-ready", page
        await context.set_offline(True)
        await page.get_by_text("No connection.").wait_for()
        yield "watch-offline", page
        await context.set_offline(False)
        stack.valt.recording(SESSION).films[1].ready = True
        await page.goto(f"/recordings/{SESSION}")
        await page.get_by_role("button", name="Play").click()
        await page.keyboard.press("?")
        yield "watch-keys", page
    async with running_stack(folder, valt=ValtSimulator(recordings=[hour(9)])) as stack:
        context = await chromium.new_context(extra_http_headers=stack.front("anna"), base_url=stack.url, locale="en-GB")
        page = await context.new_page()
        await page.goto(f"/recordings/{HOUR}?t=30m")
        await page.locator(".still:not([hidden])").nth(4).wait_for()
        yield "watch-nine-cameras", page


async def take_demo(chromium: Browser) -> None:
    async with demo() as running:
        page = await chromium.new_page(locale="en-GB")
        await page.goto(running.portal)
        await take(page, "portal")
        await page.set_viewport_size({"width": 1280, "height": 800})
        await page.emulate_media(color_scheme="light")
        await page.screenshot(path=DOCUMENTS / "portal.png")
        await page.get_by_role("link", name="Training interview").click()
        await page.get_by_role("button", name="Play").click()
        await page.locator(PLAYED).filter(has_text="0:06").wait_for()
        await page.screenshot(path=DOCUMENTS / "watch.png")
        await page.set_viewport_size({"width": 390, "height": 780})
        await page.emulate_media(color_scheme="dark")
        await page.wait_for_timeout(300)
        await page.screenshot(path=DOCUMENTS / "watch-phone.png")
        await take(page, "watch")


async def firefox_states(window: FirefoxWindow, folder: Path) -> AsyncIterator[str]:
    """Shows the main pages and states in *window*, and yields their names."""
    async with running_stack(folder, valt=ValtSimulator()) as stack:
        await open_with_ticket(window, stack, "/recordings")
        yield "list"
        await window.open(f"{stack.url}/recordings?room=none")
        yield "list-nothing"
        await open_player(window, stack, f"/recordings/{INTERVIEW}")
        yield "watch-comments"
        await window.click("Transcript")
        await window.press("c")
        await window.click("Play")
        await window.until("document.querySelector('video').currentTime > 3")
        yield "watch-transcript"
        await window.press("?")
        yield "watch-keys"
        stack.valt.recording(SESSION).films[1].ready = False
        await window.open(f"{stack.url}/recordings/{SESSION}")
        await window.find("Try again")
        yield "watch-not-ready"
        await window.open(f"{stack.url}/nowhere")
        yield "not-found"
    async with running_stack(folder, valt=ValtSimulator(recordings=[hour(9)])) as stack:
        await open_with_ticket(window, stack, f"/recordings/{HOUR}?t=30m")
        await window.until(f"{STILLS} >= 5", seconds=90)
        yield "watch-nine-cameras"


async def take_firefox(folder: Path) -> None:
    with firefox() as driver:
        async with firefox_window(driver) as window:
            async for name in firefox_states(window, folder):
                for scheme, value in (("light", 1), ("dark", 0)):
                    with preference(driver, DARK, value):
                        for size, (width, height) in SIZES.items():
                            await window.resize(width, height)
                            await window.evaluate("new Promise(done => setTimeout(done, 300))")
                            await window.screenshot(TARGET / f"firefox-{name}-{size}-{scheme}.png")
                print(f"firefox {name}", flush=True)


async def main() -> int:
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with browser() as chromium:
            await take_demo(chromium)
            async for name, page in watch_states(chromium, Path(folder)):
                await take(page, name)
            await take_pages(chromium, Path(folder))
        await take_firefox(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
