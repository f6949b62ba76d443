"""axe, which knows what of WCAG can be told by a machine, in a page of Chromium."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page

_SOURCE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
"""WCAG 2.2 at level AA, which holds all that came before."""


async def violations(page: Page) -> list[str]:
    """What axe finds wrong with *page* as it stands: a line each, with the rule, the element and what to do."""
    if not await page.evaluate("'axe' in window"):
        assert _SOURCE.is_file(), "axe-core is not there: run npm ci in tests/"
        # Through the debugger, which no page's policy keeps out.
        await page.evaluate(_SOURCE.read_text(encoding="utf-8"))
    found: dict[str, Any] = await page.evaluate("tags => axe.run({ runOnly: { type: 'tag', values: tags } })", _TAGS)
    return [
        f"{broken['id']}: {' '.join(node['target'])}: {node['failureSummary']}"
        for broken in found["violations"]
        for node in broken["nodes"]
    ]


async def found_in_any_light(page: Page) -> list[str]:
    """What axe finds, light on a desk and dark on a phone, where nothing may stand out to the side either."""
    found = []
    # WCAG 2.2, 1.4.10: without scrolling two ways at 320 CSS pixels. Colours and widths do not depend on each other.
    for scheme, width in (("light", 1280), ("dark", 320)):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await page.set_viewport_size({"width": width, "height": 640})
        found += [f"{scheme}, {width} wide: {line}" for line in await violations(page)]
        if await page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"{scheme}, {width} wide: scrolls to the side")
    return found
