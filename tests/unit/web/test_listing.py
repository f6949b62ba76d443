"""Page numbers, addresses, times and durations of the list of recordings, without a server."""

from datetime import UTC, timedelta, timezone
from typing import Any

import pytest

from gateway.web.handlers.listing import address, page_number, steps
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


@pytest.mark.parametrize("text", ["", "session 14", 'a&page=9#"<>[]{}|\\^`', "Séance à Besançon + suite", "../\r\n\0%"])
def test_sign_in_can_lead_back_to_the_page_of_any_search(text: str) -> None:
    assert own_path(address(text, 3)) == address(text, 3)


def test_an_address_has_only_the_parameters_that_differ_from_the_default() -> None:
    assert address("", 1) == "/recordings"
    assert address("a b", 1) == "/recordings?q=a+b"
    assert address("a&b", 2) == "/recordings?q=a%26b&page=2"


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
