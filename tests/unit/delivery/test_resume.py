"""evaluate(): what a response means, whether it is the first of a body or one that is to continue it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.delivery.headers import media_request
from gateway.delivery.resume import MAX_SKIP, can_continue, evaluate, pause, resume_request
from gateway.delivery.verdicts import (
    Complete,
    MediaRequest,
    NotFound,
    Representation,
    StaleLink,
    TryAgain,
    Unusable,
    Usable,
    Verdict,
)

DATE = "Tue, 24 Nov 2026 08:00:00 GMT"
OTHER_DATE = "Tue, 24 Nov 2026 09:00:00 GMT"
STRONG = {"ETag": '"v1"', "Last-Modified": DATE}
WEAK = {"ETag": 'W/"v1"', "Last-Modified": DATE}
Fields = dict[str, str]


def whole(length: int | None, fields: Fields, *, ranges: bool = False) -> Representation:
    """The body of a first 200 with *fields*."""
    length_field = {} if length is None else {"Content-Length": str(length)}
    accept = {"Accept-Ranges": "bytes"} if ranges else {}
    verdict = first(200, {**length_field, **fields, **accept})
    assert isinstance(verdict, Usable)
    assert verdict.body is not None
    return verdict.body


def first(status: int, fields: Fields, *, method: str = "GET", client: Fields | None = None) -> Verdict:
    """Judge the first response to a client's request."""
    return evaluate(media_request(method, CIMultiDict(client or {})), status, CIMultiDict(fields))


def later(body: Representation, position: int, status: int, fields: Fields) -> Verdict:
    """Judge a response to the request for the rest of *body*."""
    return evaluate(resume_request(body, position), status, CIMultiDict(fields))


def part(start: int, last: int, total: int | str, fields: Fields) -> Fields:
    return {"Content-Range": f"bytes {start}-{last}/{total}", "Content-Length": str(last + 1 - start), **fields}


@pytest.mark.promise("streams-3")
def test_the_rest_is_requested_under_the_strong_validator_and_never_compressed() -> None:
    assert resume_request(whole(1000, STRONG), 400).headers == {
        "Accept-Encoding": "identity",
        "Range": "bytes=400-999",
        "If-Range": '"v1"',
    }


@pytest.mark.promise("streams-3")
def test_a_weak_validator_is_no_if_range() -> None:
    assert "If-Range" not in resume_request(whole(1000, WEAK), 400).headers


@pytest.mark.promise("streams-3", "media-M10")
def test_an_etag_without_quotes_is_compared_and_is_no_if_range() -> None:
    unquoted = {"ETag": "18f-5e1a7"}
    body = whole(1000, unquoted)
    assert resume_request(body, 400).headers == {"Accept-Encoding": "identity", "Range": "bytes=400-999"}
    assert isinstance(later(body, 400, 206, part(400, 999, 1000, unquoted)), Usable)
    assert isinstance(later(body, 400, 206, part(400, 999, 1000, {"ETag": "18f-5e1a8"})), Unusable)
    assert isinstance(later(body, 400, 206, part(400, 999, 1000, {"ETag": '"18f-5e1a7"'})), Unusable)
    assert isinstance(later(body, 400, 206, part(400, 999, 1000, {})), Unusable)


def test_the_rest_of_a_body_of_unknown_length_is_requested_to_its_end() -> None:
    assert resume_request(whole(None, STRONG), 400).headers["Range"] == "bytes=400-"


def test_the_same_file_continues_at_the_position() -> None:
    body = whole(1000, STRONG)
    verdict = later(body, 400, 206, part(400, 999, 1000, STRONG))
    assert isinstance(verdict, Usable)
    assert verdict.body is not None
    assert (verdict.skip, verdict.body.first, verdict.body.end, verdict.body.total) == (0, 0, 1000, 1000)


def test_a_server_that_ignores_range_is_read_up_to_the_position() -> None:
    verdict = later(whole(1000, STRONG), 400, 200, {"Content-Length": "1000", **STRONG})
    assert isinstance(verdict, Usable)
    assert verdict.skip == 400


