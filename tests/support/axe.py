"""Runs axe, which checks the rules of WCAG that a program can check, in a page of Chromium."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page

_SOURCE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
"""WCAG 2.2 at level AA, which includes the earlier versions and level A."""
_NEXT_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Resolves when the page's ResizeObserver has laid out the new size: it runs at the end of a frame."""


async def violations(page: Page) -> list[str]:
    """Returns one line for each violation in *page* as it is now: the rule, the element and how to mend it."""
    if not await page.evaluate("'axe' in window"):
        assert _SOURCE.is_file(), "axe-core is not there: run npm ci in tests/"
        # The debugger injects it; the page's Content-Security-Policy does not apply to that.
        await page.evaluate(_SOURCE.read_text(encoding="utf-8"))
    report: dict[str, Any] = await page.evaluate("tags => axe.run({ runOnly: { type: 'tag', values: tags } })", _TAGS)
    return [
        f"{violation['id']}: {' '.join(node['target'])}: {node['failureSummary']}"
        for violation in report["violations"]
        for node in violation["nodes"]
    ]


async def violations_in_every_view(page: Page) -> list[str]:
    """Returns the violations of *page* in a wide light view and a narrow dark one, horizontal scrolling included."""
    lines = []
    # WCAG 2.2, 1.4.10: no scrolling in two directions at 320 CSS pixels. Colour scheme and width are independent.
    for scheme, width in (("light", 1280), ("dark", 320)):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await page.set_viewport_size({"width": width, "height": 640})
        await page.evaluate(_NEXT_FRAMES)
        lines += [f"{scheme}, {width} wide: {line}" for line in await violations(page)]
        if await page.evaluate("document.documentElement.scrollWidth") > width:
            lines.append(f"{scheme}, {width} wide: scrolls to the side")
    return lines
