"""Converts VALT's JSON into the types of `gateway.model`. Pure.

A tolerant reader of VALT's shapes, as documented and as observed: unknown fields are ignored and both spellings of a
field accepted.
Raises ValtResponseError for everything else. No error message repeats the input.
"""

import re
from collections.abc import Mapping
from typing import Any

from gateway.errors import InvalidVideoError, ValtResponseError, VideoNotFoundError
from gateway.model import Secret
from gateway.recording_details import Marker, RecordingDetails, Room, VideoDetails
from gateway.valt import json_values as values
from gateway.valt.comment_schema import comments_of_details
from gateway.valt.json_fields import as_mapping, as_number, as_text, is_int, template_pairs, unstated

# The token is sent in a query string: a text with any other character is not a token.
_TOKEN = re.compile(r"[0-9A-Za-z._~+/=-]{1,4096}", re.ASCII)

_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,31}", re.ASCII)


def access_token(body: bytes) -> Secret:
    """Returns the token of ``{"data": {"access_token": "…"}}`` (VALT: API Authentication).

    *data* is text if the login failed. Raises ValtResponseError if there is no token.
    """
    value = as_mapping(as_mapping(values.parse(body)).get("data")).get("access_token")
    if not isinstance(value, str) or _TOKEN.fullmatch(value) is None:
        raise ValtResponseError("VALT's login response has no access token")
    return Secret(value)


def download_url(body: bytes) -> str:
    """Returns the URL of ``{"url": "…"}``, or of the same object under *data*: the sample and the table of VALT's page
    (API Download Recording Video) differ.

    Raises VideoNotFoundError for an empty URL, which the vendor's client treats as such (VALT: API Download
    Recording Video).
    """
    response = as_mapping(values.parse(body))
    url = response["url"] if "url" in response else as_mapping(response.get("data")).get("url")
    if url == "":
        raise VideoNotFoundError("VALT's download response has an empty url")
    if not isinstance(url, str):
        raise ValtResponseError("VALT's download response has no url")
    return url


def recording_details(body: bytes) -> RecordingDetails:
    """Returns the recording of ``{"data": {…}}`` (VALT: API Recording Details). Raises VideoNotFoundError for
    ``"data": null``, as the vendor's client does (VALT: API Authentication)."""
    response = as_mapping(values.parse(body))
    data = response.get("data")
    if "data" in response and data is None:
        raise VideoNotFoundError("VALT's details response is null")
    if not isinstance(data, dict):
        raise ValtResponseError("VALT's details response has no recording")
    return _details(data)


def search_results(body: bytes) -> list[RecordingDetails]:
    """Returns the recordings of ``data.records[]`` (VALT's wiki) or of ``data[]`` (the vendor's client). Rows without a
    valid id are left out."""
    data = as_mapping(values.parse(body)).get("data")
    rows = data.get("records") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise ValtResponseError("VALT's search response has no list")
    recordings = []
    for row in rows:
        try:
            recordings.append(_details(as_mapping(row)))
        except (ValtResponseError, InvalidVideoError):
            continue  # no address can name it
    return recordings


def rooms(body: bytes) -> list[tuple[int, str]]:
    """Returns the id and name of each room in ``data.rooms[{id, name}]``. Rows without either are left out."""
    data = as_mapping(values.parse(body)).get("data")
    rows = data.get("rooms") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise ValtResponseError("VALT's rooms response has no list")
    entries = [(row.get("id"), as_text(row.get("name"))) for row in values.rows(rows)]
    return [(room, name) for room, name in entries if isinstance(room, int) and is_int(room) and name is not None]


def room(body: bytes) -> Room:
    """Returns the room of ``{"data": {name, has_recording, recording: {id, time}}}``. Raises VideoNotFoundError for
    ``"data": null``, and ValtResponseError if the room has no name."""
    response = as_mapping(values.parse(body))
    data = as_mapping(response.get("data"))
    name = as_text(data.get("name"))
    if "data" in response and response["data"] is None:
        raise VideoNotFoundError("VALT's room response is null")
    if name is None:
        raise ValtResponseError("VALT's room response has no name")
    running = as_mapping(data.get("recording"))
    try:
        recording = values.id_text(running.get("id")) if data.get("has_recording") else None
    except ValtResponseError:
        recording = None
    return Room(name, recording, None if recording is None else values.position(running.get("time")))


def version(body: bytes) -> str | None:
    """Returns VALT's version of ``{"data": {"version": "6.5.1", …}}``, or None if it is not a version."""
    value = as_mapping(as_mapping(values.parse(body)).get("data")).get("version")
    return value if isinstance(value, str) and _VERSION.fullmatch(value) else None


def _details(data: Mapping[str, Any]) -> RecordingDetails:
    author, room = as_mapping(data.get("author")), as_mapping(data.get("room"))
    cameras = as_mapping(data.get("cameras"))
    sharing = as_mapping(data.get("sharing") or data.get("Sharing"))
    author_id, room_id = author.get("id"), room.get("id")
    return RecordingDetails(
        recording=values.id_text(data.get("id")),
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
        videos=_videos(data.get("videos"), cameras),
        markers=_markers(data.get("markers")),
        comments=comments_of_details(data.get("comments")),
        room_id=room_id if is_int(room_id) else None,
        cameras={id_: name for id_, value in cameras.items() if (name := as_text(value)) is not None},
        unstated=unstated(data),
    )


def _videos(value: Any, cameras: Mapping[str, Any]) -> tuple[VideoDetails, ...]:
    """Returns the videos: objects with an id, or bare ids (create-upload). The name is the video's own, its camera's,
    or its number (VALT: API Recording Details)."""
    rows = value if isinstance(value, list) else []
    camera_names = [name for value in cameras.values() if (name := as_text(value)) is not None]
    videos = []
    for number, row in enumerate(rows, 1):
        entry = row if isinstance(row, dict) else {"id": row}
        try:
            video = values.id_text(entry.get("id"))
        except ValtResponseError:
            continue  # no address can name it
        name = as_text(entry.get("name")) or as_text(as_mapping(entry.get("camera")).get("name"))
        if name is None and len(camera_names) == len(rows):
            name = camera_names[number - 1]
        videos.append(VideoDetails(video, name or f"Video {number}"))
    return tuple(videos)


def _markers(value: Any) -> tuple[Marker, ...]:
    """Returns VALT 5's markers."""
    timed = ((row, values.position(row.get("time"))) for row in values.rows(value))
    return tuple(
        Marker(time, as_text(row.get("event")) or "", values.color(row)) for row, time in timed if time is not None
    )


def _template(value: Any) -> Mapping[str, str]:
    """Returns the template's values by label. VALT sends an object, an array of objects with one key, an array of
    ``{name, value}``, or null (VALT: API Recording Details)."""
    fields: dict[str, str] = {}
    for row in [value] if isinstance(value, dict) else value if isinstance(value, list) else []:
        fields.update({str(k): str(v) for k, v in template_pairs(row) if isinstance(v, str | int | float)})
    return fields


def _ids(value: Any) -> frozenset[int]:
    return frozenset(v for v in value if is_int(v)) if isinstance(value, list) else frozenset()
