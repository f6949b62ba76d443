"""Sessions after `server.cors_origins` has changed: the cookie's other variant is a second cookie of the same name."""

from dataclasses import replace

import pytest

from gateway.identity.session import Sessions
from gateway.model import Credentials
from tests.unit.identity.test_session import ANNA, HOUR, WIDE, SessionsFixture

LIMITS = [WIDE, ANNA]
pytestmark = [pytest.mark.promise("sign-in-7"), pytest.mark.parametrize("listed", [True, False], ids=["add", "remove"])]


class Variants:
    """A browser's cookies: a partitioned one and another one of the same name are two (Chromium)."""

    def __init__(self) -> None:
        self.cookies: dict[tuple[str, bool], str] = {}

    def store(self, headers: list[str]) -> None:
        for header in headers:
            name, _, value = header.partition(";")[0].partition("=")
            if "; Max-Age=0;" in header:
                self.cookies.pop((name, "Partitioned" in header), None)
            else:
                self.cookies[name, "Partitioned" in header] = value

    def credentials(self, sessions: Sessions) -> Credentials:
        header = "; ".join(f"{name}={value}" for (name, _), value in self.cookies.items())
        return Credentials(sessions=sessions.read([header]), cookies=[header])


@pytest.fixture
def fixture() -> SessionsFixture:
    return SessionsFixture()


async def test_a_further_ticket_leaves_one_cookie_of_each_name(fixture: SessionsFixture, listed: bool) -> None:
    before, after = fixture.sessions(cross_site=not listed), fixture.sessions(cross_site=listed)
    browser = Variants()
    for identity in LIMITS:
        browser.store(await before.begin(browser.credentials(before), identity))
    for identity in LIMITS:
        browser.store(await after.begin(browser.credentials(after), identity))
        assert len(after.identities(browser.credentials(after))) == len(browser.cookies) == 2


async def test_a_renewal_leaves_one_cookie_of_each_name(fixture: SessionsFixture, listed: bool) -> None:
    before, after = fixture.sessions(cross_site=not listed), fixture.sessions(cross_site=listed)
    browser = Variants()
    for identity in LIMITS:
        browser.store(await before.begin(browser.credentials(before), identity))
    for expected in (4, 2):  # headers: the variant changes once
        fixture.clock.pass_(HOUR / 2)
        headers = [
            header
            for session in after.identities(browser.credentials(after))
            for header in after.refresh_headers(session)
        ]
        assert len(headers) == expected
        browser.store(headers)
        assert len(after.identities(browser.credentials(after))) == len(browser.cookies) == 2


async def test_a_sign_out_deletes_the_cookies_of_before(fixture: SessionsFixture, listed: bool) -> None:
    before, after = fixture.sessions(cross_site=not listed), fixture.sessions(cross_site=listed)
    browser = Variants()
    for identity in LIMITS:
        browser.store(await before.begin(browser.credentials(before), identity))
    _, cleared = await after.end(browser.credentials(after))
    browser.store(cleared)
    assert browser.cookies == {}


async def test_another_persons_sign_in_deletes_the_cookies_of_before(fixture: SessionsFixture, listed: bool) -> None:
    before, after = fixture.sessions(cross_site=not listed), fixture.sessions(cross_site=listed)
    browser = Variants()
    for identity in LIMITS:
        browser.store(await before.begin(browser.credentials(before), identity))
    browser.store(await after.begin(browser.credentials(after), replace(WIDE, subject="ben")))
    (session,) = after.identities(browser.credentials(after))
    assert (session.subject, len(browser.cookies)) == ("ben", 1)


async def test_narrowed_sessions_of_before_make_room_for_new_ones(fixture: SessionsFixture, listed: bool) -> None:
    before, after = fixture.sessions(cross_site=not listed), fixture.sessions(cross_site=listed)
    browser = Variants()
    for number in range(8):
        browser.store(await before.begin(browser.credentials(before), replace(ANNA, recording=f"n{number}")))
    fixture.clock.pass_(1)
    browser.store(await after.begin(browser.credentials(after), ANNA))
    assert len(after.identities(browser.credentials(after))) == len(browser.cookies) == 8
    browser.store(after.clear_narrowed(browser.credentials(after).cookies))
    assert browser.cookies == {}


def test_a_narrowed_cookie_is_deleted_in_each_variant_that_it_may_have(fixture: SessionsFixture, listed: bool) -> None:
    sessions = fixture.sessions(cross_site=listed)
    cookie = sessions.issue_header(ANNA).partition(";")[0]
    (deletion,) = sessions.clear_narrowed([cookie])
    assert "; Max-Age=0;" in deletion
    assert ("Partitioned" in deletion) is listed
    both = sessions.clear_narrowed([f"{cookie}; {cookie}"])  # a browser with both presents two of one name
    assert sorted("Partitioned" in header for header in both) == [False, True]


async def test_a_browser_that_holds_both_variants_is_mended(fixture: SessionsFixture, listed: bool) -> None:
    """As a response leaves them that was made before a reload and arrives after it."""
    sessions = fixture.sessions(cross_site=listed)
    browser = Variants()
    for variant in (False, True):
        browser.store([fixture.sessions(cross_site=variant).issue_header(WIDE)])
    assert len(browser.cookies) == 2
    assert sessions.identities(browser.credentials(sessions)) == ()
    both = dict(browser.cookies)
    browser.store(await sessions.begin(browser.credentials(sessions), WIDE))
    assert [listed] == [variant for _, variant in browser.cookies]
    assert len(sessions.identities(browser.credentials(sessions))) == 1
    browser.cookies = both
    _, cleared = await sessions.end(browser.credentials(sessions))
    browser.store(cleared)
    assert browser.cookies == {}
