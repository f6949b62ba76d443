"""Page numbers, addresses, times and durations of the list of recordings, without a server."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from gateway.recording_details import RecordingDetails
from gateway.web.handlers.listing import page_number, steps
from gateway.web.handlers.listing_query import ListingQuery
from gateway.web.handlers.login import own_path
from gateway.web.pages.wording import duration, local_time
from tests.unit.web.test_languages import LANGUAGES


@pytest.mark.parametrize(
    ("page", "last", "expected"),
    [
        (1, 0, []),
        (1, 1, [1]),
        (1, 3, [1, 2, 3]),
        (3, 5, [1, 2, 3, 4, 5]),
        (1, 400, [1, 2, None, 400]),
        (200, 400, [1, None, 199, 200, 201, None, 400]),
        (400, 400, [1, None, 399, 400]),
        (999_999, 2, [1, 2]),
    ],
)
def test_page_links_are_the_first_the_last_and_the_near_ones(page: int, last: int, expected: list[Any]) -> None:
    assert steps(page, last) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "1.5", "²", "٣", "9999999", " 2"])
def test_an_invalid_page_number_is_the_first_page(text: str) -> None:
    assert page_number(text) == 1
    assert page_number("12") == 12


def test_a_search_that_is_cut_reads_the_same_again() -> None:
    query = ListingQuery.parse({"q": "a" * 199 + " b"})
    assert ListingQuery.parse(query.parameters()) == query


@pytest.mark.parametrize("text", ["", "session 14", 'a&page=9#"<>[]{}|\\^`', "Séance à Besançon + suite", "../\r\n\0%"])
def test_sign_in_can_lead_back_to_the_page_of_any_search(text: str) -> None:
    address = ListingQuery(text, date(2026, 3, 1), date(2026, 3, 2), text, text).address(3)
    assert own_path(address) == address


def test_an_address_has_only_the_parameters_that_differ_from_the_default() -> None:
    assert ListingQuery().address(1) == "/recordings"
    assert ListingQuery("a b").address(1) == "/recordings?q=a+b"
    assert ListingQuery("a&b").address(2) == "/recordings?q=a%26b&page=2"
    query = {"since": "2026-03-01", "until": "2026-03-31", "room": "Room 1", "author": "smith"}
    path = "/recordings?since=2026-03-01&until=2026-03-31&room=Room+1&author=smith&page=2"
    assert ListingQuery.parse({**query, "q": " "}).address(2) == path


@pytest.mark.parametrize("day", ["", "yesterday", "2026-02-30", "26-2-1", "2026-03-01T00:00", "\u0662026-03-01"])
def test_a_day_that_is_none_does_not_limit_the_list(day: str) -> None:
    assert ListingQuery.parse({"since": day, "until": day}) == ListingQuery()


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ({}, True),
        ({"since": "2026-03-02"}, True),
        ({"since": "2026-03-03"}, False),
        ({"until": "2026-03-02"}, True),
        ({"until": "2026-03-01"}, False),
        ({"room": "ROOM"}, True),
        ({"room": "suite"}, False),
        ({"author": "OBERMÜLLER"}, True),
        ({"author": "smith"}, False),
        ({"since": "0001-01-01", "until": "9999-12-31", "room": "1", "author": "dr."}, True),
    ],
)
def test_filters_compare_days_in_the_time_zone_and_parts_of_names(query: dict[str, str], matches: bool) -> None:
    created = datetime(2026, 3, 1, 23, 30, tzinfo=UTC).timestamp()
    row = RecordingDetails("1", room="Room 1", author="Dr. Obermüller", created=created)
    assert ListingQuery.parse(query).matches(row, timezone(timedelta(hours=1))) is matches


def test_a_recording_without_a_date_matches_no_day() -> None:
    assert not ListingQuery(since=date(1970, 1, 1)).matches(RecordingDetails("1"), UTC)
    assert ListingQuery(text="any").matches(RecordingDetails("1"), UTC)


def test_the_search_in_valt_has_a_day_more_on_each_side() -> None:
    query = ListingQuery.parse({"q": "a", "since": "2026-03-01", "until": "2026-12-31"})
    assert query.for_valt() == {"search": "a", "start_date": "02-28-2026", "end_date": "01-01-2027"}
    assert ListingQuery.parse({"since": "0001-01-01", "until": "9999-12-31"}).for_valt() == {}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0:00"),
        (23.6, "0:23"),
        (754, "12:34"),
        (3600, "1:00:00"),
        (3725, "1:02:05"),
        (90_000, "25:00:00"),
    ],
)
def test_a_duration_is_written_as_positions_are(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "6 March 2025, 15:18 UTC"),
        ("de", "6. März 2025, 15:18 UTC"),
        ("es", "6 de marzo de 2025, 15:18 UTC"),
    ],
)
def test_a_time_is_written_in_each_language_with_its_zone(language: str, expected: str) -> None:
    assert local_time("2025-03-06T15:18:00Z", LANGUAGES[language]["page"], UTC) == expected
    summer = timezone(timedelta(hours=2), "CEST")
    assert local_time("2025-03-06T15:18:00Z", LANGUAGES[language]["page"], summer).endswith(" 17:18 CEST")


def test_every_language_has_twelve_months() -> None:
    assert all(len(set(texts["page"]["months"].split())) == 12 for texts in LANGUAGES.values())
