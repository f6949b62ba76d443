"""VALT's JSON made ours, and pure. A tolerant reader: shapes as valt-api.md has them, unknown fields ignored,
both spellings accepted, a ValtResponseError for what makes no sense. No message repeats what was read."""

import json
import re
from collections.abc import Mapping
from typing import Any

from gateway.errors import InvalidVideoError, ValtResponseError, VideoNotFoundError
from gateway.model import Marker, RecordingDetails, Secret, VideoDetails, parse_id

# A token goes into a query string of ours: what is none of these characters is not a token.
_TOKEN = re.compile(r"[0-9A-Za-z._~+/=-]{1,4096}", re.ASCII)

# What a page may paint with: nothing else gets near a style.
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}", re.ASCII)


def parse(body: bytes) -> Any:
    """The JSON value of *body*."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ValtResponseError("VALT answered something that is not JSON") from None


def access_token(body: bytes) -> Secret:
    """``{"data": {"access_token": "…"}}`` (API Authentication). On failure *data* is a string."""
    value = _mapping(_mapping(parse(body)).get("data")).get("access_token")
    if not isinstance(value, str) or _TOKEN.fullmatch(value) is None:
        raise ValtResponseError("VALT's login answer holds no access token")
    return Secret(value)


def download_url(body: bytes) -> str:
    """``{"url": "…"}`` (API Download Recording Video: the sample is bare, its table says under *data*).
    VideoNotFoundError for an empty one, which the vendor's client takes for that (valt-api.md, 2.2)."""
    answer = _mapping(parse(body))
    url = answer["url"] if "url" in answer else _mapping(answer.get("data")).get("url")
    if url == "":
        raise VideoNotFoundError("VALT answered an empty url")
    if not isinstance(url, str):
        raise ValtResponseError("VALT's download answer holds no url")
    return url


def recording_details(body: bytes) -> RecordingDetails:
    """``{"data": {…}}`` (API Recording Details). VideoNotFoundError for ``"data": null``, which the vendor's client
    takes for that (valt-api.md, 1.5)."""
    answer = _mapping(parse(body))
    data = answer.get("data")
    if "data" in answer and data is None:
        raise VideoNotFoundError("VALT answered null")
    if not isinstance(data, dict):
        raise ValtResponseError("VALT's details answer holds no recording")
    return _details(data)


def search_results(body: bytes) -> list[RecordingDetails]:
    """``data.records[]`` on the wiki, ``data`` itself in the vendor's client; rows without a usable id are left out."""
    data = _mapping(parse(body)).get("data")
    rows = data.get("records") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise ValtResponseError("VALT's search answer holds no list")
    found = []
    for row in rows:
        try:
            found.append(_details(_mapping(row)))
        except (ValtResponseError, InvalidVideoError):
            continue
    return found


def rooms(body: bytes) -> list[tuple[int, str]]:
    """``data.rooms[{id, name}]``."""
    data = _mapping(parse(body)).get("data")
    rows = data.get("rooms") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise ValtResponseError("VALT's rooms answer holds no list")
    named = (_mapping(row) for row in rows)
    return [(row["id"], row["name"]) for row in named if _is_int(row.get("id")) and isinstance(row.get("name"), str)]


def _details(data: Mapping[str, Any]) -> RecordingDetails:
    author, room = _mapping(data.get("author")), _mapping(data.get("room"))
    sharing = _mapping(data.get("sharing") or data.get("Sharing"))
    author_id, room_id = author.get("id"), room.get("id")
    return RecordingDetails(
        recording=_id(data.get("id")),
        name=_text(data.get("name")),
        room=_text(room.get("name")),
        author=_text(author.get("name")),
        author_id=author_id if _is_int(author_id) else None,
        created=_number(data.get("created")),
        duration=_number(data.get("duration")),
        template=_template(data.get("template")),
        shared_users=_ids(sharing.get("users")),
        shared_groups=_ids(sharing.get("groups")),
        deleted_at=_number(_mapping(data.get("retention")).get("until")),
        videos=_videos(data.get("videos"), _mapping(data.get("cameras"))),
        markers=_markers(data.get("markers"), data.get("comments")),
        room_id=room_id if _is_int(room_id) else None,
        cameras={id_: name for id_, name in _mapping(data.get("cameras")).items() if isinstance(name, str)},
    )


def _videos(value: Any, cameras: Mapping[str, Any]) -> tuple[VideoDetails, ...]:
    """Objects with an id, or bare ids (create-upload); names from wherever there is one (valt-api.md, 3.3)."""
    rows = value if isinstance(value, list) else []
    camera_names = [name for name in cameras.values() if isinstance(name, str)]
    found = []
    for number, row in enumerate(rows, 1):
        entry = row if isinstance(row, dict) else {"id": row}
        try:
            video = _id(entry.get("id"))
        except ValtResponseError:
            continue
        name = _text(entry.get("name")) or _text(_mapping(entry.get("camera")).get("name"))
        if name is None and len(camera_names) == len(rows):
            name = camera_names[number - 1]
        found.append(VideoDetails(video, name or f"Video {number}"))
    return tuple(found)


def _markers(*lists: Any) -> tuple[Marker, ...]:
    """VALT 5's markers, and VALT 6's comments where the details hold them, whose shape is that of the comments' own
    page (valt-api.md, 4.2): they have an address of their own, which is one call more a recording and is not asked."""
    found = []
    for row in (_mapping(row) for rows in lists if isinstance(rows, list) for row in rows):
        moments = (_number(row.get(key)) for key in ("time", "recordTime", "startTime"))
        moment = next((moment for moment in moments if moment is not None), None)
        if moment is not None:
            colors = (row.get(key) for key in ("hex_color", "hex color", "color"))
            color = next((color for color in colors if isinstance(color, str) and _COLOR.fullmatch(color)), None)
            found.append(Marker(moment, _text(row.get("event")) or _text(row.get("message")) or "", color))
    return tuple(found)


def _template(value: Any) -> Mapping[str, str]:
    """An object, an array of one-key objects, an array of ``{name, value}``, or null (valt-api.md, 3.2)."""
    fields: dict[str, str] = {}
    for row in [value] if isinstance(value, dict) else value if isinstance(value, list) else []:
        entry = _mapping(row)
        label = _text(entry.get("name"))
        pairs = {label: entry.get("value")} if label is not None and "value" in entry else entry
        fields.update({str(k): str(v) for k, v in pairs.items() if isinstance(v, str | int | float)})
    return fields


def _id(value: Any) -> str:
    """VALT 5 has integers, VALT 6 UUIDs."""
    try:
        return parse_id(str(value) if _is_int(value) else value if isinstance(value, str) else "")
    except InvalidVideoError:
        raise ValtResponseError("VALT named something by an id that is none") from None


def _ids(value: Any) -> frozenset[int]:
    return frozenset(v for v in value if _is_int(v)) if isinstance(value, list) else frozenset()


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    """A number, or one written as text; None where it is neither or beyond any calendar."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and 0 <= number < 1e11 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
