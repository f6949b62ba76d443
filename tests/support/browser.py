"""Headless Chromium, Debian's, driven by playwright."""

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
    """A fresh one, with *flags* besides the usual."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program("chromium"), args=_flags(*flags))
        try:
            yield started
        finally:
            await started.close()


@asynccontextmanager
async def profile(folder: Path, *, without_cookies_of: str) -> AsyncIterator[BrowserContext]:
    """A person's own Chromium, kept in *folder*, which they told to keep no cookies of that origin."""
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
    """Whether the page's video moves on: two moments of it differ. A page that waits for another of its cameras may
    interrupt it meanwhile."""
    return bool(
        await page.evaluate(
            """async () => {
                const video = document.querySelector("video");
                const late = performance.now() + 8000;
                const play = () => video.play().catch(error => {
                    if (error.name !== "AbortError" || performance.now() > late) throw error;
                    return new Promise(resolve => setTimeout(resolve, 20)).then(play);
                });
                await play();
                const begun = video.currentTime;
                return await new Promise(resolve => {
                    const seen = () => video.currentTime > begun + 0.2 ? resolve(true) : setTimeout(seen, 20);
                    setTimeout(() => resolve(false), 8000);
                    seen();
                });
            }"""
        )
    )
