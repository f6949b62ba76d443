"""Scripts and styles of the pages and the operator's logo, served from memory.

The folder's name is a digest of all files in it: modules import each other by plain names, responses may be cached
forever, and an upgrade never mixes old files with new ones.
"""

import gzip
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
_OURS = _WATCH | {name: _PAGES.joinpath(name).read_bytes() for name in ("login_fragment.js", "retry.js")}


class Assets:
    """The files of one configuration. *logo* is the operator's picture; raises OSError if it cannot be read."""

    def __init__(self, logo: Path | None) -> None:
        self._files = dict(_OURS)
        self.logo = None if logo is None else f"logo{logo.suffix.lower()}"
        """The logo's name among the assets, or None."""
        if logo is not None and self.logo is not None:
            self._files[self.logo] = logo.read_bytes()
        self._compressed = {name: gzip.compress(body, mtime=0) for name, body in _OURS.items()}
        content = b"\0".join(name.encode() + b"\0" + body for name, body in self._files.items())
        self._edition = hashlib.sha256(content).hexdigest()[:16]

    def address(self, name: str) -> str:
        """Returns the path of the asset *name*. Raises KeyError if there is none."""
        self._files[name]
        return f"/assets/{self._edition}/{name}"

    def modules(self) -> list[str]:
        """Returns the paths of the watch page's modules, so that the page can preload all of them."""
        return [self.address(name) for name in _WATCH if name.endswith(".js")]

    async def asset(self, request: Request) -> web.StreamResponse:
        """GET, HEAD /assets/{edition}/{name}"""
        name = request.parts["name"]
        if request.parts["edition"] != self._edition or name not in self._files:
            raise NotFoundError
        compressed = self._compressed.get(name) if _accepts_gzip(request) else None
        return web.Response(
            body=self._files[name] if compressed is None else compressed,
            headers={
                **({} if compressed is None else {"Content-Encoding": "gzip"}),
                "Vary": "Accept-Encoding",
                "Content-Type": _TYPES[name[name.rindex(".") :]],
                "Cache-Control": "public, max-age=31536000, immutable",
                # A logo opened on its own is a document of this origin, and an SVG may contain scripts.
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
                "Cross-Origin-Resource-Policy": "same-origin",
                "X-Content-Type-Options": "nosniff",
            },
        )


def _accepts_gzip(request: Request) -> bool:
    """Whether Accept-Encoding names gzip, and not with quality 0 (RFC 9110, section 12.5.3)."""
    for part in request.headers.get("Accept-Encoding", "").split(","):
        coding, _, parameter = part.replace(" ", "").lower().partition(";")
        if coding == "gzip":
            return parameter not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
