"""The exact verdict on a response: the reason of each that is unusable, and the whole body of each that is usable."""

from dataclasses import replace

import pytest
from multidict import CIMultiDict

from gateway.delivery.headers import media_request
from gateway.delivery.http_fields import RangeSpec
from gateway.delivery.resume import (
    MAX_SKIP,
    can_continue,
    evaluate,
    is_identified,
    pause,
    resume_request,
    strong_etag,
)
from gateway.delivery.verdicts import Complete, MediaRequest, Representation, Unusable, Usable, Verdict

DATE, LATER = "Tue, 24 Nov 2026 08:00:00 GMT", "Tue, 24 Nov 2026 09:00:00 GMT"
FILE = {"Content-Type": "video/mp4", "ETag": '"v1"', "Last-Modified": DATE}
PART = {"Content-Range": "bytes 10-19/100", "Content-Length": "10", **FILE}
BODY = Representation(0, 100, 100, '"v1"', DATE, "video/mp4")
Fields = dict[str, str]

STATED = "the media server responded with HTTP {}"
NO_CONDITION = "the media server responded with HTTP {} to a request without a condition"
BAD_LENGTH = "the Content-Range or Content-Length of a response is missing or not valid"
OTHER_BYTES = "the response has other bytes than were requested"
CHANGED = "the file has changed"
BAD_416 = "a 416 contradicts the request or its own Content-Range"
CODING = "the response has a transfer coding besides chunked, or two"
PART_AS_WHOLE = "the response is a part, and its status is 200"
NO_PARTS = "several parts were not requested, or have no boundary"


def first(status: int, fields: Fields, client: Fields | None = None, method: str = "GET") -> Verdict:
    return evaluate(media_request(method, CIMultiDict(client or {})), status, CIMultiDict(fields))


def later(status: int, fields: Fields, *, body: Representation = BODY, position: int = 40) -> Verdict:
    return evaluate(resume_request(body, position), status, CIMultiDict(fields))


def rest(start: int = 40, last: int = 99, total: int | str = 100, **fields: str) -> Fields:
    return {"Content-Range": f"bytes {start}-{last}/{total}", **FILE, **fields}


