"""Converts VALT's comments on a recording into our own type (VALT: API List Comments of a Recording). Pure.

People write comments, so that every text in them may be anything: it is limited in length here, and escaped where it is
written.
"""

from collections.abc import Mapping
from typing import Any

from gateway.errors import ValtResponseError
from gateway.recording_details import Comment, Comments
from gateway.valt import json_values as values
from gateway.valt.json_fields import as_mapping, as_text, is_int

MAX_COMMENTS = 10_000
"""Comments and replies that are read of one recording. An hour of speech has about a thousand pieces of transcript."""
MAX_TEXT = 10_000
"""Characters of a comment's text that are read."""
_MAX_NAME = 200
_MAX_DEPTH = 4
"""Levels of replies that are read."""


def comments(body: bytes, recording: str) -> Comments:
    """Returns the comments on *recording*: a bare list, or one under *data* or *comments*.

    Rows of another recording and rows without a time are left out; a reply without a time has that of its comment.
    Raises ValtResponseError if there is no list.
    """
    response = values.parse(body)
    while isinstance(response, dict):
        response = next((response[key] for key in ("data", "comments") if key in response), "none")
    if response is not None and not isinstance(response, list):
        raise ValtResponseError("VALT's comments response has no list")
    return _read(response, recording)


def comments_of_details(value: Any) -> tuple[Comment, ...]:
    """Returns the comments that a recording's details contain, if they contain any."""
    return _read(value, None).entries


def _read(value: Any, recording: str | None) -> Comments:
    reader = _Reader(recording)
    entries = reader.read(value, None, 1)
    return Comments(entries, complete=reader.remaining >= 0)


class _Reader:
    """Reads rows until MAX_COMMENTS have been read; *remaining* is negative if there were more."""

    def __init__(self, recording: str | None) -> None:
        self.remaining = MAX_COMMENTS
        self._recording = recording

    def read(self, value: Any, parent: Comment | None, depth: int) -> tuple[Comment, ...]:
        entries = []
        for row in values.rows(value) if depth <= _MAX_DEPTH else ():
            comment = self._comment(row, parent)
            if comment is None:
                continue
            self.remaining -= 1
            if self.remaining < 0:
                break
            entries.append(comment.with_replies(self.read(row.get("replies"), comment, depth + 1)))
        return tuple(entries)

    def _comment(self, row: Mapping[str, Any], parent: Comment | None) -> Comment | None:
        record = row.get("recordId")
        if self._recording is not None and record is not None and str(record).lower() != self._recording.lower():
            return None
        times = (values.position(row.get(key)) for key in ("recordTime", "startTime", "time"))
        seconds = next((time for time in times if time is not None), None if parent is None else parent.seconds)
        if seconds is None:
            return None
        end, author, number = values.position(row.get("endTime")), as_mapping(row.get("author")), row.get("id")
        username = as_text(author.get("username")) or as_text(author.get("name"))
        name = as_text(author.get("displayName")) or username
        text = as_text(row.get("message")) or as_text(row.get("event")) or ""
        return Comment(
            seconds,
            None if name is None else name[:_MAX_NAME],
            text[:MAX_TEXT],
            (as_text(row.get("type")) or "simple")[:_MAX_NAME],
            values.color(row),
            end=end if end is not None and end > seconds else None,
            number=number if is_int(number) else None,
            username=None if username is None else username[:_MAX_NAME],
            author_id=author["id"] if is_int(author.get("id")) else None,
            created=(as_text(row.get("createdAt")) or "")[:_MAX_NAME] or None,
        )
