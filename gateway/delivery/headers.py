"""Which header fields pass, each way. Pure: two lists of what may. Of the client's request only the range and its
conditions reach the media server; of its response only the description of the bytes reaches the client.
"""

import functools
import re
import unicodedata
from collections.abc import Callable
from urllib.parse import quote

from aiohttp import hdrs
from multidict import CIMultiDict, MultiMapping, istr

from gateway.delivery.conditions import is_if_range
from gateway.delivery.http_fields import RangeSpec, byte_ranges, content_length, is_media, media_type, unsatisfied_total
from gateway.delivery.verdicts import MediaRequest, Usable

_CONDITIONS = (hdrs.IF_MATCH, hdrs.IF_NONE_MATCH, hdrs.IF_MODIFIED_SINCE, hdrs.IF_UNMODIFIED_SINCE)
"""A gateway that stores nothing forwards them for the server to decide (RFC 9110, section 13.2.1)."""
_LISTS = frozenset({hdrs.IF_MATCH, hdrs.IF_NONE_MATCH})
_DESCRIPTION = (hdrs.ACCEPT_RANGES, istr("ETag"), hdrs.LAST_MODIFIED)

_OWN = CIMultiDict(
    {
        # Without no-store a browser replays the film with no check and no audit.
        hdrs.CACHE_CONTROL: "private, no-store, no-transform",
        istr("X-Content-Type-Options"): "nosniff",
        istr("Cross-Origin-Resource-Policy"): "same-site",
        istr("X-Valt-Gateway-Delivery"): "proxy",
    }
)
"""As `istr`: each response would make, and hold while it is sent, such a name of each that is a `str`."""

_UNKNOWN = "application/octet-stream"
_GENERIC = frozenset({"", _UNKNOWN, "binary/octet-stream"})
_MAX_FILENAME = 255
"""Bytes: the folded name can be longer than the real one."""
_MAX_EXTENSION = 17
"""Bytes of what counts as an extension, its dot included."""
_NOT_IN_A_TOKEN = re.compile(r"[^ !#$&+.0-9A-Z^_`a-z|~()\[\]{}=@,;-]")


def media_request(method: str, client: MultiMapping[str]) -> MediaRequest:
    """Returns the request to the media server for a client's GET or HEAD with the fields *client*.

    Never compressed: byte positions are the file's. Fields that belong together pass together: without If-Range there
    is no Range, and without one of the conditions there is neither another condition nor a Range. An If-Range that no
    file can meet, as a weak ETag or text that is neither ETag nor date, is not forwarded. A HEAD is sent as a
    GET of the first byte, because media servers refuse HEAD or send a body with it; its Range has no meaning
    (RFC 9110, section 14.2).
    """
    headers = {"Accept-Encoding": "identity"}
    conditions: dict[str, str] = {}
    for name in _CONDITIONS:
        if name in client:
            # A list may be divided into several lines (RFC 9110, section 5.3).
            conditions[name] = ", ".join(client.getall(name)) if name in _LISTS else client[name]
    forwardable = all(map(_is_sendable, conditions.values()))
    if forwardable:
        headers |= conditions
    if method == "HEAD":
        headers["Range"] = "bytes=0-0"
        return MediaRequest(headers, (RangeSpec(0, 0),), method, conditions=conditions)
    if hdrs.RANGE not in client or not forwardable:
        return MediaRequest(headers, conditions=conditions)
    ranges, if_range = byte_ranges(client[hdrs.RANGE]), client.get(hdrs.IF_RANGE)
    if ranges is None or (if_range is not None and not (is_if_range(if_range) and _is_sendable(if_range))):
        return MediaRequest(headers, conditions=conditions)
    headers["Range"] = client[hdrs.RANGE]
    if if_range is not None:
        headers["If-Range"] = if_range
    return MediaRequest(headers, ranges, conditions=conditions)


def response_headers(
    usable: Usable, media: MultiMapping[str], filename: str, *, attachment: bool, is_mp4: Callable[[], bool]
) -> "CIMultiDict[str]":
    """Returns the fields of the response to the client; *media* are those of the media server's response.

    Length and position are stated from the verdict, not copied. *is_mp4* returns whether the link's path ends in .mp4.
    """
    headers = _OWN.copy()
    for name in _DESCRIPTION:
        value = media.get(name)
        if value is not None and _is_sendable(value):
            headers[name] = value
    if usable.from_part:
        headers.setdefault(hdrs.ACCEPT_RANGES, "bytes")  # nginx states it in each 200, and in no 206
    if usable.status == 416 and (total := unsatisfied_total(media.get(hdrs.CONTENT_RANGE, ""))) is not None:
        headers[hdrs.CONTENT_RANGE] = f"bytes */{total}"
    if usable.status not in (200, 206):
        return headers
    headers[hdrs.CONTENT_DISPOSITION] = content_disposition(filename, attachment=attachment)
    stated, body = media.get(hdrs.CONTENT_TYPE, ""), usable.body
    if body is None:
        headers[hdrs.CONTENT_TYPE] = stated.strip(" \t")
        length = content_length(media.get(hdrs.CONTENT_LENGTH, ""))
    else:
        headers[hdrs.CONTENT_TYPE] = _content_type(stated) or ("video/mp4" if is_mp4() else _UNKNOWN)
        length = None if body.end is None else body.end - body.first
    if length is not None:
        headers[hdrs.CONTENT_LENGTH] = str(length)
    if usable.status == 206 and body is not None and body.end is not None:
        total_text = "*" if body.total is None else str(body.total)
        headers[hdrs.CONTENT_RANGE] = f"bytes {body.first}-{body.end - 1}/{total_text}"
    return headers


@functools.lru_cache(maxsize=1024)
def content_disposition(filename: str, *, attachment: bool) -> str:
    """RFC 6266, section 4.3: an ASCII name for old clients, and the real one as RFC 8187 spells it if they differ."""
    kind = "attachment" if attachment else "inline"
    folded = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
    plain = _NOT_IN_A_TOKEN.sub("_", folded)
    stem, dot, extension = plain.rpartition(".")
    extension = dot + extension if extension else ""
    if not dot or len(extension) > _MAX_EXTENSION:
        stem, extension = plain, ""
    plain = (stem.lstrip(" .")[: _MAX_FILENAME - len(extension)] or "video") + extension
    extended = "" if plain == filename else f"; filename*=UTF-8''{quote(filename, safe='!#$&+-.^_`|~')}"
    return f'{kind}; filename="{plain}"{extended}'


@functools.lru_cache(maxsize=256)
def _content_type(stated: str) -> str | None:
    """Returns the Content-Type for the client, or None if the stated one is generic or missing.

    A type that is not media becomes application/octet-stream: an upload that is stated to be text/html must not become
    a page of the gateway's.
    """
    parsed = media_type(stated)
    name = "" if parsed is None else parsed.name
    if name in _GENERIC and (parsed is not None or not stated.strip(" \t")):
        return None
    if parsed is None or not is_media(name):
        return _UNKNOWN
    return name if parsed.parameters is None or not stated.isascii() else stated.strip(" \t")


def _is_sendable(value: str) -> bool:
    """Whether *value* can be sent byte for byte as it was received. aiohttp decodes fields as UTF-8 with surrogates for
    other bytes, and sends no surrogates."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
