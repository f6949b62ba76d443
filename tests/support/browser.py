"""Headless Chromium, Debian's, driven by playwright."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, async_playwright

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


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    flags = _FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program("chromium"), args=flags)
        try:
            yield started
        finally:
            await started.close()


async def is_playing(page: Page) -> bool:
    """Whether the page's video moves on: two moments of it differ."""
    return bool(
        await page.evaluate(
            """async () => {
                const video = document.querySelector("video");
                await video.play();
                const begun = video.currentTime;
                return await new Promise(resolve => {
                    const seen = () => video.currentTime > begun + 0.2 ? resolve(true) : setTimeout(seen, 20);
                    setTimeout(() => resolve(false), 8000);
                    seen();
                });
            }"""
        )
    )
