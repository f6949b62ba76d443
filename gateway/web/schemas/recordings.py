"""What the gateway says of a recording: as JSON for scripts, and as the data of the watch page. Pure functions."""

from collections.abc import Set
from typing import Any

from gateway.model import Grant, Video
from gateway.recording_details import Comment, Comments, RecordingDetails, VideoDetails
from gateway.web.pages.render import timestamp

_MAX_COMMENTS = 500
_MAX_NAME = 200
_MAX_TEXT = 2000
"""Of comments on the watch page, which is built in the event loop; the JSON has all of them. Characters."""


def describe_recording(
    grant: Grant, details: RecordingDetails, comments: Comments, ready: Set[str], public_url: str
) -> dict[str, Any]:
    """Returns the JSON of a recording, with the videos that the person may see. *ready* are those with a link. Comments
    are null if VALT did not return them."""
    return _describe_facts(grant, details) | {
        "videos": [
            {
                "video": entry.video,
                "name": entry.name,
                "url": public_url + path,
                "delivery": grant.delivery,
                "download": grant.download,
                "state": "ready" if entry.video in ready else "not_ready",
            }
            for entry, path in visible_videos(grant, details)
        ],
        "markers": [
            {"seconds": marker.time, "name": marker.event, "color": marker.color} for marker in details.markers
        ],
        "comments": [
            {"seconds": comment.seconds, "author": comment.author, "text": comment.text, "type": comment.type}
            for comment in comments.in_order()
        ]
        if comments.entries or comments.complete
        else None,
    }


def describe_player(grant: Grant, details: RecordingDetails, comments: Comments) -> dict[str, Any]:
    """Returns what the watch page needs, with paths instead of URLs: the page may be reached by other names.

    *moments* are markers and comments by time, *tracks* the paths of the text tracks that have content, and
    *comments* says whether the page has them: all, part or none if VALT did not return them.
    """
    ordered = comments.in_order()
    spoken = any(comment.type == "transcription" for comment in ordered)
    # A comment without a text is a recorded voice or a file, which VALT's API does not list.
    remarks = [comment for comment in ordered if comment.type != "transcription" and comment.text.strip()]
    moments: list[dict[str, Any]] = [
        {"seconds": marker.time, "name": marker.event, "color": marker.color} for marker in details.markers
    ]
    moments += [_describe_comment(comment) for comment in remarks[:_MAX_COMMENTS]]
    moments.sort(key=lambda moment: moment["seconds"])
    path = f"/recordings/{grant.recording}"
    is_complete = comments.complete and len(remarks) <= _MAX_COMMENTS
    return _describe_facts(grant, details) | {
        "delivery": grant.delivery,
        "download": grant.download,
        "cameras": [
            {"id": entry.video, "name": entry.name, "path": path} for entry, path in visible_videos(grant, details)
        ],
        "moments": moments,
        "has_markers": bool(details.markers),
        "has_comments": bool(remarks),
        "tracks": {
            "captions": f"{path}/captions.vtt" if spoken else None,
            "chapters": f"{path}/chapters.vtt" if details.markers else None,
        },
        "comments": "all" if is_complete else "part" if ordered else "none",
    }


def visible_videos(grant: Grant, details: RecordingDetails) -> list[tuple[VideoDetails, str]]:
    """Returns the videos that the person may see, with their paths."""
    return [
        (entry, video_path(Video(grant.recording, entry.video)))
        for entry in details.videos
        if grant.identity.covers(grant.recording, entry.video)
    ]


def video_path(video: Video) -> str:
    """Returns the path of a video's address."""
    return f"/recordings/{video.recording}/videos/{video.video}"


def _describe_comment(comment: Comment) -> dict[str, Any]:
    text = comment.text if len(comment.text) <= _MAX_TEXT else comment.text[: _MAX_TEXT - 1] + "…"
    name = ": ".join(part for part in (comment.author, text) if part)[:_MAX_NAME]
    moment = {"seconds": comment.seconds, "end": comment.end, "name": name, "author": comment.author, "text": text}
    return moment | {"color": comment.color}


def _describe_facts(grant: Grant, details: RecordingDetails) -> dict[str, Any]:
    return {
        "recording": grant.recording,
        "name": details.name,
        "room": details.room,
        "author": details.author,
        "created": None if details.created is None else timestamp(details.created),
        "duration": details.duration,
    }
