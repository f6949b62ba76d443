"""The request target that a front proxy names in forward authentication, and the recording or video it is for. Pure."""

import posixpath
import re
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.errors import AccessDeniedError
from gateway.model import parse_id

_PATTERN = re.compile(r"/recordings/([^/]+)(?:/videos/([^/]+)|/(?:captions|chapters)\.vtt)?", re.ASCII)
"""A recording's path, with the paths of its text tracks, or a video's."""
_AUTHORITY = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OriginalTarget:
    """*recording* is None for any path that is neither a recording's nor a video's; *query* is the raw query."""

    recording: str | None = None
    video: str | None = None
    query: str = ""


def parse_target(text: str) -> OriginalTarget:
    """Returns what *text* is for: a path with its query, as a front received it, or a whole URL.

    Other spellings of a recording's path (encoded characters, ``//``, ``/../``, a trailing slash) are the recording's
    too, because the server that the front protects may resolve them. Raises AccessDeniedError if *text* is not a path,
    and InvalidVideoError if an id has not the form of one.
    """
    path, _, query = _AUTHORITY.sub("", text, count=1).partition("#")[0].partition("?")
    if not path.startswith("/"):
        raise AccessDeniedError("the original path does not begin with a slash")
    decoded = unquote(path).replace("\\", "/")
    for spelling in (path, decoded, "/" + posixpath.normpath(decoded).lstrip("/")):
        match = _PATTERN.fullmatch(spelling)
        if match is not None:
            recording, video = (None if part is None else parse_id(unquote(part)) for part in match.groups())
            return OriginalTarget(recording, video, query)
    return OriginalTarget(query=query)
