"""How many session cookies a browser keeps, at each limit, and which of them count as the older ones."""

import math
from dataclasses import replace

import pytest

from gateway.identity.replaced_sessions import ReplacedSessions
from gateway.identity.session_cookie import SessionCookie
from gateway.identity.session_limits import limits_of_ticket, names_to_clear
from tests.support.clock import ManualClock
from tests.unit.identity.test_session import ANNA

pytestmark = pytest.mark.promise("security-S2")

LENGTHS = {"base": 100, "a": 100, "b": 100, "own": 100}
TIMES = {"a": 2.0, "b": 1.0, "own": 0.0}


@pytest.mark.parametrize(
    ("most", "longest", "cleared"),
    [
        (3, 400, []),
        (2, 400, ["b"]),
        (1, 400, ["b", "a"]),
        (0, 400, ["b", "a"]),
        (3, 399, ["b"]),
        (3, 300, ["b"]),
        (3, 299, ["b", "a"]),
        (3, 0, ["b", "a"]),
    ],
)
def test_the_oldest_are_cleared_by_number_and_by_length(most: int, longest: int, cleared: list[str]) -> None:
    assert names_to_clear(LENGTHS, TIMES, "own", "base", most=most, longest=longest) == cleared


def test_without_a_limit_nothing_is_cleared_and_what_has_no_time_is_first() -> None:
    assert names_to_clear(LENGTHS, TIMES, "own", "base") == []
    assert names_to_clear({**LENGTHS, "z": 100}, TIMES, "own", "base", most=3) == ["z"]


@pytest.mark.parametrize(
    ("length", "others", "is_new", "limits"),
    [
        (4600, 0, True, (math.inf, 6000)),
        (4601, 0, True, (8, 6000)),
        (4000, 601, True, (8, 6000)),
        (100, 2100, True, (math.inf, 6000)),
        (100, 2101, True, (math.inf, 5999)),
        (7000, 500, False, (math.inf, 7600)),
    ],
)
def test_a_ticket_leaves_room_for_those_of_its_page(
    length: int, others: int, is_new: bool, limits: tuple[float, float]
) -> None:
    assert limits_of_ticket({"own": length}, others, 8100, is_new=is_new) == limits


def test_a_cookie_header_has_room_for_a_renewed_cookie() -> None:
    assert SessionCookie(secure=True, cross_site=False, max_header=8190).longest_header == 8100


def test_what_was_replaced_is_as_old_as_its_replacement() -> None:
    clock = ManualClock()
    sessions = ReplacedSessions(clock)
    one, two, three = (replace(ANNA, session=name, issued_at=10.0) for name in ("one", "two", "three"))
    sessions.replace(one, 20.0)
    sessions.delete(two)
    assert sessions.issued_at({"x": one, "y": two, "z": three}) == {"x": 20.0, "y": 10.0, "z": 10.0}
    assert [sessions.is_deleted(session) for session in (one, two, three)] == [False, True, False]
    assert [sessions.is_gone(session) for session in (one, two, three)] == [True, True, False]
    assert not sessions.is_gone(replace(one, issued_at=20.0))
    clock.pass_(120)
    assert not any(sessions.is_gone(session) or sessions.is_deleted(session) for session in (one, two, three))
