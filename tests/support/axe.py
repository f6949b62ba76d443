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
