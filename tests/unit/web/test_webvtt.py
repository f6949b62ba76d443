"""Captions and chapters as WebVTT: no text of a comment or marker ends its cue, or becomes markup."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.recording_details import Comment, Marker
from gateway.sim.catalogue import SESSION
from gateway.sim.comments import odd_comments
from gateway.valt.comment_schema import comments
from gateway.web.schemas.webvtt import captions, chapters
from tests.support.generated import sequences
from tests.support.plain_webvtt import parse

pytestmark = pytest.mark.promise("valt-V2")


def spoken(seconds: float, text: str, end: float | None = None, author: str | None = None) -> Comment:
    return Comment(seconds, author, text, "transcription", end=end)


def test_a_transcript_becomes_captions_with_voices() -> None:
    track = captions([spoken(0.5, "How was your week?", 3.0, "Maria Rossi"), spoken(3661.25, "Good.", 3662.0)])
    assert track == (
        "WEBVTT\n\n"
        "00:00:00.500 --> 00:00:03.000\n<v Maria Rossi>How was your week?\n\n"
        "01:01:01.250 --> 01:01:02.000\nGood.\n"
    )


def test_only_comments_of_the_transcript_become_captions() -> None:
    assert captions([Comment(1.0, "A", "Well put", "simple"), spoken(2.0, " \n ")]) == "WEBVTT\n"


@pytest.mark.parametrize(("following", "end"), [(None, 17.0), (12.0, 12.0), (60.0, 17.0), (10.0, 11.0)])
def test_a_caption_without_end_lasts_until_the_next_and_seven_seconds(following: float | None, end: float) -> None:
    entries = [spoken(10.0, "x"), *([] if following is None else [spoken(following, "y")])]
    (_, ends, _), *_ = parse(captions(entries))
    assert ends == end


def test_an_author_who_ends_with_hyphens_begins_no_other_cue() -> None:
    assert parse(captions([spoken(1.0, "x", 2.0, "--")])) == [(1.0, 2.0, "<v -- >x")]


def test_odd_comments_become_escaped_captions() -> None:
    read = comments(json.dumps(odd_comments()).encode(), SESSION)
    assert parse(captions(read.in_order())) == [
        (10.0, 12.0, "<v Dr. Joan Smith>one\n00:00:09.000 --&gt; 00:00:10.000\ntwo"),
        (12.0, 13.0, "<v A &gt; B C>a --&gt; b &lt;c.loud&gt;&amp;lt;&lt;/c&gt;"),
        (13.0, 14.0, "<v Dr. Joan Smith>[31m"),
        (14.0, 21.0, "<v Dr. Joan Smith>last words"),
    ]


def test_markers_become_chapters_up_to_the_end_of_the_recording() -> None:
    markers = [Marker(11.0, "Task & more"), Marker(3.0, "Greeting"), Marker(11.0, "<b>"), Marker(19.0, "")]
    assert parse(chapters(markers, 24.0)) == [
        (3.0, 11.0, "Greeting"),
        (11.0, 19.0, "Task &amp; more / &lt;b&gt;"),
        (19.0, 24.0, "-"),
    ]
    assert parse(chapters([Marker(30.0, "Late")], 24.0)) == parse(chapters([Marker(30.0, "Late")], None))
    assert chapters([], 24.0) == "WEBVTT\n"


FOREIGN = st.text(st.sampled_from("ab \n\r\t\0\x85\u2028\u2029<>&-:.0123;/v\\\u202e\u05e9"), max_size=30)
TIMES = st.floats(0, 864_000, allow_nan=False) | st.sampled_from([0.0, 1.0, 59.9996, 3599.9999])


@settings(max_examples=sequences(500))
@given(st.lists(st.tuples(TIMES, st.none() | TIMES, st.none() | FOREIGN, FOREIGN), max_size=6))
def test_every_cue_is_one_comment_with_its_text_and_no_markup(
    rows: list[tuple[float, float | None, str | None, str]],
) -> None:
    entries = [
        spoken(start, text, end if end is not None and end > start else None, author)
        for start, end, author, text in sorted(rows, key=lambda row: row[0])
    ]
    audible = [entry for entry in entries if re.sub(r"[\x00-\x20\x7f-\xa0\u2028\u2029]", "", entry.text)]
    cues = parse(captions(entries))
    assert len(cues) == len(audible)
    for (start, end, payload), entry in zip(cues, audible, strict=True):
        assert abs(start - entry.seconds) <= 0.0005
        assert end > start
        assert re.sub(r"^<v [^<>&]*(&(amp|lt|gt);[^<>&]*)*>", "", payload).count("<") == 0
        letters = re.sub(r"^<v [^>]*>", "", payload).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        assert re.sub(r"\s", "", letters) == re.sub(r"[\s\x00-\x1f\x7f-\x9f]", "", entry.text)
