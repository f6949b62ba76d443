"""Converts VALT's JSON into the types of `gateway.model`. Pure.

A tolerant reader of VALT's shapes, as documented and as observed: unknown fields are ignored and both spellings of a
field accepted.
Raises ValtResponseError for everything else. No error message repeats the input.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from gateway.errors import InvalidVideoError, ValtResponseError, VideoNotFoundError
from gateway.model import Secret, parse_id
from gateway.recording_details import Comment, Marker, RecordingDetails, VideoDetails
from gateway.valt.json_fields import as_mapping, as_number, as_text, is_int, template_pairs, unstated

# The token is sent in a query string: a text with any other character is not a token.
_TOKEN = re.compile(r"[0-9A-Za-z._~+/=-]{1,4096}", re.ASCII)

# The only form of a colour that is passed on to the pages, which put it into a style.
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}", re.ASCII)


def parse(body: bytes) -> Any:
    """Returns the JSON value of *body*. Raises ValtResponseError if it is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ValtResponseError("VALT's response is not JSON") from None


def access_token(body: bytes) -> Secret:
    """Returns the token of ``{"data": {"access_token": "…"}}`` (VALT: API Authentication).

    *data* is text if the login failed. Raises ValtResponseError if there is no token.
    """
    value = as_mapping(as_mapping(parse(body)).get("data")).get("access_token")
    if not isinstance(value, str) or _TOKEN.fullmatch(value) is None:
        raise ValtResponseError("VALT's login response has no access token")
    return Secret(value)


def download_url(body: bytes) -> str:
    """Returns the URL of ``{"url": "…"}``, or of the same object under *data*: the sample and the table of VALT's page
    (API Download Recording Video) differ.


    Raises VideoNotFoundError for an empty URL, which the vendor's client treats as such (VALT: API Download
    Recording Video).
    """
    response = as_mapping(parse(body))
    url = response["url"] if "url" in response else as_mapping(response.get("data")).get("url")
    if url == "":
        raise VideoNotFoundError("VALT's download response has an empty url")
    if not isinstance(url, str):
        raise ValtResponseError("VALT's download response has no url")
    return url


def recording_details(body: bytes) -> RecordingDetails:
    """Returns the recording of ``{"data": {…}}`` (VALT: API Recording Details). Raises VideoNotFoundError for
    ``"data": null``, as the vendor's client does (VALT: API Authentication)."""
    response = as_mapping(parse(body))
    data = response.get("data")
    if "data" in response and data is None:
        raise VideoNotFoundError("VALT's details response is null")
    if not isinstance(data, dict):
        raise ValtResponseError("VALT's details response has no recording")
    return _details(data)


def search_results(body: bytes) -> list[RecordingDetails]:
    """Returns the recordings of ``data.records[]`` (VALT's wiki) or of ``data[]`` (the vendor's client). Rows without a
    valid id are left out."""
    data = as_mapping(parse(body)).get("data")
    rows = data.get("records") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise ValtResponseError("VALT's search response has no list")
    recordings = []
    for row in rows:
        try:
            recordings.append(_details(as_mapping(row)))
        except (ValtResponseError, InvalidVideoError):
            continue
    return recordings


def rooms(body: bytes) -> list[tuple[int, str]]:
    """Returns the id and name of each room in ``data.rooms[{id, name}]``. Rows without either are left out."""
    data = as_mapping(parse(body)).get("data")
    rows = data.get("rooms") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise ValtResponseError("VALT's rooms response has no list")
    entries = (as_mapping(row) for row in rows)
    return [(row["id"], row["name"]) for row in entries if is_int(row.get("id")) and isinstance(row.get("name"), str)]