@pytest.mark.promise("streams-9")
def test_no_more_than_a_limit_is_discarded() -> None:
    body = whole(1 << 40, STRONG)
    assert isinstance(later(body, MAX_SKIP + 1, 200, {"Content-Length": str(1 << 40), **STRONG}), Unusable)
    assert isinstance(later(body, MAX_SKIP, 200, {"Content-Length": str(1 << 40), **STRONG}), Usable)


@pytest.mark.promise("streams-8")
@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (206, part(400, 999, 1000, {"ETag": '"v2"'})),
        (200, {"Content-Length": "1000", "ETag": '"v2"'}),
        (206, part(400, 1999, 2000, STRONG)),
        (206, part(400, 899, 900, STRONG)),
        (206, part(399, 999, 1000, STRONG)),
        (206, part(401, 999, 1000, STRONG)),
        (206, {"Content-Range": "bytes x-y/z", **STRONG}),
        (206, STRONG),
        (206, {"Content-Type": "multipart/byteranges; boundary=x", **STRONG}),
        (206, part(400, 999, 1000, {})),
        (416, {"Content-Range": "bytes */300"}),
        (416, {"Content-Range": "bytes */400"}),
        (302, {"Location": "/elsewhere"}),
        (204, STRONG),
        (304, STRONG),
        (412, STRONG),
    ],
)
def test_two_files_never_make_one_body(status: int, fields: Fields) -> None:
    assert isinstance(later(whole(1000, STRONG), 400, status, fields), Unusable)


@pytest.mark.promise("media-M1")
@pytest.mark.parametrize(
    "extra",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "identity, br"},
        {"Content-Encoding": "aws-chunked, gzip"},
        {"Content-Type": "text/html"},
        {"Content-Type": "application/octet-stream"},
        {"Content-Type": "html"},
        {"Content-Type": "text/html charset=utf-8"},
        {"Content-Type": "text/html, video/mp4"},
        {"Transfer-Encoding": "gzip, chunked"},
        {"Content-Length": "5"},
        {"Content-Length": "x"},
    ],
)
@pytest.mark.parametrize("status", [200, 206])
def test_m1_a_later_response_is_judged_like_a_first_one(status: int, extra: Fields) -> None:
    stated = {"Content-Type": "video/mp4", **STRONG}
    good = {"Content-Length": "1000", **stated} if status == 200 else part(400, 999, 1000, stated)
    assert isinstance(later(whole(1000, stated), 400, status, good), Usable)
    assert isinstance(later(whole(1000, stated), 400, status, good | extra), Unusable)


def test_m1_a_206_may_leave_out_the_type_that_the_client_already_has() -> None:
    assert isinstance(
        later(whole(1000, {"Content-Type": "video/mp4", **STRONG}), 400, 206, part(400, 999, 1000, STRONG)), Usable
    )


@pytest.mark.promise("media-M2")
@pytest.mark.parametrize(
    ("status", "fields", "client"),
    [
        (200, {"Content-Range": "bytes 10-19/3000000", "Content-Length": "10"}, {}),
        (200, {"Content-Range": "bytes 10-19/3000000", "Content-Length": "10"}, {"Range": "bytes=10-19"}),
        (200, {"Content-Type": "multipart/byteranges; boundary=x", "Content-Length": "10"}, {"Range": "bytes=0-1,4-5"}),
        (200, {"Content-Length": "-1"}, {}),
        (206, {"Content-Length": "10"}, {"Range": "bytes=0-9"}),
        (206, {"Content-Range": "bytes 0-9/5"}, {"Range": "bytes=0-9"}),
        (206, {"Content-Range": "bytes 9-0/50"}, {"Range": "bytes=0-9"}),
        (206, {"Content-Range": "bytes */50"}, {"Range": "bytes=0-9"}),
        (206, part(0, 9, 100, {"Content-Length": "11"}), {"Range": "bytes=0-9"}),
        (206, part(0, 9, 100, {"ETag": '"v2"'}), {"Range": "bytes=0-9", "If-Range": '"v1"'}),
        (206, part(0, 9, 100, {"ETag": 'W/"v1"'}), {"Range": "bytes=0-9", "If-Range": 'W/"v1"'}),
        (206, part(0, 9, 100, {"Last-Modified": OTHER_DATE}), {"Range": "bytes=0-9", "If-Range": DATE}),
        (304, {"ETag": '"v1"'}, {}),
        (304, {"ETag": '"v1"'}, {"If-Match": '"v1"'}),
        (412, {}, {"If-None-Match": '"v1"'}),
        (416, {"Content-Range": "bytes */10"}, {}),
        (416, {"Content-Range": "bytes 0-4/10"}, {"Range": "bytes=20-"}),
        (204, {}, {}),
        (300, {}, {}),
        (302, {"Location": "/x"}, {}),
        (400, {}, {}),
        (405, {}, {}),
    ],
)
def test_m2_contradicting_fields_make_a_response_unusable(status: int, fields: Fields, client: Fields) -> None:
    assert isinstance(first(status, fields, client=client), Unusable)


