"""Which headers pass, each way: two lists of what may, and pure. Nothing of the client's but a range and its conditions
reaches VALT; nothing of VALT's but the description of the bytes reaches the client."""

import functools
import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import quote

ASKED = ("Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
"""A gateway that keeps no copy forwards conditions untouched (RFC 9110, 13.2.1)."""

_ANSWERED = ("Accept-Ranges", "Content-Range", "Content-Length", "ETag", "Last-Modified")

_OURS = {
    # Without no-store a browser replays with no check and no audit.
    "Cache-Control": "private, no-store, no-transform",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-site",
    "X-Valt-Gateway-Delivery": "proxy",
}

_MEDIA = re.compile(
    r"(?:video|audio)/[a-z0-9.+-]+|application/(?:mp4|octet-stream)|multipart/byteranges; ?boundary=[\w'()+,./:=?\"-]+"
)


def request_headers(asked: Mapping[str, str]) -> dict[str, str]:
    """What the media server is asked with. Never compressed: byte positions are the file's."""
    return {"Accept-Encoding": "identity"} | {
        name: asked[name] for name in ASKED if name in asked and asked[name].isascii()
    }


def response_headers(answered: Mapping[str, str], status: int, filename: str, *, attachment: bool) -> dict[str, str]:
    """What the client is told of the media server's answer."""
    told = {name: answered[name] for name in _ANSWERED if name in answered}
    if status in (200, 206):
        told["Content-Type"] = _content_type(answered.get("Content-Type", ""))
        told["Content-Disposition"] = content_disposition(filename, attachment=attachment)
        told.setdefault("Accept-Ranges", "bytes")
    if status in (304, 412, 416):
        told.pop("Content-Length", None)
    return told | _OURS


@functools.lru_cache(maxsize=1024)
def content_disposition(filename: str, *, attachment: bool) -> str:
    """RFC 6266, 4.3: a plain name for old clients and the true one in RFC 8187's spelling where they differ."""
    kind = "attachment" if attachment else "inline"
    ascii_name = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^ !#$&+.0-9A-Z^_`a-z|~()\[\]{}=@,;-]", "_", ascii_name)
    extended = "" if plain == filename else f"; filename*=UTF-8''{quote(filename, safe='!#$&+-.^_`|~')}"
    return f'{kind}; filename="{plain}"{extended}'


def _content_type(stated: str) -> str:
    # A media server that says text/html must not make a page of ours out of somebody's upload.
    return stated if _MEDIA.fullmatch(stated.lower()) else "application/octet-stream"
