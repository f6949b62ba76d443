"""Comments as VALT lists them (VALT: API List Comments of a Recording): those of the demo, and odd ones for tests."""

from typing import Any


def comment(
    number: int,
    message: Any,
    at: Any = None,
    end: Any = None,
    *,
    kind: str = "simple",
    author: tuple[int, str, str] = (7, "jsmith", "Dr. Joan Smith"),
    color: str | None = None,
    replies: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    """Returns a comment at the time *at*, or on the period from *at* to *end*, in seconds. *author* is id, user name
    and display name."""
    row = {
        "id": number,
        "parentId": None,
        "type": kind,
        "message": message,
        "recordTime": None if end is not None else str(at) if isinstance(at, int | float) else at,
        "createdAt": "2026-06-11T10:18:00+00:00",
        "updatedAt": None,
        "author": {"id": author[0], "username": author[1], "displayName": author[2]},
        "updatedBy": None,
        "audioId": None,
        "template": [],
        "files": [],
        "color": color,
        "replies": [{**reply, "parentId": number} for reply in replies],
        "taggedUsers": [],
        "taggedUserGroups": [],
    }
    return row if end is None else row | {"startTime": at, "endTime": end}


_INTERVIEWER, _GUEST = (8, "mrossi", "Maria Rossi"), (21, "guest", "Guest")


def interview_comments() -> list[dict[str, Any]]:
    """Returns the comments and the transcript of the demo's interview."""
    spoken = (
        (0.5, 3.0, _INTERVIEWER, "Thank you for coming. How was your week?"),
        (3.2, 6.0, _GUEST, "Better than the last one, I think."),
        (6.2, 9.0, _INTERVIEWER, "What made the difference?"),
        (9.2, 13.0, _GUEST, "I slept, and I went for a walk each morning."),
        (13.2, 15.5, _INTERVIEWER, "Tell me about those walks."),
    )
    transcript = [
        comment(100 + number, text, start, end, kind="transcription", author=speaker)
        for number, (start, end, speaker, text) in enumerate(spoken)
    ]
    agreed = comment(3, "Agreed, it invites more than a yes.", author=(9, "tchen", "Tao Chen"))
    return [
        comment(1, "Open question, well placed.", 0.5, color="#2e8b57", replies=(agreed,)),
        comment(2, "Leaves a pause instead of filling it.", 6.2, 9.0, kind="duration", color="#1f6feb"),
        *transcript,
    ]


def odd_comments() -> list[Any]:
    """Returns comments that no documentation promises and a server may send all the same."""
    return [
        comment(1, "<img src=x onerror=alert(1)> & <b>bold</b>", 1.0, author=(1, "a", "<script>alert(2)</script>")),
        comment(2, "\u05e9\u05dc\u05d5\u05dd \u202eevil\u202c", 2.0, author=(2, "b", "\u05d3\u05e0\u05d4")),
        comment(3, "", 3.0),
        comment(4, "long " * 20_000, 4.0),
        comment(5, "past the end", 99_999.0, 100_001.0, kind="duration"),
        comment(6, {"html": "an object"}, "5.5"),
        comment(7, "no time at all", None),
        comment(8, "a time that is none", "soon"),
        comment(9, "a negative time", -3),
        comment(10, "a clock time", "0:00:06.5"),
        comment(11, "half a character \ud83d", 7.0),
        {"id": "12", "recordTime": 8, "message": "author and type are missing", "replies": {"0": "no list"}},
        {"id": 13, "recordTime": 8.5, "author": "only a name", "message": "the author is a text"},
        comment(14, "of another recording", 9.0) | {"recordId": "00000000-0000-4000-8000-000000000000"},
        "no object",
        None,
        comment(20, "one\n\n00:00:09.000 --> 00:00:10.000\ntwo", 10.0, 12.0, kind="transcription"),
        comment(21, "a --> b <c.loud>&lt;</c>", 12.0, 11.0, kind="transcription", author=(3, "c", "A > B\n\nC")),
        comment(22, "\0\x1b[31m\r\n", 13.0, 14.0, kind="transcription"),
        comment(23, "last words", 14.0, kind="transcription"),
    ]