@pytest.mark.promise("media-M2")
@pytest.mark.parametrize("name", ["Content-Range", "Content-Type", "Content-Length", "ETag", "Last-Modified"])
def test_m2_two_different_values_of_one_field_are_unusable(name: str) -> None:
    fields = CIMultiDict(part(0, 9, 100, {"Content-Type": "video/mp4", **STRONG}))
    request = media_request("GET", CIMultiDict({"Range": "bytes=0-9"}))
    fields.add(name, fields[name])
    assert isinstance(evaluate(request, 206, fields), Usable)
    fields.add(name, "other")
    assert isinstance(evaluate(request, 206, fields), Unusable)


@pytest.mark.promise("media-M3")
@pytest.mark.parametrize(
    "changed",
    [
        {"ETag": '"v2"'},
        {"ETag": 'W/"v1"'},
        {"Last-Modified": OTHER_DATE},
        {"Content-Range": "bytes 400-999/1001"},
    ],
)
def test_m3_one_validator_that_differs_means_another_file(changed: Fields) -> None:
    assert isinstance(later(whole(1000, STRONG), 400, 206, part(400, 999, 1000, STRONG) | changed), Unusable)


@pytest.mark.promise("media-M3")
@pytest.mark.parametrize("changed", [{"ETag": 'W/"v2"'}, {"ETag": '"v1"'}, {"Last-Modified": OTHER_DATE}])
def test_m3_one_weak_validator_that_differs_means_another_file(changed: Fields) -> None:
    assert isinstance(later(whole(1000, WEAK), 400, 206, part(400, 999, 1000, WEAK)), Usable)
    assert isinstance(later(whole(1000, WEAK), 400, 206, part(400, 999, 1000, WEAK) | changed), Unusable)


@pytest.mark.promise("streams-3")
def test_without_a_strong_validator_length_and_date_must_agree() -> None:
    assert isinstance(later(whole(1000, WEAK), 400, 206, part(400, 999, 1000, WEAK)), Usable)
    assert isinstance(later(whole(1000, WEAK), 400, 206, part(400, 999, "*", WEAK)), Unusable)
    assert isinstance(later(whole(1000, WEAK), 400, 206, part(400, 999, 1000, {"Last-Modified": OTHER_DATE})), Unusable)
    assert isinstance(later(whole(1000, {}), 400, 206, part(400, 999, 1000, {})), Unusable)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("fields", [{}, {"Content-Encoding": "gzip", "Content-Range": "bytes 0-9/50"}])
def test_a_refusal_means_a_stale_link(status: int, fields: Fields) -> None:
    assert first(status, fields) == later(whole(1000, STRONG), 400, status, fields) == StaleLink()


@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_file_is_not_found(status: int) -> None:
    assert first(status, {}) == later(whole(1000, STRONG), 400, status, {}) == NotFound(status)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504])
def test_a_server_in_trouble_is_tried_again(status: int) -> None:
    assert first(status, {}) == later(whole(1000, STRONG), 400, status, {}) == TryAgain(status)


def test_nothing_left_of_an_unknown_length_is_the_end() -> None:
    body = whole(None, STRONG)
    assert later(body, 700, 416, {"Content-Range": "bytes */700"}) == Complete()
    assert later(body, 700, 200, {"Content-Length": "700", **STRONG}) == Complete()
    for status, fields in [
        (416, {"Content-Range": "bytes */600"}),
        (416, {"Content-Range": "bytes */800"}),
        (416, {}),
        (416, {"Content-Range": "bytes */700", "ETag": '"v2"'}),
        (200, {"Content-Length": "600", **STRONG}),
    ]:
        assert isinstance(later(body, 700, status, fields), Unusable)
    assert isinstance(later(whole(None, WEAK), 700, 416, {"Content-Range": "bytes */700"}), Unusable)


