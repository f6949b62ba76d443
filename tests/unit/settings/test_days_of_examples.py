"""Examples without a day, of rules with days: time alone makes no file a fault without a warning before."""

from cProfile import Profile
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from gateway.cli.examples import try_examples
from tests.unit.settings.configurations import GOOD, load_text

pytestmark = pytest.mark.promise("rules-12")

UNTIL, FROM = "valid_until = 2027-03-31", "valid_from = 2027-02-01"
COURSE = (
    '[[grants]]\nname = "course"\ngroups = ["psy512"]\nrecordings = ["*"]\naccount = "reviewer"\ndownload = false\n{}\n'
)
REMEDY = "State the day for which it is meant, as day = {}."
EXAMPLE = '[[examples]]\nsubject = "carl"\ngroups = ["psy512"]\nrecording = "17"\nallowed = {}\n'


def course(days: str, allowed: str, more: str = "") -> str:
    zone = '[server]\ntimezone = "Europe/Berlin"\n'
    return GOOD.replace("[server]\n", zone) + COURSE.format(days) + EXAMPLE.format(allowed) + more


def findings(folder: Path, text: str, today: date) -> tuple[list[str], list[str]]:
    """Returns the faults and the warnings about examples, with *today* as the day in Berlin."""
    now = datetime(today.year, today.month, today.day, 11, tzinfo=UTC).timestamp()
    loaded = load_text(folder, text, try_examples=partial(try_examples, now=now))
    assert (loaded.settings is None) == bool(loaded.faults)
    warnings = [str(warning) for warning in loaded.warnings if warning.key.startswith("examples")]
    return [str(fault) for fault in loaded.faults], warnings


@pytest.mark.parametrize(
    ("days", "today", "when", "day"),
    [
        (UNTIL, date(2027, 4, 1), "held until 2027-03-31", "2027-03-31"),
        (UNTIL, date(2029, 4, 1), "held until 2027-03-31", "2027-03-31"),
        (FROM, date(2027, 1, 31), "holds from 2027-02-01 on", "2027-02-01"),
        (f"{FROM}\n{UNTIL}", date(2027, 1, 1), "holds from 2027-02-01 on", "2027-02-01"),
        (f"{FROM}\n{UNTIL}", date(2027, 4, 1), "held until 2027-03-31", "2027-03-31"),
    ],
)
def test_an_example_that_must_be_allowed_and_is_on_another_day_is_a_warning(
    tmp_path: Path, days: str, today: date, when: str, day: str
) -> None:
    faults, (warning,) = findings(tmp_path, course(days, "true"), today)
    assert faults == []
    assert f": {when}, and not today: it must be allowed and is denied: supervisors: " in warning
    assert warning.endswith(f"course: today is not between valid_from and valid_until. {REMEDY.format(day)}")


@pytest.mark.parametrize("today", [date(2027, 2, 1), date(2027, 3, 31)])
def test_an_example_that_holds_today_and_must_be_allowed_is_no_warning(tmp_path: Path, today: date) -> None:
    assert findings(tmp_path, course(f"{FROM}\n{UNTIL}", "true"), today) == ([], [])


def test_a_gap_between_two_courses_is_named_by_the_last_day_before_it(tmp_path: Path) -> None:
    second = COURSE.replace('"course"', '"second"').format("valid_from = 2027-10-01")
    _, (warning,) = findings(tmp_path, course(UNTIL, "true", second), date(2027, 5, 1))
    assert ": held until 2027-03-31, and not today: " in warning


def test_an_example_that_must_be_denied_names_the_day_from_which_it_will_be_a_fault(tmp_path: Path) -> None:
    text = course(FROM, "false")
    faults, (warning,) = findings(tmp_path, text, date(2027, 1, 31))
    assert faults == []
    wrong = "on the file is refused, because it must be denied and is allowed: rule course matches."
    assert warning == (
        f"examples.0 (line 30): holds until 2027-01-31: from 2027-02-01 {wrong} {REMEDY.format('2027-01-31')}"
    )
    (fault,), warnings = findings(tmp_path, text, date(2027, 2, 1))
    assert fault.startswith("examples.0 (line 30): must be denied and is allowed: rule course matches")
    assert warnings == []


