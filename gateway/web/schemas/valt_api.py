"""VALT's answers in VALT's own shapes (valt-api.md, 1.5, 3.2 and 4.1), built of what we know. Pure.

Only what is named here gets out: whatever else VALT tells, a camera's password for one, was never read.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from gateway import errors
from gateway.errors import GatewayError
from gateway.model import RecordingDetails, VideoDetails

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


def refusal(error: GatewayError, status: int, *, unauthorized: Any, not_found: Any) -> tuple[int, Any]:
    """Status and body as VALT would have them. *status* is what the error has elsewhere. VALT knows no 403 and no 410:
    what may not be seen is not there. It answers 500 to a body that it cannot read."""
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
    """A recording in a list. With whom else it is shared is other people's business."""
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


def details(known: RecordingDetails, videos: Iterable[VideoDetails]) -> dict[str, Any]:
    """A recording whole, with those of its *videos* that may be seen."""
    until = known.deleted_at
    return row(known) | {
        "template": [{name: value} for name, value in known.template.items()],
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
            for number, marker in enumerate(known.markers, 1)
        ],
        "videos": [{"id": _id(video.video), "name": video.name, "status": {}} for video in videos],
    }


def _id(text: str) -> str | int:
    """VALT 5 has numbers, VALT 6 UUIDs."""
    return int(text) if text.isdigit() and str(int(text)) == text else text


def _number(value: float | None) -> float | int | None:
    """Whole ones without a point, as VALT has them."""
    return int(value) if value is not None and value == int(value) else value