def test_an_end_is_that_of_the_same_file_by_if_range_or_its_etag() -> None:
    body, end = whole(None, {"ETag": "18f-5e1a7"}), {"Content-Range": "bytes */700"}
    assert later(body, 700, 416, {**end, "ETag": "18f-5e1a7"}) == Complete()
    assert isinstance(later(body, 700, 416, {**end, "ETag": "18f-5e1a8"}), Unusable)
    assert isinstance(later(body, 700, 416, end), Unusable)


@pytest.mark.promise("streams-11")
def test_an_unknown_length_is_learned_from_a_later_total() -> None:
    verdict = later(whole(None, STRONG), 400, 206, part(400, 999, 1000, STRONG))
    assert isinstance(verdict, Usable)
    assert verdict.body is not None
    assert (verdict.body.end, verdict.body.total) == (1000, 1000)


@pytest.mark.promise("media-M7", "media-M15")
@pytest.mark.parametrize(
    ("requested", "fields", "usable"),
    [
        ("bytes=0-99", part(0, 99, 1000, {}), True),
        ("BYTES = 0 - 99", part(0, 99, 1000, {}), True),
        ("bytes=0-", part(0, 999, 1000, {}), True),
        ("bytes=0-99", part(0, 49, 1000, {}), True),
        ("bytes=-100", part(900, 999, 1000, {}), True),
        ("bytes=-5000", part(0, 999, 1000, {}), True),
        ("bytes=0-99", part(0, 99, "*", {}), True),
        ("bytes=5-", part(5, 99, "*", {}), True),
        ("bytes=0-99", {"Content-Range": "Bytes  0-99/1000", "Content-Length": "100"}, True),
        ("bytes=0-99", part(0, 99, 1000, {"Content-Encoding": ""}), True),
        ("bytes=0-99", part(0, 99, 1000, {"Content-Encoding": "Identity"}), True),
        ("bytes=0-99", part(0, 99, 1000, {"Content-Encoding": "aws-chunked"}), True),
        ("bytes=0-99", part(0, 99, 1000, {"Content-Encoding": "AWS-Chunked,"}), True),
        ("bytes=0-99", part(0, 99, 1000, {"Content-Encoding": "aws-chunked, gzip"}), False),
        ("bytes=0-99", part(1, 100, 1000, {}), False),
        ("bytes=0-99", part(0, 199, 1000, {}), False),
        ("bytes=-100", part(0, 99, 1000, {}), False),
        ("bytes=-100", part(0, 99, "*", {}), False),
        ("bytes=5-9", part(0, 4, "*", {}), False),
        ("bytes=0-99", {"Content-Range": "bytes 0-99/50"}, False),
        ("bytes=0-99", {}, False),
        ("bytes=0-99", {"Content-Range": "bytes 0-99/1000", "Content-Length": "50"}, False),
        (None, part(0, 99, 1000, {}), False),
        ("bytes=0-1,5-6", {"Content-Type": "multipart/byteranges; boundary=x"}, True),
        ("bytes=0-1,5-6", part(0, 6, 1000, {}), True),
        ("bytes=0-1,5-6", part(5, 6, 1000, {}), True),
        ("bytes=0-1,5-6", part(0, 7, 1000, {}), False),
        ("bytes=2-3,5-6", part(1, 6, 1000, {}), False),
        ("bytes=0-1,-5", part(995, 999, 1000, {}), True),
        ("bytes=0-1,-5", part(995, 999, "*", {}), False),
    ],
)
def test_m15_a_206_must_have_what_was_requested(requested: str | None, fields: Fields, usable: bool) -> None:
    client = {} if requested is None else {"Range": requested}
    assert isinstance(first(206, fields, client=client), Usable) is usable


