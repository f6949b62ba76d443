"""Rules as the configuration has them: people of one provider, and days of a time zone."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.identity.service_key import ServiceKey
from gateway.model import Identity, IdentityKind
from gateway.rule_factory import rules_of
from gateway.rules import Rule, applies_to, is_in_force
from gateway.settings.grants import GrantSettings
from tests.unit.settings.broken import grant, server
from tests.unit.settings.configurations import GOOD, load_text


def rule(folder: Path, text: str) -> Rule:
    """Returns the first rule of the configuration *text*."""
    loaded = load_text(folder, text)
    assert loaded.settings is not None, loaded.faults
    return rules_of(loaded.settings)[0]


def person(provider: str, subject: str) -> Identity:
    return Identity(subject, f"https://{provider}", provider, IdentityKind.JWT)


@pytest.mark.promise("security-S14")
def test_nobody_is_a_person_of_another_provider_by_the_text_of_their_name(tmp_path: Path) -> None:
    named = rule(tmp_path, GOOD.replace('groups = ["supervisors"]', 'subjects = ["campus#anna", "nowhere#ben", "c#d"]'))
    assert applies_to(named, person("campus", "anna"))
    for provider, subject in (("portal", "campus#anna"), ("campus", "campus#anna"), ("portal", "anna")):
        assert not applies_to(named, person(provider, subject))
    # What names no provider is a name like any other.
    assert applies_to(named, person("portal", "nowhere#ben"))
    assert not applies_to(named, person("nowhere", "ben"))


@pytest.mark.promise("rules-days")
@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("UTC", "2027-06-30", "2027-06-30T00:00Z", 24),
        ("Europe/Berlin", "2027-06-30", "2027-06-29T22:00Z", 24),
        ("Europe/Berlin", "2027-03-28", "2027-03-27T23:00Z", 23),
        ("Europe/Berlin", "2027-10-31", "2027-10-30T22:00Z", 25),
        ("Asia/Kolkata", "2027-01-01", "2026-12-31T18:30Z", 24),
        ("Pacific/Kiritimati", "2027-01-01", "2026-12-31T10:00Z", 24),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00Z", 25),  # midnight occurs twice on this day
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00Z", 23),  # the day begins at 01:00
        ("America/Santiago", "2026-04-04", "2026-04-04T03:00Z", 25),  # its last hour occurs twice
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30Z", 23.5),
    ],
)
def test_a_day_is_whole_in_its_time_zone(tmp_path: Path, zone: str, day: str, begins: str, hours: float) -> None:
    text = grant(f"valid_from = {day}\nvalid_until = {day}")
    limited = rule(tmp_path, text.replace("[server]\n", f'[server]\ntimezone = "{zone}"\n'))
    begin = datetime.fromisoformat(begins).timestamp()
    assert (limited.valid_from, limited.valid_until) == (begin, begin + hours * 3600)
    assert [is_in_force(limited, None, begin + s) for s in (-1, 0, hours * 3600 - 1, hours * 3600)] == [0, 1, 1, 0]
    assert datetime.fromtimestamp(begin, ZoneInfo(zone)).date().isoformat() == day


def test_the_last_day_of_the_calendar_is_no_end(tmp_path: Path) -> None:
    limited = rule(tmp_path, grant("valid_from = 1971-01-01\nvalid_until = 9999-12-31"))
    assert limited.valid_until is None
    assert is_in_force(limited, None, datetime(9999, 12, 31, 23, tzinfo=UTC).timestamp())
    assert rule(tmp_path, grant("valid_until = 9999-12-30")).valid_until is not None
    assert rule(tmp_path, server('timezone = "Pacific/Kiritimati"')).valid_from is None
    days = GrantSettings(name="n", recordings=("*",), account="a", valid_until="9999-12-31")
    assert ServiceKey.with_last_day(days.valid_until, "k", "0" * 64, ()).expires_at is None
