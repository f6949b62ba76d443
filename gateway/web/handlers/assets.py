"""What pages are made of besides themselves, served from memory: our modules and styles, the operator's logo.

The name of a folder is a digest of all that is in it, so that modules import each other by their plain names,
an answer may be kept for ever, and an upgrade never mixes old with new.
"""

import hashlib
from importlib.resources import files
from pathlib import Path

from aiohttp import web

from gateway.errors import NotFoundError
from gateway.web.request import Request

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}
_PAGES = files("gateway.web.pages")
_WATCH = {
    file.name: file.read_bytes()
    for file in sorted(_PAGES.joinpath("watch").iterdir(), key=lambda file: file.name)
    if file.name.endswith((".css", ".js"))
}
_OURS = {**_WATCH, "moment.js": _PAGES.joinpath("moment.js").read_bytes()}


class Assets:
    """*logo* is the operator's picture. OSError where it cannot be read."""

    def __init__(self, logo: Path | None) -> None:
        self._files = dict(_OURS)
        self.logo = None if logo is None else f"logo{logo.suffix.lower()}"
        """Its name among the assets."""
        if logo is not None and self.logo is not None:
            self._files[self.logo] = logo.read_bytes()
        told = b"\0".join(name.encode() + b"\0" + body for name, body in self._files.items())
        self._edition = hashlib.sha256(told).hexdigest()[:16]

    def address(self, name: str) -> str:
        """Where the asset *name* is found. KeyError if there is none."""
        self._files[name]
        return f"/assets/{self._edition}/{name}"

    def modules(self) -> list[str]:
        """The addresses of the watch page's modules, for it to ask for all of them at once."""
        return [self.address(name) for name in _WATCH if name.endswith(".js")]

    async def asset(self, request: Request) -> web.StreamResponse:
        """GET, HEAD /assets/{edition}/{name}"""
        name = request.parts["name"]
        if request.parts["edition"] != self._edition or name not in self._files:
            raise NotFoundError
        return web.Response(
            body=self._files[name],
            headers={
                "Content-Type": _TYPES[name[name.rindex(".") :]],
                "Cache-Control": "public, max-age=31536000, immutable",
                # A logo that is opened by itself is a document of this origin, and an SVG may have scripts.
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
                "Cross-Origin-Resource-Policy": "same-origin",
                "X-Content-Type-Options": "nosniff",
            },
        )