@pytest.mark.promise("media-M12")
@pytest.mark.parametrize(
    ("requested", "stated", "usable"),
    [
        ("bytes=0-1,5-6", "multipart/byteranges; boundary=x", True),
        ("bytes=0-1,5-6", 'multipart/byteranges; boundary="a b:c"', True),
        ("bytes=0-1,5-6", "Multipart/ByteRanges ;charset=x;  Boundary=x", True),
        ("bytes=0-1,5-6", "multipart/byteranges; boundary=x;", True),
        ("bytes=0-1,5-6", "multipart/byteranges", False),
        ("bytes=0-1,5-6", "multipart/byteranges; boundary=", False),
        ("bytes=0-1,5-6", 'multipart/byteranges; boundary="a', False),
        ("bytes=0-1,5-6", "multipart/byteranges; boundary=<q1w2e3r4t5y6u7i8o9p0zaxscdvfbgnhmjklkl>", True),
        ("bytes=0-1,5-6", "multipart/byteranges; boundary=[lka9uw3et5vxybtp87ghq23dpu7djv84nhls9p]", True),
        ("bytes=0-1,5-6", 'multipart/byteranges; boundary="a<b"', True),
        ("bytes=0-1,5-6", 'multipart/byteranges; boundary="a\\"b"', False),
        ("bytes=0-1,5-6", 'multipart/byteranges; boundary="a\\\\b"', False),
        ("bytes=0-1,5-6", 'multipart/byteranges; boundary="a\tb"', False),
        ("bytes=0-1,5-6", 'multipart/byteranges; boundary="a\x7fb"', False),
        ("bytes=0-1,5-6", 'multipart/byteranges; boundary="a\u00e9b"', False),
        ("bytes=0-1,5-6", 'multipart/byteranges; boundary="a "', False),
        ("bytes=0-1,5-6", f"multipart/byteranges; boundary={'x' * 71}", False),
        ("bytes=0-1,5-6", "multipart/byteranges; boundary=x; boundary=y", False),
        ("bytes=0-1", "multipart/byteranges; boundary=x", False),
        (None, "multipart/byteranges; boundary=x", False),
    ],
)
def test_m12_parts_answer_several_ranges_and_have_a_boundary(requested: str | None, stated: str, usable: bool) -> None:
    client = {} if requested is None else {"Range": requested}
    verdict = first(206, {"Content-Type": stated, "Content-Length": "500"}, client=client)
    assert (verdict == Usable(206)) is usable
    with_range = first(206, {"Content-Type": stated, "Content-Range": "bytes 0-6/10"}, client=client)
    assert isinstance(with_range, Unusable)


@pytest.mark.promise("media-M17")
@pytest.mark.parametrize(
    ("fields", "usable"),
    [
        (part(0, 999, 1000, STRONG), True),
        (part(0, 998, 1000, STRONG), False),
        (part(1, 999, 1000, STRONG), False),
        (part(0, 999, "*", STRONG), False),
    ],
)
def test_m17_a_206_of_the_whole_file_is_a_200_to_a_client_without_range(fields: Fields, usable: bool) -> None:
    verdict = first(206, fields)
    assert isinstance(verdict, Usable) is usable
    if isinstance(verdict, Usable):
        assert verdict.status == 200
        assert verdict.body is not None
        assert (verdict.body.first, verdict.body.end) == (0, 1000)


@pytest.mark.promise("media-M6")
@pytest.mark.parametrize(
    ("status", "fields", "end"),
    [
        (206, part(0, 0, 1000, STRONG), 1000),
        (206, part(0, 0, "*", STRONG), None),
        (200, {"Content-Length": "1000", **STRONG}, 1000),
        (200, STRONG, None),
        (416, {"Content-Range": "bytes */0"}, 0),
    ],
)
def test_m6_a_head_is_answered_from_the_first_byte(status: int, fields: Fields, end: int | None) -> None:
    verdict = first(status, fields, method="HEAD", client={"Range": "bytes=5-9", "If-Range": '"other"'})
    assert isinstance(verdict, Usable)
    assert verdict.body is not None
    assert (verdict.status, verdict.body.first, verdict.body.end) == (200, 0, end)


@pytest.mark.promise("media-M6")
@pytest.mark.parametrize(
    ("status", "fields"),
    [(416, {}), (416, {"Content-Range": "bytes */10"}), (206, part(0, 1, 10, {})), (206, part(1, 1, 10, {}))],
)
def test_m6_a_head_is_not_answered_from_a_contradiction(status: int, fields: Fields) -> None:
    assert isinstance(first(status, fields, method="HEAD"), Unusable)


