"""Each comparison of a condition with a file's validators, at its limit."""

import time
from collections.abc import Iterator

import pytest

from gateway.delivery.conditions import contradicts, holds_if_range, http_date, is_if_range

DATE, LATER = "Tue, 24 Nov 2026 08:00:00 GMT", "Tue, 24 Nov 2026 08:00:01 GMT"
SAME = "Tue, 24 Nov 2026 09:00:00 +0100"


def test_a_date_is_read_in_each_of_its_forms_as_utc() -> None:
    seconds = 1_795_507_200.0
    forms = (DATE, SAME, "Tue, 24 Nov 2026 08:00:00", "Tuesday, 24-Nov-26 08:00:00 GMT", "Tue Nov 24 08:00:00 2026")
    assert [http_date(text) for text in forms] == [seconds] * 5
    assert http_date(LATER) == seconds + 1
    assert http_date("24") is None
    assert http_date("Tue, 24 Nov 2026 08:00:00 +" + "9" * 30) is None


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server whose local time is not UTC."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_a_date_without_a_zone_is_not_read_in_the_servers_own() -> None:
    assert http_date("Tue, 24 Nov 2026 08:00:00") == http_date(DATE) == 1_795_507_200.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"v1"', True),
        ('""', True),
        ('"ä"', True),
        (DATE, True),
        ('W/"v1"', False),
        ('"v1', False),
        ('"v1" ', False),
        ('"v1", "v2"', False),
        ('"a\x7fb"', False),
        ('"a\x00b"', False),
        ("v1", False),
        ("", False),
    ],
)
def test_an_if_range_is_one_strong_etag_or_a_date(text: str, expected: bool) -> None:
    assert is_if_range(text) is expected
    if not expected:
        assert holds_if_range(text, text, text) is False


@pytest.mark.parametrize(
    ("condition", "etag", "last_modified", "expected"),
    [
        ('"v1"', '"v1"', None, True),
        ('"v1"', None, None, True),
        ('"v1"', '"v2"', None, False),
        ('"v1"', 'W/"v1"', None, False),
        ('"v1"', '"v2"', DATE, False),
        (DATE, '"v1"', DATE, True),
        (DATE, '"v1"', SAME, True),
        (DATE, '"v1"', None, True),
        (DATE, None, LATER, False),
        (LATER, None, DATE, False),
        (DATE, None, "nonsense", False),
    ],
)
def test_a_part_answers_an_if_range_of_its_own_version(
    condition: str, etag: str | None, last_modified: str | None, expected: bool
) -> None:
    assert holds_if_range(condition, etag, last_modified) is expected


@pytest.mark.parametrize(
    ("conditions", "status", "etag", "last_modified", "expected"),
    [
        ({"If-Match": '"v1"'}, 200, '"v2"', None, True),
        ({"If-Match": '"v1"'}, 206, '"v2"', None, True),
        ({"If-Match": '"v1"'}, 304, '"v2"', None, False),
        ({"If-Match": '"v1"'}, 412, '"v2"', None, False),
        ({"If-Match": '"v1"'}, 201, '"v2"', None, False),
        ({"If-Match": '"v1", W/"v2"'}, 200, 'W/"v2"', None, True),
        ({"If-Match": '"v1"  ,"v2"'}, 200, '"v2"', None, False),
        ({"If-Match": " v2 "}, 200, "v2", None, False),
        ({"If-Match": "v1"}, 200, "v2", None, True),
        ({"If-Match": " * "}, 200, '"v2"', None, False),
        ({"If-Match": '"v1"'}, 200, None, LATER, False),
        ({"If-Match": '"v1"', "If-Unmodified-Since": DATE}, 200, '"v1"', LATER, False),
        ({"If-Unmodified-Since": DATE}, 200, None, LATER, True),
        ({"If-Unmodified-Since": DATE}, 206, '"v1"', LATER, True),
        ({"If-Unmodified-Since": DATE}, 200, None, SAME, False),
        ({"If-Unmodified-Since": LATER}, 200, None, DATE, False),
        ({"If-Unmodified-Since": DATE}, 200, None, None, False),
        ({"If-Unmodified-Since": DATE}, 304, None, LATER, False),
        ({"If-Unmodified-Since": "x"}, 200, None, LATER, False),
        ({"If-Unmodified-Since": DATE}, 200, None, "x", False),
        ({"If-None-Match": '"v1"'}, 304, '"v1"', None, False),
        ({"If-None-Match": '"v1"'}, 304, 'W/"v1"', None, False),
        ({"If-None-Match": 'W/"v1"'}, 304, '"v1"', None, False),
        ({"If-None-Match": 'W/"v1"'}, 304, 'W/"v1"', None, False),
        ({"If-None-Match": '"v0", W/"v1"'}, 304, '"v1"', None, False),
        ({"If-None-Match": '"v1"'}, 304, '"v2"', None, True),
        ({"If-None-Match": "*"}, 304, '"v2"', None, False),
        ({"If-None-Match": '"v1"'}, 200, '"v2"', None, False),
        ({"If-None-Match": '"v1"', "If-Modified-Since": DATE}, 304, None, LATER, False),
        ({"If-Modified-Since": DATE}, 304, None, LATER, True),
        ({"If-Modified-Since": DATE}, 304, None, DATE, False),
        ({"If-Modified-Since": DATE}, 200, None, LATER, False),
        ({}, 200, '"v1"', DATE, False),
        ({}, 304, '"v1"', DATE, False),
    ],
)
def test_a_response_contradicts_only_the_condition_that_its_status_is_about(
    conditions: dict[str, str], status: int, etag: str | None, last_modified: str | None, expected: bool
) -> None:
    assert contradicts(conditions, status, etag, last_modified) is expected
