"""Reading VALT's comments: both kinds, every envelope, and whatever else a server may send."""

import json
from typing import Any

import pytest

from gateway.errors import ValtResponseError
from gateway.recording_details import Comment
from gateway.sim.catalogue import SESSION
from gateway.sim.comments import comment, interview_comments, odd_comments
from gateway.valt.comment_schema import MAX_COMMENTS, MAX_TEXT, comments

pytestmark = pytest.mark.promise("valt-V2")


NO_TIMES: tuple[Any, ...] = (True, None, [], {}, "", "x", "-1", -1, "1:2:3:4", "nan", "inf", 1e9, "9" * 400)


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def texts(value: Any) -> list[str]:
    return [entry.text for entry in comments(body(value), SESSION).in_order()]


def test_every_field_of_a_comment_with_a_reply_is_read() -> None:
    reply = comment(2, "Yes", None, author=(9, "tchen", "Tao Chen"))
    read = comments(body([comment(1, "Well put", 12.5, color="#00cc00", replies=(reply,))]), SESSION)

    created = "2026-06-11T10:18:00+00:00"
    answer = Comment(12.5, "Tao Chen", "Yes", "simple", number=2, username="tchen", author_id=9, created=created)
    assert read.entries == (
        Comment(
            12.5,
            "Dr. Joan Smith",
            "Well put",
            "simple",
            "#00cc00",
            number=1,
            username="jsmith",
            author_id=7,
            created=created,
            replies=(answer,),
        ),
    )
    assert read.complete


def test_comments_of_a_period_and_of_the_transcript_have_an_end() -> None:
    read = comments(body(interview_comments()), SESSION).in_order()
    assert [(entry.type, entry.seconds, entry.end) for entry in read][:5] == [
        ("simple", 0.5, None),
        ("simple", 0.5, None),
        ("transcription", 0.5, 3.0),
        ("transcription", 3.2, 6.0),
        ("duration", 6.2, 9.0),
    ]


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"data": rows}, lambda rows: {"comments": rows}])
def test_the_list_may_be_bare_or_under_data_or_comments(wrap: Any) -> None:
    assert texts(wrap([comment(1, "Well put", 1)])) == ["Well put"]
    assert texts({"data": wrap([])}) == []


def test_null_is_an_empty_list() -> None:
    assert texts(None) == texts({"data": None}) == []


@pytest.mark.parametrize("value", [{}, "text", 7, True, {"data": "no"}, {"data": {"comments": {"0": {}}}}])
def test_a_response_without_a_list_is_an_error(value: Any) -> None:
    with pytest.raises(ValtResponseError):
        comments(body(value), SESSION)


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[" * 100_000, b"\xff", b'[{"recordTime": 1'])
def test_a_response_that_is_not_json_is_an_error(raw: bytes) -> None:
    with pytest.raises(ValtResponseError):
        comments(raw, SESSION)


def test_odd_comments_are_read_as_far_as_they_have_a_time() -> None:
    read = comments(body(odd_comments()), SESSION)
    assert [entry.number for entry in read.entries] == [1, 2, 3, 4, 5, 6, 10, 11, None, 13, 20, 21, 22, 23]
    by_number = {entry.number: entry for entry in read.entries}
    assert (by_number[6].text, by_number[6].seconds) == ("", 5.5)
    assert by_number[10].seconds == 6.5
    assert by_number[11].text == "half a character ?"
    assert by_number[13].author is None
    assert by_number[21].end is None, "an end before the start"
    assert len(by_number[4].text) == MAX_TEXT


def test_a_comment_of_another_recording_is_left_out() -> None:
    rows = [
        comment(1, "ours", 1) | {"recordId": SESSION.upper()},
        comment(2, "theirs", 1) | {"recordId": "b2d1a6de-7f0c-4a53-8a64-94a1f5d1c9e2"},
        comment(3, "theirs too", 1) | {"recordId": 614},
        comment(4, "answered", 1, replies=(comment(5, "elsewhere", 1) | {"recordId": "x"},)),
    ]
    assert texts(rows) == ["ours", "answered"]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (7, 7.0),
        ("7.25", 7.25),
        ("1:02", 62.0),
        ("01:02:03.5", 3723.5),
        *((value, None) for value in NO_TIMES),
    ],
)
def test_a_time_is_a_number_its_text_or_a_clock_time(time: Any, seconds: float | None) -> None:
    read = comments(body([comment(1, "x", 1) | {"recordTime": time}]), SESSION).entries
    assert [entry.seconds for entry in read] == ([] if seconds is None else [seconds])


def test_more_comments_than_the_limit_are_incomplete() -> None:
    rows = [comment(number, "x", number) for number in range(MAX_COMMENTS - 1)]
    assert comments(body([*rows, comment(1, "x", 1)]), SESSION).complete
    many = comments(body([comment(0, "x", 0, replies=(comment(1, "y", 0), comment(2, "z", 0))), *rows]), SESSION)
    assert not many.complete
    assert len(many.in_order()) == MAX_COMMENTS


def test_replies_nested_without_end_are_read_to_a_limited_depth() -> None:
    row = comment(0, "0", 1)
    for number in range(1, 50):
        row = comment(number, str(number), 1) | {"replies": [row]}
    assert texts([row]) == ["49", "48", "47", "46"]