@pytest.mark.promise("media-M10")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (whole(1000, STRONG), True),
        (whole(MAX_SKIP, STRONG), True),
        (whole(MAX_SKIP + 1, STRONG), False),
        (whole(MAX_SKIP + 1, STRONG, ranges=True), True),
        (whole(None, STRONG), False),
        (whole(None, STRONG, ranges=True), True),
        (whole(1000, WEAK), True),
        (whole(None, WEAK, ranges=True), False),
        (whole(1000, {}, ranges=True), False),
        (whole(1000, {"ETag": 'W/"v1"'}, ranges=True), False),
        (whole(1000, {"Last-Modified": DATE}, ranges=True), True),
    ],
)
def test_m10_only_a_body_whose_rest_could_be_joined_may_lose_its_connection(
    body: Representation, expected: bool
) -> None:
    assert can_continue(body) is expected


@pytest.mark.promise("media-M10")
def test_m10_a_server_that_ignored_a_range_is_not_expected_to_answer_the_next() -> None:
    length = 2 * MAX_SKIP
    body = whole(length, STRONG, ranges=True)
    verdict = later(body, 10, 200, {"Content-Length": str(length), "Accept-Ranges": "bytes", **STRONG})
    assert isinstance(verdict, Usable)
    assert verdict.body is not None
    assert not can_continue(verdict.body)


@given(
    total=st.integers(1, 10_000),
    position=st.integers(0, 9_999),
    got_total=st.integers(1, 10_000),
    start=st.integers(0, 9_999),
    tag=st.sampled_from(['"v1"', '"v2"', 'W/"v1"', None]),
)
def test_whatever_is_joined_is_one_file_at_one_position(
    total: int, position: int, got_total: int, start: int, tag: str | None
) -> None:
    fields = part(start, got_total - 1, got_total, {} if tag is None else {"ETag": tag})
    verdict = later(whole(total, STRONG), position, 206, fields)
    if isinstance(verdict, Usable):
        assert (tag, got_total, start, verdict.skip) == ('"v1"', total, position, 0)


@pytest.mark.promise("streams-7")
@pytest.mark.parametrize("retry_after", [0.0, 10.0])
def test_five_tries_wait_for_a_restart_of_valt_and_not_for_minutes(retry_after: float) -> None:
    shortest, longest = (
        [pause(failures, retry_after if failures > 1 else 0.0, jitter) for failures in range(5)]
        for jitter in (0.0, 1.0)
    )
    assert shortest[0] == longest[0] == 0
    assert longest[1] <= 0.2, "most of what breaks is back at once"
    assert sum(shortest) >= 15
    assert sum(longest) <= 60
    assert all(pause(failures, retry_after, 0.0) >= retry_after for failures in range(1, 5))
    assert pause(1000, retry_after, 1.0) == 30


@pytest.mark.promise("streams-6")
def test_bodies_that_were_interrupted_together_do_not_come_back_together() -> None:
    assert len({pause(3, 0.0, jitter / 10) for jitter in range(10)}) == 10


def test_every_verdict_is_about_the_request_that_was_sent() -> None:
    request = MediaRequest({"Accept-Encoding": "identity"})
    assert isinstance(evaluate(request, 206, CIMultiDict(part(0, 9, 10, {}))), Usable)


@pytest.mark.promise("media-M2")
@pytest.mark.parametrize(
    ("wanted", "total", "usable"),
    [
        ("bytes=100-", 100, True),
        ("bytes=99-", 100, False),
        ("bytes=0-9", 0, True),
        ("bytes=0-9", 300, False),
        ("bytes=-5", 300, False),
        ("bytes=-0", 300, True),
        ("bytes=0-1,5-6", 300, True),
    ],
)
def test_m2_a_416_that_denies_bytes_which_its_own_length_has_is_unusable(wanted: str, total: int, usable: bool) -> None:
    verdict = first(416, {"Content-Range": f"bytes */{total}"}, client={"Range": wanted})
    assert isinstance(verdict, Usable if usable else Unusable)
