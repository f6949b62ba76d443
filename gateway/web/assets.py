"""Our pages' modules and styles, served from memory.

The name of a folder is a digest of all that is in it, so that modules import each other by their plain names,
an answer may be kept for ever, and an upgrade never mixes old with new.
"""

import hashlib
from importlib.resources import files

from aiohttp import web

from gateway.errors import NotFoundError

_TYPES = {".css": "text/css", ".js": "text/javascript"}
_PAGES = files("gateway.web.pages")
_WATCH = {
    file.name: file.read_bytes()
    for file in sorted(_PAGES.joinpath("watch").iterdir(), key=lambda file: file.name)
    if file.name.endswith(tuple(_TYPES))
}
_FILES = {**_WATCH, "moment.js": _PAGES.joinpath("moment.js").read_bytes()}
_EDITION = hashlib.sha256(b"\0".join(name.encode() + b"\0" + body for name, body in _FILES.items())).hexdigest()[:16]


def address(name: str) -> str:
    """Where the asset *name* is found. KeyError if there is none."""
    _FILES[name]
    return f"/assets/{_EDITION}/{name}"


def modules() -> list[str]:
    """The addresses of the watch page's modules, for it to ask for all of them at once."""
    return [address(name) for name in _WATCH if name.endswith(".js")]


async def asset(request: web.Request) -> web.StreamResponse:
    """GET, HEAD /assets/{edition}/{name}"""
    name = request.match_info["name"]
    if request.match_info["edition"] != _EDITION or name not in _FILES:
        raise NotFoundError
    return web.Response(
        body=_FILES[name],
        headers={
            "Content-Type": f"{_TYPES[name[name.rindex('.') :]]}; charset=utf-8",
            "Cache-Control": "public, max-age=31536000, immutable",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        },
    )