@pytest.mark.parametrize(
    ("status", "fields", "client", "reason"),
    [
        (204, {}, {}, STATED.format(204)),
        (302, {}, {}, STATED.format(302)),
        (200, {"Content-Encoding": "gzip"}, {}, "the response is compressed"),
        (200, {"Transfer-Encoding": "gzip, chunked"}, {}, CODING),
        (200, {"Transfer-Encoding": "identity"}, {}, CODING),
        (200, {"Transfer-Encoding": "\x0bchunked"}, {}, CODING),
        (200, {"Transfer-Encoding": "Xchunked"}, {}, CODING),
        (200, {"Content-Range": "bytes 0-9/10"}, {}, PART_AS_WHOLE),
        (200, {"Content-Type": "multipart/byteranges; boundary=x"}, {"Range": "bytes=0-1,3-4"}, PART_AS_WHOLE),
        (304, {}, {}, NO_CONDITION.format(304)),
        (412, {}, {}, NO_CONDITION.format(412)),
        (304, {}, {"If-Match": "*", "If-Unmodified-Since": DATE}, NO_CONDITION.format(304)),
        (412, {}, {"If-None-Match": "*", "If-Modified-Since": DATE}, NO_CONDITION.format(412)),
        (200, {"ETag": '"v2"'}, {"If-Match": '"v1"'}, "the response contradicts a condition of the request"),
        (
            200,
            {"Last-Modified": LATER},
            {"If-Unmodified-Since": DATE},
            "the response contradicts a condition of the request",
        ),
        (416, {}, {}, BAD_416),
        (416, {"Content-Range": "bytes */x"}, {"Range": "bytes=20-"}, BAD_416),
        (416, {"Content-Range": "bytes */21"}, {"Range": "bytes=20-"}, BAD_416),
        (416, {"Content-Range": "bytes */21"}, {"Range": f"bytes=20-{2**63 - 1}"}, BAD_416),
        (200, {"Content-Length": "x"}, {}, BAD_LENGTH),
        (206, {}, {"Range": "bytes=10-19"}, BAD_LENGTH),
        (206, {**PART, "Content-Length": "9"}, {"Range": "bytes=10-19"}, BAD_LENGTH),
        (206, PART, {"Range": "bytes=11-19"}, OTHER_BYTES),
        (206, PART, {"Range": "bytes=10-18"}, OTHER_BYTES),
        (206, PART, {}, OTHER_BYTES),
        (206, {"Content-Range": "bytes 0-98/100"}, {}, OTHER_BYTES),
        (206, {"Content-Range": "bytes 1-99/100"}, {}, OTHER_BYTES),
        (206, PART, {"Range": "bytes=10-19", "If-Range": '"v2"'}, OTHER_BYTES),
        (206, PART, {"Range": "bytes=10-19", "If-Range": LATER}, OTHER_BYTES),
        (206, {"Content-Type": "multipart/byteranges; boundary=x"}, {"Range": "bytes=0-1"}, NO_PARTS),
        (206, {"Content-Type": "multipart/byteranges; boundary=x"}, {}, NO_PARTS),
        (206, {"Content-Type": "multipart/byteranges"}, {"Range": "bytes=0-1,3-4"}, NO_PARTS),
        (
            206,
            {**PART, "Content-Type": "multipart/byteranges; boundary=x"},
            {"Range": "bytes=0-1,3-4"},
            "a response of several parts has a Content-Range of its own",
        ),
        (
            206,
            {"Content-Type": "multipart/byteranges; boundary=x", "ETag": '"v2"'},
            {"Range": "bytes=0-1,3-4", "If-Range": '"v1"'},
            "the response does not answer the request's If-Range",
        ),
        (
            206,
            {"Content-Type": "multipart/byteranges; boundary=x", "Last-Modified": LATER},
            {"Range": "bytes=0-1,3-4", "If-Range": DATE},
            "the response does not answer the request's If-Range",
        ),
    ],
)
def test_a_first_response_that_is_unusable_says_why(status: int, fields: Fields, client: Fields, reason: str) -> None:
    assert first(status, fields, client) == Unusable(reason)


def test_a_head_is_answered_by_a_416_only_of_an_empty_file() -> None:
    request = MediaRequest({"Range": "bytes=0-0"}, (RangeSpec(0, 0),), "HEAD")
    empty = evaluate(request, 416, CIMultiDict({"Content-Range": "bytes */0"}))
    assert empty == Usable(200, Representation(0, 0, 0))
    unknown = evaluate(request, 416, CIMultiDict())
    assert unknown == Unusable("the first byte of a file is said not to exist")


def test_two_values_of_one_field_are_named() -> None:
    fields = CIMultiDict([*FILE.items(), ("ETag", '"v1"')])
    assert isinstance(evaluate(MediaRequest({}), 200, fields), Usable)
    fields.add("ETag", '"v2"')
    other = CIMultiDict([("ETag", '"v1"'), ("ETag", '"v2"')])
    assert evaluate(MediaRequest({}), 200, other) == Unusable("the response has two values of Etag")
    assert evaluate(MediaRequest({}), 200, fields) == Unusable("the response has two values of Etag")


@pytest.mark.parametrize("coding", ["chunked", " Chunked\t"])
def test_chunked_is_the_one_transfer_coding(coding: str) -> None:
    assert first(200, {"Transfer-Encoding": coding}) == Usable(200, Representation(0, None, None))
    twice = CIMultiDict([("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")])
    assert evaluate(MediaRequest({}), 200, twice) == Unusable(CODING)


