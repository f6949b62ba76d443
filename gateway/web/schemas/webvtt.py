"""WebVTT files (W3C: WebVTT, 2019) of comments and markers. Pure.

The texts are foreign input: whatever has a meaning in WebVTT is escaped, and no text can end its cue or begin another.
"""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

from gateway.recording_details import Comment, Marker

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SHORTEST = 1.0
_LONGEST = 7.0
"""Seconds that a caption without an end is shown, unless the next one begins earlier."""


def captions(comments: Iterable[Comment]) -> str:
    """Returns the comments of type ``transcription`` as captions, each with its author as the voice. *comments* are in
    the order of their times."""
    spoken = [comment for comment in comments if comment.type == "transcription" and _lines(comment.text)]
    cues = []
    for comment, following in pairwise([*spoken, None]):
        if comment is None:
            continue
        next_start = math.inf if following is None else following.seconds
        end = comment.end or max(comment.seconds + _SHORTEST, min(next_start, comment.seconds + _LONGEST))
        cues.append(_cue(comment.seconds, end, _voice(comment.author) + "\n".join(_lines(comment.text))))
    return _file(cues)


def chapters(markers: Sequence[Marker], duration: float | None) -> str:
    """Returns the markers as chapters: each lasts until the next one, the last until *duration*, in seconds. Markers at
    the same time are one chapter."""
    titles: dict[int, list[str]] = {}
    for marker in sorted(markers, key=lambda marker: marker.time):
        titles.setdefault(_milliseconds(marker.time), []).extend(_lines(marker.event))
    cues = []
    for start, following in pairwise([*titles, None]):
        if start is None:
            continue
        end = following / 1000 if following is not None else max(duration or 0.0, start / 1000 + _SHORTEST)
        cues.append(_cue(start / 1000, end, " / ".join(titles[start]) or "-"))
    return _file(cues)


def _file(cues: Iterable[str]) -> str:
    return "\n".join(["WEBVTT\n", *cues])


def _cue(start: float, end: float, payload: str) -> str:
    first, last = _milliseconds(start), _milliseconds(end)
    return f"{_timestamp(first)} --> {_timestamp(max(last, first + 1))}\n{payload}\n"


def _voice(author: str | None) -> str:
    """Returns the tag that names the speaker. A space follows a hyphen: an arrow would begin another cue."""
    name = " ".join(_lines(author or ""))
    return f"<v {name}{' ' if name.endswith('-') else ''}>" if name else ""


def _lines(text: str) -> list[str]:
    """Returns the lines of *text* that are not empty, escaped and without control characters: an empty line would end
    the cue."""
    lines = ("".join(c for c in line if unicodedata.category(c) != "Cc").strip() for line in text.splitlines())
    return [line.translate(_ESCAPES) for line in lines if line]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _timestamp(milliseconds: int) -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
