"""The simulator's ranges and conditions follow RFC 9110, compared with plain slices and dates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sim.media_body import pieces
from gateway.sim.ranges import Answer, answer, http_date, parse

TAG = '"abc"'
MODIFIED = 1_746_544_800.0
EARLIER, SAME, LATER = (http_date(MODIFIED + seconds) for seconds in (-1, 0, 1))

contents = st.binary(max_size=200)
places = st.integers(min_value=0, max_value=250)


def answered(headers: dict[str, str], etag: str | None = TAG, modified: float | None = MODIFIED) -> Answer:
    return answer(headers, 100, etag, modified)


@given(contents, places, places)
def test_first_and_last_are_the_slice_between_them(content: bytes, first: int, length: int) -> None:
    spans = parse(f"bytes={first}-{first + length}", len(content))
    assert spans is not None
    assert b"".join(content[a : b + 1] for a, b in spans) == content[first : first + length + 1]


@given(contents, places)
def test_an_open_range_is_everything_from_there_on(content: bytes, first: int) -> None:
    spans = parse(f"bytes={first}-", len(content))
    assert spans is not None
    assert b"".join(content[a : b + 1] for a, b in spans) == content[first:]


@given(contents, places)
def test_a_suffix_is_the_end_of_the_file(content: bytes, length: int) -> None:
    spans = parse(f"bytes=-{length}", len(content))
    assert spans is not None
    assert b"".join(content[a : b + 1] for a, b in spans) == content[max(0, len(content) - length) :] * (length > 0)


@given(contents, st.lists(st.tuples(places, places), min_size=1, max_size=5))
def test_several_ranges_are_answered_in_the_order_of_the_request(content: bytes, ranges: list[tuple[int, int]]) -> None:
    spans = parse("bytes=" + ", ".join(f"{first}-{first + more}" for first, more in ranges), len(content))
    expected = [(first, min(first + more, len(content) - 1)) for first, more in ranges if first < len(content)]
    assert spans == tuple(expected)


@pytest.mark.parametrize(
    "value",
    ["bytes", "bytes=", "bytes=,", "bytes=-", "bytes=5-3", "bytes=a-b", "bytes=1-2-3", "bytes=0-0, x", "lines=0-5", ""],
)
def test_an_invalid_range_is_ignored(value: str) -> None:
    assert parse(value, 100) is None
    assert answered({"Range": value}) == Answer(200)


def test_a_number_may_be_larger_than_any_file() -> None:
    huge = "9" * 40
    assert answered({"Range": f"bytes=5-{huge}"}) == Answer(206, ((5, 99),))
    assert answered({"Range": f"bytes=-{huge}"}) == Answer(206, ((0, 99),))
    assert answered({"Range": f"bytes={huge}-"}) == Answer(416)
    assert answered({"Range": f"bytes=0-{huge * 200}"}) == Answer(200)


@pytest.mark.parametrize("value", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=100-, 200-300"])
def test_a_range_without_bytes_is_416(value: str) -> None:
    assert answered({"Range": value}) == Answer(416)


@pytest.mark.parametrize(
    ("condition", "value", "good"),
    [
        ("If-Match", TAG, True),
        ("If-Match", f'"x", {TAG}', True),
        ("If-Match", "*", True),
        ("If-Match", '"x"', False),
        ("If-Match", f"W/{TAG}", False),
        ("If-Unmodified-Since", SAME, True),
        ("If-Unmodified-Since", LATER, True),
        ("If-Unmodified-Since", EARLIER, False),
        ("If-Unmodified-Since", "no date", True),
    ],
)
def test_a_precondition_that_fails_is_412(condition: str, value: str, good: bool) -> None:
    assert answered({condition: value}).status == (200 if good else 412)


@pytest.mark.parametrize(
    ("condition", "value", "fresh"),
    [
        ("If-None-Match", TAG, True),
        ("If-None-Match", f"W/{TAG}", True),
        ("If-None-Match", "*", True),
        ("If-None-Match", '"x"', False),
        ("If-Modified-Since", SAME, True),
        ("If-Modified-Since", LATER, True),
        ("If-Modified-Since", EARLIER, False),
        ("If-Modified-Since", "no date", False),
    ],
)
def test_an_unmodified_file_is_304_whatever_the_range(condition: str, value: str, fresh: bool) -> None:
    assert answered({condition: value}).status == (304 if fresh else 200)
    assert answered({condition: value, "Range": "bytes=0-9"}).status == (304 if fresh else 206)


def test_an_entity_tag_takes_precedence_over_a_date() -> None:
    assert answered({"If-None-Match": '"x"', "If-Modified-Since": SAME}).status == 200
    assert answered({"If-Match": TAG, "If-Unmodified-Since": EARLIER}).status == 200


@pytest.mark.parametrize(
    ("value", "holds"),
    [(TAG, True), ('"x"', False), (f"W/{TAG}", False), (SAME, True), (EARLIER, False), (LATER, False), ("?", False)],
)
def test_a_failed_if_range_returns_the_whole_file(value: str, holds: bool) -> None:
    assert answered({"Range": "bytes=0-9", "If-Range": value}) == (Answer(206, ((0, 9),)) if holds else Answer(200))


def test_a_weak_tag_is_used_for_304_only() -> None:
    weak = f"W/{TAG}"
    assert answered({"If-None-Match": TAG}, weak).status == 304
    assert answered({"If-Match": weak}, weak).status == 412
    assert answered({"Range": "bytes=0-9", "If-Range": weak}, weak).status == 200


def test_without_validators_conditions_on_them_fail() -> None:
    assert answered({"If-Modified-Since": LATER}, None, None).status == 200
    assert answered({"If-Unmodified-Since": EARLIER}, None, None).status == 200
    assert answered({"If-None-Match": TAG}, None, None).status == 200
    assert answered({"If-Match": TAG}, None, None).status == 412


@given(
    st.lists(st.binary(max_size=60), max_size=5),
    st.lists(st.integers(min_value=0, max_value=300), max_size=4),
    st.integers(min_value=1, max_value=40),
)
def test_pieces_are_the_body_and_end_at_every_stop(parts: list[bytes], stops: list[int], size: int) -> None:
    cut = [bytes(piece) for piece in pieces(parts, stops, size)]
    assert b"".join(cut) == b"".join(parts)
    assert all(0 < len(piece) <= size for piece in cut)
    ends = {0}
    for piece in cut:
        ends.add(max(ends) + len(piece))
    assert {stop for stop in stops if stop <= len(b"".join(parts))} <= ends