@pytest.mark.parametrize(
    ("status", "fields", "client", "expected"),
    [
        (200, {"Content-Length": "100", **FILE}, {}, Usable(200, BODY, length=100)),
        (200, {"Content-Length": "0"}, {}, Usable(200, Representation(0, 0, 0), length=0)),
        (200, FILE, {}, Usable(200, replace(BODY, end=None, total=None))),
        (200, {**FILE, "Accept-Ranges": "Bytes"}, {}, Usable(200, replace(BODY, end=None, total=None, ranges=True))),
        (200, {**FILE, "Accept-Ranges": "none"}, {}, Usable(200, replace(BODY, end=None, total=None))),
        (200, {"Content-Type": " odd "}, {}, Usable(200, Representation(0, None, None, media_type="odd"))),
        (
            200,
            {"Content-Type": "Video/MP4; a=b"},
            {},
            Usable(200, Representation(0, None, None, media_type="video/mp4")),
        ),
        (200, {"Content-Type": " Xodd\x0b"}, {}, Usable(200, Representation(0, None, None, media_type="Xodd\x0b"))),
        (200, {"Content-Type": " \t"}, {}, Usable(200, Representation(0, None, None))),
        (206, PART, {"Range": "bytes=10-19"}, Usable(206, replace(BODY, first=10, end=20, ranges=True), length=10)),
        (206, rest(0), {}, Usable(200, replace(BODY, ranges=True), length=100)),
        (304, {"ETag": '"v1"'}, {"If-None-Match": '"v1"'}, Usable(304)),
        (304, {}, {"If-Modified-Since": DATE}, Usable(304)),
        (412, {}, {"If-Match": '"v1"'}, Usable(412)),
        (412, {}, {"If-Unmodified-Since": DATE}, Usable(412)),
        (416, {}, {"Range": "bytes=200-"}, Usable(416)),
        (416, {"Content-Range": "bytes */100"}, {"Range": "bytes=100-"}, Usable(416)),
        (416, {"Content-Range": "bytes */100"}, {"Range": "bytes=0-1,3-4"}, Usable(416)),
        (416, {"Content-Range": "bytes */100"}, {"Range": f"bytes=0-{2**63}"}, Usable(416)),
        (416, {"Content-Range": "bytes */100"}, {"Range": f"bytes=-{2**64 - 1}"}, Usable(416)),
        (206, {"Content-Type": "multipart/byteranges; boundary=x"}, {"Range": "bytes=0-1,3-4"}, Usable(206)),
        (
            206,
            {"Content-Type": "multipart/byteranges; boundary=x", "ETag": '"v1"'},
            {"Range": "bytes=0-1,3-4", "If-Range": '"v1"'},
            Usable(206),
        ),
    ],
)
def test_a_usable_first_response_states_its_whole_body(
    status: int, fields: Fields, client: Fields, expected: Usable
) -> None:
    assert first(status, fields, client) == expected


@pytest.mark.parametrize(
    ("fields", "is_usable"),
    [
        (rest(0, 1), True),
        (rest(8, 9), True),
        (rest(0, 9), True),
        (rest(5, 9), True),
        (rest(4, 9), True),
        (rest(2, 10), False),
        (rest(0, 98), False),
    ],
)
def test_of_several_ranges_one_part_lies_between_the_first_and_the_last(fields: Fields, is_usable: bool) -> None:
    verdict = first(206, fields, {"Range": "bytes=0-1,4-9"})
    assert isinstance(verdict, Usable) is is_usable


def test_a_part_before_every_range_that_was_requested_is_unusable() -> None:
    assert first(206, rest(2, 9), {"Range": "bytes=3-4,8-9"}) == Unusable(OTHER_BYTES)
    assert isinstance(first(206, rest(3, 9), {"Range": "bytes=8-9,3-4"}), Usable)


