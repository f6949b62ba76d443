"""Targets of VALT's JSON: logins, links, recordings, rooms and comments, and what the gateway writes of them."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import orjson

from gateway.errors import LinkRefusedError, ValtResponseError, VideoNotFoundError
from gateway.model import parse_id
from gateway.recording_details import RecordingDetails
from gateway.valt import comment_schema, schema
from gateway.valt.allowed_hosts import AllowedHosts, parse_link
from gateway.web.schemas import valt_api
from tests.fuzz.target import Target, text_of

_HOSTS = AllowedHosts.of("https://valt.example", ["media.example:8443", "[2001:db8::1]:443"])
_REFUSED = (ValtResponseError, VideoNotFoundError)
_LINK = b"https://media.example:8443/a/b.mp4?access_token=e30.eyJleHAiOjE4MDAwMDAwMDB9.c&filename=A%252Bb.mp4"
_DETAILS = json.dumps(
    {
        "data": {
            "id": 12,
            "name": "Session",
            "created": 1_790_000_000,
            "duration": "61.5",
            "author": {"id": 3, "name": "Anna", "username": "anna"},
            "room": {"id": 4, "name": "Room"},
            "cameras": {"1": "Ceiling", "2": "Door"},
            "sharing": {"users": [1], "groups": [2]},
            "retention": {"until": 1_800_000_000},
            "template": [{"name": "Patient", "value": "x"}, {"Course": "7"}],
            "videos": [{"id": "0d1e2f3a", "camera": {"name": "Ceiling"}}, 7],
            "markers": [{"time": "1:02", "event": "start", "color": "#ff0000"}],
            "comments": [{"recordTime": 3, "message": "m", "replies": [{"message": "r"}]}],
        }
    }
)
_COMMENTS = json.dumps(
    {
        "data": [
            {"id": 1, "recordId": 12, "recordTime": 3.5, "endTime": "0:00:09", "message": "hello", "type": "simple"},
            {"startTime": "1:02", "event": "e", "author": {"id": 1, "displayName": "A"}, "replies": [{"message": "r"}]},
        ]
    }
)
_DEEP = b'{"data": [{"recordTime": 1, "recordId": ' + b"[" * 970 + b"]" * 970 + b"}]}"


def link(data: bytes) -> None:
    """A link that is accepted names an allowed host, for other parsers too, and is used byte for byte; its file name is
    safe."""
    text = text_of(data)
    with suppress(LinkRefusedError):
        parsed = parse_link(text, _HOSTS, 0.0)
        assert parsed.url.reveal() == text
        parts = urlsplit(text)
        assert (parts.scheme, parts.username) == ("https", None)
        assert parts.hostname == "valt.example" or (parts.hostname, parts.port or 443) in (
            ("media.example", 8443),
            ("2001:db8::1", 443),
        )
        assert not set("\r\n\\ #") & set(text)
        name = parsed.filename
        assert name is None or (name.isprintable() and not set('/\\:*?"<>|') & set(name) and not name.startswith("."))
        assert name is None or len(name.encode()) <= 255
        assert parsed.expires_at is None or parsed.expires_at == float(parsed.expires_at)


def login(data: bytes) -> None:
    """A token can be sent in a query as it is, a download's URL is text."""
    with suppress(*_REFUSED):
        token = schema.access_token(data).reveal()
        assert token.isascii()
        assert not set("&#?% \r\n") & set(token)
    with suppress(*_REFUSED):
        assert schema.download_url(data)
    with suppress(*_REFUSED):
        version = schema.version(data)
        assert version is None or version.isascii()


def recordings(data: bytes) -> None:
    """Ids of recordings and videos are ids, numbers are bounded, and what the gateway writes of them is UTF-8."""
    results: list[RecordingDetails] = []
    with suppress(*_REFUSED):
        results.append(schema.recording_details(data))
    with suppress(*_REFUSED):
        results += schema.search_results(data)
    for details in results:
        assert parse_id(details.recording)
        assert all(parse_id(video.video) for video in details.videos)
        for number in (details.created, details.duration, details.deleted_at):
            assert number is None or 0 <= number < 1e11
        _is_writable(lambda details=details: valt_api.details(details, details.videos))  # type: ignore[misc]


def rooms(data: bytes) -> None:
    """A room has a name, and what is recorded in it an id."""
    with suppress(*_REFUSED):
        room = schema.room(data)
        assert room.name
        assert room.recording is None or parse_id(room.recording)
    with suppress(*_REFUSED):
        assert all(name for _, name in schema.rooms(data))


def comments(data: bytes) -> None:
    """Texts and numbers of comments are bounded, positions lie in ten days, and all can be written."""
    with suppress(*_REFUSED):
        read = comment_schema.comments(data, "12")
        for comment in _all(read.entries):
            assert 0 <= comment.seconds <= 864_000 or comment.seconds < 4e6
            assert len(comment.text) <= comment_schema.MAX_TEXT
            assert comment.end is None or comment.end > comment.seconds
        _is_writable(lambda: valt_api.comments("12", read.entries))


def _all(entries: Any) -> Iterator[Any]:
    for entry in entries:
        yield entry
        yield from _all(entry.replies)


def _is_writable(build: Callable[[], Any]) -> None:
    """Fails unless the JSON can be written, and every text of it is UTF-8."""
    text = json.dumps(build(), ensure_ascii=False, allow_nan=False)
    assert json.loads(text.encode()) is not None


TARGETS = (
    Target("VALT's link", link, (_LINK, b"https://valt.example/x", b"https://[2001:db8::1]/x?filename=%2E%2E%2Fa")),
    Target(
        "VALT's login",
        login,
        (
            b'{"data": {"access_token": "abc.def"}}',
            b'{"url": "https://x"}',
            b'{"data": {"url": "", "version": "6.5.1"}}',
        ),
    ),
    Target(
        "VALT's recordings",
        recordings,
        (
            _DETAILS.encode(),
            orjson.dumps({"data": {"records": [{"id": "a-b", "template": {"x": 1.5}}]}}),
            b'{"data": null}',
        ),
    ),
    Target(
        "VALT's rooms",
        rooms,
        (
            b'{"data": {"rooms": [{"id": 1, "name": "R"}]}}',
            b'{"data": {"name": "R", "has_recording": true, "recording": {"id": 1, "time": 3}}}',
        ),
    ),
    Target("VALT's comments", comments, (_COMMENTS.encode(), b"[]", b'{"comments": null}', _DEEP)),
)
