"""JSON in the shapes of VALT's own API (VALT API, 1.5, 3.2 and 4.1), from our model. Pure functions.

Only the fields named here are sent. Other fields of VALT's responses, such as a camera's password, are never read.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from gateway import errors
from gateway.errors import GatewayError
from gateway.recording_details import Comment, Marker, RecordingDetails, Room, VideoDetails

LOGIN_FAILED = {"data": "Invalid username or password"}
NO_KEY = {"error": {"code": 401, "message": "No API key provided"}}
BAD_KEY = {"error": {"code": 401, "message": "Bad credentials."}}
NOT_FOUND = {"error": {"code": 404}}
NOT_FOUND_DOWNLOAD = {
    "type": "https://tools.ietf.org/html/rfc2616#section-10",
    "title": "An error occurred",
    "status": 404,
    "detail": "Not Found",
}
SERVER_ERROR = {"error": {"code": 500, "message": "Internal Server Error"}}


def error_response(error: GatewayError, status: int, *, unauthorized: Any, not_found: Any) -> tuple[int, Any]:
    """Returns VALT's status and body for *error*. *status* is the error's status outside VALT's API.

    VALT has no 403 and no 410: what the caller may not see is 404. It answers 500 to a body that it cannot read.
    """
    match error:
        case errors.MissingCredentialsError():
            return 401, NO_KEY
        case errors.InvalidCredentialsError():
            return 401, unauthorized
        case errors.BadRequestError():
            return 500, SERVER_ERROR
        case errors.NotFoundError() | errors.AccessDeniedError() | errors.RecordingExpiredError():
            return 404, not_found
        case _:
            return status, {"error": {"code": status, "message": HTTPStatus(status).phrase}}


def row(details: RecordingDetails) -> dict[str, Any]:
    """Returns a recording as an entry of a list. It omits with whom the recording is shared: those are other people."""
    return {
        "id": _id(details.recording),
        "name": details.name,
        "created": _number(details.created),
        "author": {"id": details.author_id, "name": details.author},
        "type": "record",
        "duration": _number(details.duration),
        "room": {"id": details.room_id, "name": details.room},
        "cameras": dict(details.cameras),
        "sharing": {"users": [], "groups": []},
    }


def details(recording: RecordingDetails, videos: Iterable[VideoDetails]) -> dict[str, Any]:
    """Returns a recording with all details. *videos* are those that the caller may see."""
    until = recording.deleted_at
    return row(recording) | {
        "template": [{name: value} for name, value in recording.template.items()],
        "retention": {"type": "inherit"} if until is None else {"type": "until", "until": _number(until)},
        "markers": [
            {
                "id": number,
                "event": marker.event,
                "time": _number(marker.time),
                "color": marker.color,
                "hex_color": marker.color,
                "template": [],
            }
            for number, marker in enumerate([*recording.markers, *_as_markers(recording)], 1)
        ],
        "videos": [{"id": _id(video.video), "name": video.name, "status": {}} for video in videos],
    }


def room(room: Room, *, is_visible: bool) -> dict[str, Any]:
    """Returns a room. *is_visible*: whether something is being recorded in it that the caller may see."""
    running = {"id": _id(room.recording or ""), "time": _number(room.seconds)} if is_visible else None
    return {"name": room.name, "has_recording": is_visible, "recording": running}


def comments(recording: str, entries: Iterable[Comment], parent: int | None = None) -> list[dict[str, Any]]:
    """Returns comments and their replies as VALT lists them. It omits attached files and the people who are tagged."""
    return [
        {
            "id": comment.number,
            "parentId": parent,
            "type": comment.type,
            "message": comment.text,
            "recordId": _id(recording),
            "recordTime": str(_number(comment.seconds)),
            "startTime": None if comment.end is None else str(_number(comment.seconds)),
            "endTime": None if comment.end is None else str(_number(comment.end)),
            "createdAt": comment.created,
            "updatedAt": None,
            "author": {"id": comment.author_id, "username": comment.username, "displayName": comment.author},
            "updatedBy": None,
            "audioId": None,
            "template": [],
            "files": [],
            "color": comment.color,
            "replies": comments(recording, comment.replies, comment.number),
            "taggedUsers": [],
            "taggedUserGroups": [],
        }
        for comment in entries
    ]


def _as_markers(recording: RecordingDetails) -> list[Marker]:
    """Returns the comments as markers, for clients that read those alone."""
    return [Marker(comment.seconds, comment.text, comment.color) for comment in recording.comments]


def _id(text: str) -> str | int:
    """Returns a number for VALT 5's ids, and text for VALT 6's UUIDs."""
    return int(text) if text.isdigit() and str(int(text)) == text else text


def _number(value: float | None) -> float | int | None:
    """Returns whole numbers as integers, as VALT does."""
    return int(value) if value is not None and value == int(value) else value
