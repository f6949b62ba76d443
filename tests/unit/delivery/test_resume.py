"""What is asked next when a body breaks off, and what counts as the same file."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.resume import (
    Changed,
    Complete,
    Continues,
    Representation,
    StaleLink,
    TryAgain,
    is_consistent,
    judge,
    pause,
    promise,
    resume_headers,
)

STRONG = {"ETag": '"v1"', "Last-Modified": "Tue, 24 Nov 2026 08:00:00 GMT"}
WEAK = {"ETag": 'W/"v1"', "Last-Modified": "Tue, 24 Nov 2026 08:00:00 GMT"}


def whole(length: int, headers: Mapping[str, str]) -> Representation:
    made = promise(200, {"Content-Length": str(length), **headers})
    assert made is not None
    return made


def part(first: int, last: int, total: int | str, headers: Mapping[str, str]) -> dict[str, str]:
    return {
        "Content-Range": f"bytes {first}-{last}/{total}",
        "Content-Length": str(last + 1 - first),
        **headers,
    }


@pytest.mark.promise("streams-3")
def test_the_rest_is_asked_for_under_the_strong_validator_and_never_compressed() -> None:
    assert resume_headers(whole(1000, STRONG), 400) == {
        "Accept-Encoding": "identity",
        "Range": "bytes=400-999",
        "If-Range": '"v1"',
    }


@pytest.mark.promise("streams-3")
def test_a_weak_validator_is_no_if_range() -> None:
    assert "If-Range" not in resume_headers(whole(1000, WEAK), 400)


def test_a_body_of_unknown_length_is_asked_for_to_its_end() -> None:
    made = promise(200, STRONG)
    assert made is not None
    assert resume_headers(made, 400)["Range"] == "bytes=400-"


def test_the_same_file_goes_on_from_the_very_byte() -> None:
    made = whole(1000, STRONG)
    assert judge(made, 400, 206, part(400, 999, 1000, STRONG)) == Continues(0, made)


def test_a_server_that_ignores_range_is_read_up_to_the_point() -> None:
    made = whole(1000, STRONG)
    assert judge(made, 400, 200, {"Content-Length": "1000", **STRONG}) == Continues(400, made)


@pytest.mark.promise("streams-9")
def test_no_more_than_a_limit_is_discarded() -> None:
    made = whole(1 << 40, STRONG)
    assert judge(made, 1 << 39, 200, {"Content-Length": str(1 << 40), **STRONG}) == Changed()


@pytest.mark.promise("streams-8")
@pytest.mark.parametrize(
    ("status", "headers"),
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
        (404, {}),
        (302, {"Location": "/elsewhere"}),
    ],
)
def test_two_files_never_make_one_body(status: int, headers: Mapping[str, str]) -> None:
    assert judge(whole(1000, STRONG), 400, status, headers) == Changed()


@pytest.mark.promise("streams-3")
def test_without_a_strong_validator_length_and_date_must_agree() -> None:
    made = whole(1000, WEAK)
    assert isinstance(judge(made, 400, 206, part(400, 999, 1000, WEAK)), Continues)
    assert judge(made, 400, 206, part(400, 999, 1000, {"Last-Modified": "Tue, 24 Nov 2026 09:00:00 GMT"})) == Changed()
    assert judge(whole(1000, {}), 400, 206, part(400, 999, 1000, {})) == Changed()


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_means_a_stale_link(status: int) -> None:
    assert judge(whole(1000, STRONG), 400, status, {}) == StaleLink()


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_server_in_trouble_is_asked_again(status: int) -> None:
    assert judge(whole(1000, STRONG), 400, status, {}) == TryAgain()


def test_nothing_left_after_an_unknown_length_is_the_end() -> None:
    made = promise(200, STRONG)
    assert made is not None
    assert judge(made, 700, 416, {"Content-Range": "bytes */700"}) == Complete()
    assert judge(made, 700, 416, {"Content-Range": "bytes */600"}) == Changed()


@pytest.mark.promise("streams-11")
def test_an_unknown_length_becomes_known_once_a_total_is_told() -> None:
    made = promise(200, STRONG)
    assert made is not None
    told = judge(made, 400, 206, part(400, 999, 1000, STRONG))
    assert isinstance(told, Continues)
    assert told.promise.end == 1000


@pytest.mark.parametrize(
    ("asked", "headers", "sense"),
    [
        ("bytes=0-99", part(0, 99, 1000, {}), True),
        ("bytes=0-", part(0, 999, 1000, {}), True),
        ("bytes=0-99", part(0, 49, 1000, {}), True),
        ("bytes=-100", part(900, 999, 1000, {}), True),
        ("bytes=-5000", part(0, 999, 1000, {}), True),
        ("bytes=0-99", part(1, 100, 1000, {}), False),
        ("bytes=0-99", part(0, 199, 1000, {}), False),
        ("bytes=-100", part(0, 99, 1000, {}), False),
        ("bytes=0-99", {"Content-Range": "bytes 0-99/50"}, False),
        ("bytes=0-99", {}, False),
        ("bytes=0-99", {"Content-Range": "bytes 0-99/1000", "Content-Length": "50"}, False),
        (None, part(0, 99, 1000, {}), False),
        ("bytes=0-1,5-6", {"Content-Type": "multipart/byteranges; boundary=x"}, True),
        ("bytes=0-1,5-6", part(0, 6, 1000, {}), True),
    ],
)
def test_a_206_must_answer_what_was_asked(asked: str | None, headers: Mapping[str, str], sense: bool) -> None:
    assert is_consistent(promise(206, headers), 206, headers, asked) is sense


@given(
    total=st.integers(1, 10_000),
    at=st.integers(0, 9_999),
    got_total=st.integers(1, 10_000),
    first=st.integers(0, 9_999),
    tag=st.sampled_from(['"v1"', '"v2"', 'W/"v1"', None]),
)
def test_whatever_is_joined_is_one_file_at_one_place(
    total: int, at: int, got_total: int, first: int, tag: str | None
) -> None:
    headers = part(first, got_total - 1, got_total, {} if tag is None else {"ETag": tag})
    told = judge(whole(total, STRONG), at, 206, headers)
    if isinstance(told, Continues):
        assert (tag, got_total, first, told.skip) == ('"v1"', total, at, 0)


@pytest.mark.promise("streams-7")
@pytest.mark.parametrize("left_alone", [0.0, 10.0])
def test_five_tries_wait_for_a_restart_of_valt_and_not_for_minutes(left_alone: float) -> None:
    shortest, longest = (
        [pause(failures, left_alone if failures > 1 else 0.0, chance) for failures in range(5)] for chance in (0.0, 1.0)
    )
    assert shortest[0] == longest[0] == 0
    assert longest[1] <= 0.2, "most of what breaks is back at once"
    assert sum(shortest) >= 15
    assert sum(longest) <= 60
    assert all(pause(failures, left_alone, 0.0) >= left_alone for failures in range(1, 5))
    assert pause(1000, left_alone, 1.0) == 30


@pytest.mark.promise("streams-6")
def test_those_whose_bodies_broke_off_together_do_not_come_back_together() -> None:
    assert len({pause(3, 0.0, chance / 10) for chance in range(10)}) == 10