@pytest.mark.parametrize(
    ("status", "fields", "expected"),
    [
        (206, rest(), Usable(206, replace(BODY, ranges=True), length=60)),
        (200, {"Content-Length": "100", **FILE}, Usable(200, BODY, 40, 100)),
        (200, FILE, Usable(200, BODY, 40, 100)),
        (206, rest(ETag='"v2"'), Unusable(CHANGED)),
        (206, rest(total=101), Unusable(CHANGED)),
        (206, rest(total="*"), Usable(206, replace(BODY, ranges=True), length=60)),
        (206, rest(39), Unusable(OTHER_BYTES)),
        (206, {"Content-Range": "bytes 40-99/100", "ETag": '"v1"'}, Usable(206, replace(BODY, ranges=True), length=60)),
        (206, {**rest(), "Content-Type": "text/html"}, Unusable(CHANGED)),
        (200, {"Content-Length": "40", **FILE}, Unusable(CHANGED)),
        (416, {"Content-Range": "bytes */40"}, Unusable(CHANGED)),
        (416, {}, Unusable(CHANGED)),
        (304, {}, Unusable(NO_CONDITION.format(304))),
    ],
)
def test_a_later_response_continues_the_body_that_the_first_one_stated(
    status: int, fields: Fields, expected: Verdict
) -> None:
    assert later(status, fields) == expected


def test_a_body_of_unknown_length_ends_where_a_later_response_says() -> None:
    endless = replace(BODY, end=None, total=None)
    assert later(206, rest(), body=endless) == Usable(206, replace(BODY, ranges=True), length=60)
    assert later(206, rest(total="*"), body=endless) == Usable(206, replace(endless, ranges=True), length=60)
    assert later(200, FILE, body=endless) == Usable(200, endless, 40)
    assert later(200, {"Content-Length": "40", **FILE}, body=endless) == Complete()
    assert later(200, {"Content-Length": "39", **FILE}, body=endless) == Unusable(CHANGED)
    assert later(416, {"Content-Range": "bytes */40"}, body=endless) == Complete()
    assert later(416, {"Content-Range": "bytes */40", "ETag": '"v1"'}, body=endless) == Complete()
    assert later(416, {"Content-Range": "bytes */40", "ETag": '"v2"'}, body=endless) == Unusable(CHANGED)
    assert later(416, {"Content-Range": "bytes */41"}, body=endless) == Unusable(CHANGED)
    assert later(416, {}, body=endless) == Unusable(CHANGED)


def test_a_body_that_begins_later_is_continued_to_its_own_end() -> None:
    body = replace(BODY, first=10, end=60)
    assert resume_request(body, 40).headers["Range"] == "bytes=40-59"
    assert later(206, rest(40, 59), body=body) == Usable(206, replace(body, ranges=True), length=20)
    assert later(200, {"Content-Length": "100", **FILE}, body=body) == Usable(200, body, 40, 100)
    assert later(200, {"Content-Length": str(MAX_SKIP + 41), **FILE}, body=replace(body, total=None)) == Usable(
        200, replace(body, total=MAX_SKIP + 41), 40, MAX_SKIP + 41
    )


def test_so_much_is_skipped_and_not_a_byte_more() -> None:
    long = replace(BODY, end=MAX_SKIP + 2, total=MAX_SKIP + 2)
    fields = {"Content-Length": str(MAX_SKIP + 2), **FILE}
    assert later(200, fields, body=long, position=MAX_SKIP) == Usable(200, long, MAX_SKIP, MAX_SKIP + 2)
    assert later(200, fields, body=long, position=MAX_SKIP + 1) == Unusable(CHANGED)


def test_a_media_type_may_be_left_out_later_of_a_film_alone() -> None:
    untyped = {"Content-Range": "bytes 40-99/100", "ETag": '"v1"'}
    page = replace(BODY, media_type="text/html")
    assert later(206, untyped, body=page) == Unusable(CHANGED)
    assert isinstance(later(206, {**untyped, "Content-Type": "text/html"}, body=page), Usable)
    assert later(206, {**untyped, "Content-Type": "video/mp4"}, body=replace(BODY, media_type=None)) == Unusable(
        CHANGED
    )
    assert isinstance(later(206, untyped, body=replace(BODY, media_type=None)), Usable)


