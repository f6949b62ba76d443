"""Runs Debian's Chromium without a window, driven by playwright."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Frame, Page, async_playwright

from tests.support.programs import program

_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


def _flags(*more: str) -> list[str]:
    return _FLAGS + [*more] + (["--no-sandbox"] if os.geteuid() == 0 else [])


@asynccontextmanager
async def browser(*flags: str) -> AsyncIterator[Browser]:
    """Runs a new browser with *flags* in addition to the usual ones."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program("chromium"), args=_flags(*flags))
        try:
            yield started
        finally:
            await started.close()


@asynccontextmanager
async def profile(folder: Path, *, without_cookies_of: str) -> AsyncIterator[BrowserContext]:
    """Runs a browser with its profile in *folder*, set to store no cookies of the origin *without_cookies_of*."""
    rule = {f"{without_cookies_of},*": {"setting": 2}}
    (folder / "Default").mkdir(parents=True)
    (folder / "Default" / "Preferences").write_text(
        json.dumps({"profile": {"content_settings": {"exceptions": {"cookies": rule}}}})
    )
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            folder, executable_path=program("chromium"), args=_flags(), locale="en-GB"
        )
        try:
            yield context
        finally:
            await context.close()


async def is_playing(page: Page | Frame) -> bool:
    """Whether the page's video advances by 0.2 seconds within eight. A page that waits for another of its cameras may
    interrupt ``play()``, which is then called again."""
    return bool(
        await page.evaluate(
            """async () => {
                const video = document.querySelector("video");
                const deadline = performance.now() + 8000;
                const play = () => video.play().catch(error => {
                    if (error.name !== "AbortError" || performance.now() > deadline) throw error;
                    return new Promise(resolve => setTimeout(resolve, 20)).then(play);
                });
                await play();
                const start = video.currentTime;
                return await new Promise(resolve => {
                    const poll = () => video.currentTime > start + 0.2 ? resolve(true) : setTimeout(poll, 20);
                    setTimeout(() => resolve(false), 8000);
                    poll();
                });
            }"""
        )
    )
