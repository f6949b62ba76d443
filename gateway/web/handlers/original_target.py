"""The request target that a front proxy names in forward authentication, and the recording or video it is for. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.errors import AccessDeniedError
from gateway.model import parse_id

_PATTERN = re.compile(r"/recordings/([^/]+)(?:/videos/([^/]+)|/(?:captions|chapters)\.vtt)?", re.ASCII | re.IGNORECASE)
"""A recording's path, with the paths of its text tracks, or a video's. Some servers ignore letter case."""
_PARAMETERS = re.compile(r";[^/]*")
_AUTHORITY = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_NETWORK_PATH = re.compile(r"//+[^/]*")
"""What a server that reads the target as a reference takes for a host (RFC 3986, section 4.2)."""
_SEPARATORS = re.compile(r"[&;?]")
_SLASH = re.compile(r"[/\\]")
_MOST_SEGMENTS = 100
"""Of a path that is decided: to resolve thousands of dots in every way takes 10 ms."""


@dataclass(frozen=True, slots=True)
class OriginalTarget:
    """*recording* is None for any path that is neither a recording's nor a video's; *query* is the raw query."""

    recording: str | None = None
    video: str | None = None
    query: str = ""


def parse_target(text: str) -> OriginalTarget:
    """Returns what *text* is for: a path with its query, as a front received it, or a whole URL.

    Other spellings of a recording's path are the recording's too, because the server that the front protects may
    resolve them: see `_spellings`. Raises AccessDeniedError if *text* is not a path or can be taken for
    several recordings, and InvalidVideoError if an id has not the form of one.
    """
    if re.search(r"\s", text):
        # A request target has no space (RFC 9112, section 3.2): a proxy has joined the values of two headers.
        raise AccessDeniedError("the original path has a space")
    authority = _AUTHORITY.match(text)
    path, _, query = text[authority.end() if authority else 0 :].partition("?")
    if not path.startswith("/"):
        raise AccessDeniedError("the original path does not begin with a slash")
    if "#" in text:
        # A request has no fragment (RFC 9112, section 3.2), so that servers do not agree on where such a path ends.
        raise AccessDeniedError("the original path has a fragment")
    targets = set()
    for spelling in _spellings(path):
        match = _PATTERN.fullmatch(spelling)
        if match is not None:
            video = match[2] and parse_id(unquote(match[2]))
            targets.add(OriginalTarget(parse_id(unquote(match[1])), video, query))
    if len(targets) > 1:
        raise AccessDeniedError("the original path can be taken for several recordings or videos")
    return targets.pop() if targets else OriginalTarget(query=query)


def is_download(query: str) -> bool:
    """Whether some server takes the raw *query* for one with a parameter ``download``: decoded once or twice, with a
    semicolon between parameters, in any letter case, or up to a NUL."""
    for _ in range(3):
        names = (parameter.partition("=")[0].partition("\0")[0] for parameter in _SEPARATORS.split(query))
        if any(name.strip().lower() == "download" for name in names):
            return True
        query = unquote(query.replace("+", " "))
    return False


def _spellings(path: str) -> Iterator[str]:
    """Yields the paths that some server takes *path* for: as it is; decoded, by each of two servers; and each of these,
    with backslashes as they are or for slashes, without the parameters of its segments (RFC 3986, section 3.3), dot
    segments, empty segments, a host after two slashes, and what follows a decoded question mark.

    Raises AccessDeniedError if there are too many segments."""
    for _ in range(3):
        if len(_SLASH.findall(path)) > _MOST_SEGMENTS:
            raise AccessDeniedError("the original path has too many segments")
        for plain in {path, path.replace("\\", "/")}:
            yield plain
            for text in {plain, _PARAMETERS.sub("", plain), plain.partition("?")[0], _NETWORK_PATH.sub("", plain, 1)}:
                yield _resolve(text, merge=True)
                yield _resolve(text, merge=False)
        path = unquote(path)


def _resolve(path: str, *, merge: bool) -> str:
    """Returns *path* without dots (RFC 3986, section 5.2.4) and empty segments. *merge*: whether ``..`` removes the
    segment before the empty ones before it."""
    segments: list[str] = []
    for segment in path[1:].split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment != "." and (segment or not merge):
            segments.append(segment)
    return "/" + "/".join(filter(None, segments))
