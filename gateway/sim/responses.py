"""VALT's response bodies, as VALT documents them. Pure."""

from typing import Any
from urllib.parse import quote, quote_plus

from gateway.sim.catalogue import Film, Recording

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
COLORS = {"red": "#cc0000", "green": "#2e8b57", "blue": "#1f6feb"}
SERVER_ERROR = {"error": {"code": 500, "message": "Internal Server Error"}}


def login(token: str) -> dict[str, Any]:
    return {"data": {"access_token": token}}


def row(recording: Recording) -> dict[str, Any]:
    """Returns a recording as VALT lists it: without videos."""
    return {
        "id": _id(recording.recording),
        "name": recording.name,
        "created": int(recording.created),
        "author": {"id": recording.author[0], "name": recording.author[1]},
        "type": "record",
        "duration": recording.duration,
        "room": {"id": recording.room[0], "name": recording.room[1]},
        "cameras": {str(63 + number): film.camera for number, film in enumerate(recording.films)} or [],
        "sharing": {"groups": list(recording.shared_groups), "users": list(recording.shared_users)},
    }


def details(recording: Recording) -> dict[str, Any]:
    """Returns a recording with all its details."""
    retention: dict[str, Any] = {"type": "inherit"}
    if recording.deleted_at is not None:
        retention = {"type": "until", "until": int(recording.deleted_at)}
    markers = [
        {"id": number, "event": event, "time": time, "color": color, "hex_color": COLORS[color], "template": []}
        for number, (time, event, color) in enumerate(recording.markers, 1)
    ]
    videos = [
        {"id": _id(film.video), "status": {}, "camera": {"id": 63 + number, "name": film.camera}}
        for number, film in enumerate(recording.films)
    ]
    template = [{name: value} for name, value in recording.template.items()]
    whole = row(recording) | {"template": template, "retention": retention, "markers": markers, "videos": videos}
    return {"data": whole}


def room(name: str, running: tuple[str, float] | None) -> dict[str, Any]:
    """Returns a room. *running* is the id of what is being recorded in it, and the seconds since its start."""
    recording = None if running is None else {"id": _id(running[0]), "time": running[1]}
    return {"data": {"name": name, "has_recording": running is not None, "recording": recording}}


def comments(recording: Recording) -> list[Any]:
    """Returns the comments on a recording: a bare list."""
    of_record = {"recordId": _id(recording.recording)}
    return [of_record | row if isinstance(row, dict) else row for row in recording.comments]


def filename(recording: Recording, film: Film) -> str:
    """Returns the file name in a link, percent-encoded twice (VALT: API Download Recording Video)."""
    plain = f"{recording.name}  {film.camera} 05-06-2025 10-18-AM.mp4"
    return quote(quote_plus(plain, errors="replace"), safe="")


def _id(text: str) -> str | int:
    """Returns the id as VALT writes it: VALT 5 has integers."""
    return int(text) if text.isdigit() else text
