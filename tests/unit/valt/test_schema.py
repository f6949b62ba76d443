"""Parsing of VALT's JSON, in every documented shape."""

import json
from typing import Any

import pytest

from gateway.errors import ValtResponseError, VideoNotFoundError
from gateway.recording_details import Comment
from gateway.valt import schema

VALT_6 = {
    "id": "6ecfe37c-a2e9-4f2d-b56e-847a4e730ed0",
    "name": "Session 1451",
    "template": [{"Course": "PSY 512"}],
    "created": 1746544680,
    "author": {"id": 7, "name": "jsmith"},
    "type": "record",
    "duration": 1832,
    "room": {"id": 37, "name": "Room 1"},
    "cameras": {"63": "Camera A", "64": "Camera B"},
    "sharing": {"users": [3], "groups": [4, 5]},
    "retention": {"type": "until", "until": 1800000000},
    "markers": [{"id": 1, "event": "begins", "time": 12, "hex_color": "#ff0000"}],
    "videos": [{"id": "d6799d1c-8e0f-4dc6-9483-8f3545fc5ce5", "status": {}}, {"id": "v2", "camera": {"name": "Door"}}],
}


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_every_field_of_a_valt_6_recording_is_read() -> None:
    details = schema.recording_details(body({"data": VALT_6}))

    assert (details.name, details.room, details.author, details.author_id) == ("Session 1451", "Room 1", "jsmith", 7)
    assert (details.created, details.duration, details.deleted_at) == (1746544680.0, 1832.0, 1800000000.0)
    assert details.template == {"Course": "PSY 512"}
    assert (details.shared_users, details.shared_groups) == (frozenset({3}), frozenset({4, 5}))
    assert [(video.video, video.name) for video in details.videos] == [
        ("d6799d1c-8e0f-4dc6-9483-8f3545fc5ce5", "Camera A"),
        ("v2", "Door"),
    ]
    assert [(marker.time, marker.event, marker.color) for marker in details.markers] == [(12.0, "begins", "#ff0000")]


def test_a_marker_color_that_is_not_hexadecimal_is_none() -> None:
    colors = ["#CC0000", "red", "#fff", "#cc0000;background:url(//x)", "#cc0000\n", None, 7]
    markers = [{"time": 1, "hex_color": color} for color in colors] + [{"time": 1, "hex color": "#00cc00"}]
    details = schema.recording_details(body({"data": {"id": 1, "markers": markers}}))

    assert [marker.color for marker in details.markers] == ["#CC0000", *[None] * 6, "#00cc00"]


def test_the_details_contain_the_comments_that_have_a_time() -> None:
    comments = [
        {"id": 1, "recordTime": "12.5", "message": "Well put", "color": "#00cc00", "author": {"displayName": "Anna"}},
        {"id": 2, "startTime": 20, "endTime": 25, "message": "Long silence", "color": "green"},
        {"id": 3, "message": "Of no moment"},
        "nonsense",
    ]
    details = schema.recording_details(body({"data": {"id": "a", "comments": comments}}))

    assert details.comments == (
        Comment(12.5, "Anna", "Well put", "simple", "#00cc00", number=1),
        Comment(20.0, None, "Long silence", "simple", end=25.0, number=2),
    )
    assert details.markers == ()


def test_a_valt_5_recording_may_have_a_numeric_id_and_nothing_else() -> None:
    details = schema.recording_details(body({"data": {"id": 614, "cameras": [], "template": None, "Sharing": None}}))

    assert details.recording == "614"
    assert details.videos == ()
    assert details.created is None


def test_a_template_with_two_spellings_of_one_label_is_not_stated() -> None:
    template = {"Pr\u00fcfung": "essay", "Pru\u0308fung": "exam"}
    assert "template" in schema.recording_details(body({"data": {"id": 614, "template": template}})).unstated


@pytest.mark.parametrize("created", [-1, 1746544680000, 999999999999, "1e400", "today", True])
def test_a_time_outside_any_calendar_is_none(created: Any) -> None:
    assert schema.recording_details(body({"data": {"id": 614, "created": created}})).created is None


def test_videos_may_be_bare_ids() -> None:
    details = schema.recording_details(body({"data": {"id": 1, "videos": ["a", "b", {"id": "../x"}, 7]}}))

    assert [(video.video, video.name) for video in details.videos] == [
        ("a", "Video 1"),
        ("b", "Video 2"),
        ("7", "Video 4"),
    ]


@pytest.mark.parametrize("response", [{"url": "https://v/x"}, {"data": {"url": "https://v/x"}}])
def test_the_download_url_is_read_at_the_top_and_under_data(response: Any) -> None:
    assert schema.download_url(body(response)) == "https://v/x"


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"url": 7}',
        b'{"data": "no"}',
        b'{"data": null}',
        b"[" * 100_000,
    ],
)
def test_a_download_response_without_a_url_raises(response: bytes) -> None:
    with pytest.raises(ValtResponseError):
        schema.download_url(response)


@pytest.mark.parametrize("response", [{"url": ""}, {"data": {"url": ""}}])
def test_an_empty_url_means_that_the_video_does_not_exist(response: Any) -> None:
    with pytest.raises(VideoNotFoundError):
        schema.download_url(body(response))


def test_null_details_mean_not_found_and_other_shapes_raise() -> None:
    with pytest.raises(VideoNotFoundError):
        schema.recording_details(body({"data": None}))
    for response in (b"{}", b'{"data": []}', b'{"data": "no"}', b"[]", b"null", b""):
        with pytest.raises(ValtResponseError):
            schema.recording_details(response)


@pytest.mark.parametrize(
    "response",
    [
        {"data": "Invalid username or password"},
        {"data": None},
        {"data": {"access_token": None}},
        {"data": {"access_token": "a\r\nb"}},
        {"data": {"access_token": "x" * 5000}},
        {"data": {"access_token": ["x"]}},
    ],
)
def test_a_login_response_without_a_valid_token_raises(response: Any) -> None:
    with pytest.raises(ValtResponseError):
        schema.access_token(body(response))


def test_a_token_is_opaque_text_and_a_secret() -> None:
    token = schema.access_token(body({"data": {"access_token": "2407c9d2cfde75c49e5d356ee9f83422"}}))

    assert token.reveal() == "2407c9d2cfde75c49e5d356ee9f83422"
    assert "2407" not in f"{token} {token!r}"


@pytest.mark.parametrize("data", [{"records": [{"id": 1}, {"id": "bad/id"}, "x"]}, [{"id": 1}]])
def test_search_rows_are_read_in_both_shapes_without_invalid_rows(data: Any) -> None:
    assert [row.recording for row in schema.search_results(body({"data": data}))] == ["1"]


@pytest.mark.parametrize("created", ["1746544680", 1746544680.0])
def test_a_time_may_be_written_as_text(created: Any) -> None:
    assert schema.recording_details(body({"data": {"id": 1, "created": created}})).created == 1746544680.0


@pytest.mark.parametrize("created", [True, "soon", 1e30, -1, None, [], "NaN"])
def test_an_invalid_time_is_none(created: Any) -> None:
    assert schema.recording_details(json.dumps({"data": {"id": 1, "created": created}}).encode()).created is None