def test_an_example_of_what_a_refusal_of_some_days_refuses_is_judged_alike(tmp_path: Path) -> None:
    refusal = f"{UNTIL}\nallow = false"
    everybody = COURSE.replace('"course"', '"all"').format("")
    text = course(refusal, "false", everybody)
    _, (warning,) = findings(tmp_path, text, date(2027, 3, 31))
    assert "holds until 2027-03-31: from 2027-04-01 on the file is refused" in warning
    faults, (warning,) = findings(tmp_path, text.replace("allowed = false", "allowed = true"), date(2027, 3, 31))
    assert faults == []
    assert "holds from 2027-04-01 on, and not today" in warning


@pytest.mark.parametrize(
    ("days", "today", "changed"),
    [
        (UNTIL, date(2027, 1, 1), {"allowed = true": "allowed = false"}),
        (FROM, date(2027, 1, 1), {"allowed = true": "allowed = true\nday = 2027-01-01"}),
        (FROM, date(2027, 1, 1), {'"carl"\ngroups = ["psy512"]': '"carl"\ngroups = ["psy513"]'}),
        (f'{FROM}\nrooms = ["Room 3"]', date(2027, 1, 1), {}),
    ],
)
def test_an_example_that_no_other_day_mends_is_a_fault(
    tmp_path: Path, days: str, today: date, changed: dict[str, str]
) -> None:
    text = course(days, "true")
    for old, new in changed.items():
        text = text.replace(old, new)
    faults, warnings = findings(tmp_path, text, today)
    assert len(faults) == 1
    assert warnings == []


def test_an_example_must_hold_at_every_provider_on_that_day(tmp_path: Path) -> None:
    second = '[[identity]]\ntype = "jwt"\nname = "login"\nissuer = "https://login.example.edu"\naudience = "gateway"\n'
    text = course(UNTIL, "true", second)
    _, (warning,) = findings(tmp_path, text, date(2027, 4, 1))
    assert "it must be allowed and is denied as campus#carl: " in warning
    text = text.replace('name = "course"\ngroups = ["psy512"]', 'name = "course"\nsubjects = ["campus#carl"]')
    (fault,), warnings = findings(tmp_path, text, date(2027, 4, 1))
    assert "must be allowed and is denied" in fault
    assert warnings == []


@pytest.mark.parametrize(
    ("of_weeks", "last", "examples", "expected"),
    [
        ('rooms = ["Room 3"]', "", 40, []),
        ('rooms = ["Room 3"]\nallow = false', COURSE.replace("course", "last").format('rooms = ["Room 3"]'), 40, []),
        ("allow = false", COURSE.replace("course", "last").format(""), 5, ["holds until 2030-10-31"]),
    ],
)
def test_examples_beside_rules_for_many_weeks_are_tried_in_few_steps(
    tmp_path: Path, of_weeks: str, last: str, examples: int, expected: list[str]
) -> None:
    text = GOOD
    for number in range(200):
        days = [date(2027, 1, 1) + timedelta(weeks=number + one) for one in (0, 1)]
        limits = f"valid_from = {days[0]}\nvalid_until = {days[1] - timedelta(days=1)}\n"
        text += COURSE.replace('"course"', f'"week{number}"').format(limits + of_weeks)
    text += last + examples * EXAMPLE.format("false")
    settings = load_text(tmp_path, text).settings
    assert settings is not None
    profile = Profile()
    results = profile.runcall(try_examples, settings, datetime(2027, 1, 4, tzinfo=UTC).timestamp())
    assert results.faults == []
    assert [warning.reason.partition(":")[0] for warning in results.warnings] == examples * expected
    calls = sum(entry.callcount for entry in profile.getstats())
    assert calls < 1_000_000  # with rules built anew for each day they are 10 to 90 million