def test_without_a_strong_etag_both_must_state_length_and_date() -> None:
    weak = replace(BODY, etag='W/"v1"')
    same = {"Content-Range": "bytes 40-99/100", "Content-Type": "video/mp4", "Last-Modified": DATE}
    assert isinstance(later(206, {**same, "ETag": 'W/"v1"'}, body=weak), Usable)
    assert isinstance(later(206, same, body=weak), Usable)
    assert isinstance(later(206, same, body=replace(BODY, etag=None)), Usable)
    assert later(206, {**same, "ETag": '"v1"'}, body=replace(BODY, etag=None)) == Unusable(CHANGED)
    assert later(206, same) == Unusable(CHANGED)
    undated = {name: value for name, value in same.items() if name != "Last-Modified"}
    assert later(206, undated, body=weak) == Unusable(CHANGED)
    assert later(206, same, body=replace(weak, last_modified=None)) == Unusable(CHANGED)
    assert later(206, {**same, "Content-Range": "bytes 40-99/*"}, body=weak) == Unusable(CHANGED)
    assert later(206, same, body=replace(weak, total=None)) == Unusable(CHANGED)


def test_the_rest_is_requested_by_its_exact_range_and_condition() -> None:
    headers = {"Accept-Encoding": "identity", "Range": "bytes=40-99", "If-Range": '"v1"'}
    assert resume_request(BODY, 40) == MediaRequest(headers, (RangeSpec(40, 99),), continues=BODY, position=40)
    endless = Representation(0, None, None)
    headers = {"Accept-Encoding": "identity", "Range": "bytes=0-"}
    assert resume_request(endless, 0) == MediaRequest(headers, (RangeSpec(0, None),), continues=endless, position=0)


@pytest.mark.parametrize(
    ("etag", "strong"),
    [('"v1"', True), ("v1", True), ('""', False), ("", False), (None, False), ('W/"v1"', False), ('w/"v1"', False)],
)
def test_an_etag_is_strong_if_it_names_one_version_byte_for_byte(etag: str | None, strong: bool) -> None:
    assert strong_etag(replace(BODY, etag=etag)) == (etag if strong else None)
    assert is_identified(replace(BODY, etag=etag, total=None)) is strong
    assert is_identified(replace(BODY, etag=etag, last_modified=None)) is strong
    assert is_identified(replace(BODY, etag=etag)) is True
    assert can_continue(replace(BODY, etag=etag, total=None)) is strong


def test_a_body_can_be_continued_if_so_much_can_be_skipped_or_a_range_requested() -> None:
    long = replace(BODY, end=MAX_SKIP + 1, total=MAX_SKIP + 1)
    assert can_continue(replace(long, end=MAX_SKIP))
    assert not can_continue(long)
    assert can_continue(replace(long, ranges=True))
    assert not can_continue(replace(BODY, end=None))
    assert MAX_SKIP == 67_108_864


@pytest.mark.parametrize(
    ("failures", "retry_after", "jitter", "seconds"),
    [
        (0, 10.0, 1.0, 0.0),
        (1, 0.0, 0.0, 0.1),
        (1, 0.0, 1.0, 0.2),
        (2, 0.0, 1.0, 1.0),
        (3, 0.0, 0.5, 3.75),
        (3, 10.0, 0.5, 13.75),
        (4, 0.0, 1.0, 25.0),
        (4, 10.0, 1.0, 30.0),
        (10**6, 0.0, 0.0, 30.0),
    ],
)
def test_each_failure_makes_the_pause_five_times_as_long_up_to_half_a_minute(
    failures: int, retry_after: float, jitter: float, seconds: float
) -> None:
    assert pause(failures, retry_after, jitter) == pytest.approx(seconds)
