"""What an organisation changes about the pages: ``[branding]``, and its colour in style and icon. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from gateway.web.pages import colors

_LIGHT, _DARK = "#ffffff", "#12161c"
"""The background colours of style.css."""
_ACCENT = "#0b5cad"
"""The accent colour of style.css in its light view."""


@dataclass(frozen=True, slots=True)
class Branding:
    """The values of ``[branding]``."""

    name: str
    help_url: str = ""
    frame_ancestors: Sequence[str] = ()
    accent_color: str = ""
    notice: str = ""
    privacy_url: str = ""
    language: str = "auto"


def accent_style(color: str) -> str:
    """Returns the style rules that set the accent *color*, legible in light and in dark."""
    if not color:
        return ""
    light, dark = (colors.legible(color, background) for background in (_LIGHT, _DARK))
    return f":root{{--accent:{light}}}@media(prefers-color-scheme:dark){{:root{{--accent:{dark}}}}}\n"


def icon(color: str) -> str:
    """Returns the icon for a browser's tab as a ``data:`` URL: a play button in *color*, or in our own."""
    fill = colors.legible(color or _ACCENT, _LIGHT)
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
        f'<rect width="16" height="16" rx="4" fill="{fill}"/><path d="M6 4.2v7.6L12 8z" fill="#fff"/></svg>'
    )
    return f"data:image/svg+xml,{quote(svg)}"
