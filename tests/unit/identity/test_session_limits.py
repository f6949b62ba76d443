"""How many session cookies a browser keeps, at each limit, and which deleted ones are remembered."""

from dataclasses import replace

import pytest

from gateway.identity.deleted_cookies import DeletedCookies
from gateway.identity.session_cookie import SessionCookie
from gateway.identity.session_limits import names_to_clear
from gateway.model import Credentials, Secret
from tests.support.clock import ManualClock
from tests.unit.identity.test_session import ANNA

pytestmark = pytest.mark.promise("security-S2")

LENGTHS = {"a": 100, "b": 100, "c": 100}
TIMES = {"a": 2.0, "b": 1.0, "c": 3.0}


@pytest.mark.parametrize(
    ("most", "longest", "cleared"),
    [
        (3, 300, []),
        (2, 300, ["b"]),
        (1, 300, ["b", "a"]),
        (0, 300, ["b", "a", "c"]),
        (3, 299, ["b"]),
        (3, 200, ["b"]),
        (3, 199, ["b", "a"]),
        (3, -1, ["b", "a", "c"]),
    ],
)
def test_the_oldest_are_cleared_by_number_and_by_length(most: int, longest: int, cleared: list[str]) -> None:
    assert names_to_clear(LENGTHS, TIMES, most=most, longest=longest) == cleared


def test_a_cookie_that_cannot_be_decrypted_is_cleared_first() -> None:
    assert names_to_clear({**LENGTHS, "z": 100}, TIMES, most=3, longest=400) == ["z"]


def test_a_cookie_header_has_room_for_renewed_cookies_and_its_own_name() -> None:
    cookie = SessionCookie(secure=True, cross_site=False, max_header=8190)
    assert cookie.longest_header == 7970
    assert cookie.longest_header + 8 * 24 + len("Cookie: \r\n") < 8190


def test_other_cookies_count_as_bytes() -> None:
    cookie = SessionCookie(secure=True, cross_site=False, max_header=8190)
    header = bytes.fromhex("e58c96c3a4ff").decode("utf-8", "surrogateescape")
    present = Credentials(sessions={"name": Secret("value")}, cookies=[f"name=value; {header}"])
    assert cookie.lengths(present) == ({"name": len("name=value; ")}, 6)
    assert cookie.lengths(Credentials(sessions={"name": Secret("value")})) == ({"name": len("name=value; ")}, 0)


def test_a_narrowed_session_has_a_name_of_its_own_that_no_renewal_changes() -> None:
    cookie = SessionCookie(secure=True, cross_site=False, max_header=8190)
    session = replace(ANNA, session="one", issued_at=10.0, used_at=10.0)
    others = [
        replace(session, recording="8"),
        replace(session, video="8"),
        replace(session, session="two"),
        replace(session, issued_at=11.0),
    ]
    assert len({cookie.name(one) for one in [session, *others]}) == 5
    assert cookie.name(replace(session, used_at=20.0)) == cookie.name(session) == cookie.key(session)
    wide = replace(session, recording=None, video=None)
    assert cookie.name(wide) == cookie.base != cookie.key(wide)


def test_deleted_cookies_are_remembered_for_two_minutes() -> None:
    clock = ManualClock()
    deleted = DeletedCookies(clock)
    deleted.add(["a", "b"])
    deleted.add_unread(["c"])
    clock.pass_(119)
    assert [key in deleted for key in "abcd"] == [True, True, True, False]
    clock.pass_(1)
    assert not any(key in deleted for key in "abcd")


def test_names_that_anybody_can_write_displace_no_deleted_cookie() -> None:
    deleted = DeletedCookies(ManualClock())
    deleted.add(["a"])
    deleted.add_unread(map(str, range(20_000)))
    assert "a" in deleted
    assert "0" not in deleted
    assert repr(deleted) == "<DeletedCookies count=1 unread=10000>"