def _details(data: Mapping[str, Any]) -> RecordingDetails:
    author, room = as_mapping(data.get("author")), as_mapping(data.get("room"))
    sharing = as_mapping(data.get("sharing") or data.get("Sharing"))
    author_id, room_id = author.get("id"), room.get("id")
    return RecordingDetails(
        recording=_id(data.get("id")),
        name=as_text(data.get("name")),
        room=as_text(room.get("name")),
        author=as_text(author.get("name")),
        author_id=author_id if is_int(author_id) else None,
        created=as_number(data.get("created")),
        duration=as_number(data.get("duration")),
        template=_template(data.get("template")),
        shared_users=_ids(sharing.get("users")),
        shared_groups=_ids(sharing.get("groups")),
        deleted_at=as_number(as_mapping(data.get("retention")).get("until")),
        videos=_videos(data.get("videos"), as_mapping(data.get("cameras"))),
        markers=_markers(data.get("markers")),
        comments=_comments(data.get("comments")),
        room_id=room_id if is_int(room_id) else None,
        cameras={id_: name for id_, name in as_mapping(data.get("cameras")).items() if isinstance(name, str)},
        unstated=unstated(data),
    )


def _videos(value: Any, cameras: Mapping[str, Any]) -> tuple[VideoDetails, ...]:
    """Returns the videos: objects with an id, or bare ids (create-upload). The name is the video's own, its camera's,
    or its number (VALT: API Recording Details)."""
    rows = value if isinstance(value, list) else []
    camera_names = [name for name in cameras.values() if isinstance(name, str)]
    videos = []
    for number, row in enumerate(rows, 1):
        entry = row if isinstance(row, dict) else {"id": row}
        try:
            video = _id(entry.get("id"))
        except ValtResponseError:
            continue
        name = as_text(entry.get("name")) or as_text(as_mapping(entry.get("camera")).get("name"))
        if name is None and len(camera_names) == len(rows):
            name = camera_names[number - 1]
        videos.append(VideoDetails(video, name or f"Video {number}"))
    return tuple(videos)


def _markers(value: Any) -> tuple[Marker, ...]:
    """Returns VALT 5's markers."""
    timed = ((row, as_number(row.get("time"))) for row in _rows(value))
    return tuple(Marker(time, as_text(row.get("event")) or "", _color(row)) for row, time in timed if time is not None)


def _comments(value: Any) -> tuple[Comment, ...]:
    """Returns VALT 6's comments (VALT: API Comments); those of a period stand at its start."""
    comments = []
    for row in _rows(value):
        times = (as_number(row.get(key)) for key in ("recordTime", "startTime", "time"))
        seconds = next((time for time in times if time is not None), None)
        if seconds is not None:
            author = as_mapping(row.get("author"))
            name = as_text(author.get("displayName")) or as_text(author.get("username"))
            text = as_text(row.get("message")) or as_text(row.get("event")) or ""
            comments.append(Comment(seconds, name, text, as_text(row.get("type")) or "simple", _color(row)))
    return tuple(comments)


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [as_mapping(row) for row in value] if isinstance(value, list) else []


def _color(row: Mapping[str, Any]) -> str | None:
    colors = (row.get(key) for key in ("hex_color", "hex color", "color"))
    return next((color for color in colors if isinstance(color, str) and _COLOR.fullmatch(color)), None)


def _template(value: Any) -> Mapping[str, str]:
    """Returns the template's values by label. VALT sends an object, an array of objects with one key, an array of
    ``{name, value}``, or null (VALT: API Recording Details)."""
    fields: dict[str, str] = {}
    for row in [value] if isinstance(value, dict) else value if isinstance(value, list) else []:
        fields.update({str(k): str(v) for k, v in template_pairs(row) if isinstance(v, str | int | float)})
    return fields


def _id(value: Any) -> str:
    """Returns the id as text: VALT 5 has integers, VALT 6 UUIDs. Raises ValtResponseError if it is not a valid id."""
    try:
        return parse_id(str(value) if is_int(value) else value if isinstance(value, str) else "")
    except InvalidVideoError:
        raise ValtResponseError("VALT's response has an invalid id") from None


def _ids(value: Any) -> frozenset[int]:
    return frozenset(v for v in value if is_int(v)) if isinstance(value, list) else frozenset()
