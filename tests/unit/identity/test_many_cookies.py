"""Cookies with generated names: a request has as many of them read as a browser can present, whatever it sends."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from gateway.identity.login_state import LoginStates
from gateway.identity.session import Sessions
from gateway.model import Credentials, Identity, IdentityKind, Secret
from gateway.web.http_server import MAX_FIELD, MAX_FIELD_WITH_TICKETS
from tests.unit.identity.test_session import ANNA, WIDE, SessionsFixture, only

SESSION = "__Host-valt_gateway_session"
BINDING = "__Host-valt_gateway_sign_in"
LENGTHS = {"short": 16, "as short as a session": 200, "usual": 300}
STATES = LoginStates((Secret("a secret of more than thirty-two bytes"),), secure=True)
NOW = 1_800_000_000.0

pytestmark = pytest.mark.promise("security-S4")


@pytest.fixture
def fixture() -> SessionsFixture:
    return SessionsFixture()


def pair(set_cookie: str) -> str:
    """Returns the cookie of a Set-Cookie header as a browser sends it."""
    return set_cookie.partition(";")[0]


def fields(cookies: Iterable[str]) -> list[str]:
    """Returns *cookies* in as many Cookie headers as they need."""
    headers = [""]
    for cookie in cookies:
        if len(headers[-1]) + len(cookie) + 2 > MAX_FIELD:
            headers.append("")
        headers[-1] += f"; {cookie}" if headers[-1] else cookie
    return headers


def junk(name: str, count: int, value: str) -> list[str]:
    return [f"{name}_{number:08x}={value}" for number in range(count)]


def junk_header(name: str, value: str, room: int) -> list[str]:
    """Returns as many cookies as fit into one Cookie header beside *room* bytes."""
    return junk(name, (MAX_FIELD - room) // (len(f"{name}_00000000={value}") + 2), value)


def credentials_of(sessions: Sessions, headers: list[str]) -> Credentials:
    return Credentials(sessions=sessions.read(headers), cookies=headers)


@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)
async def test_of_hundreds_of_session_cookies_few_are_decrypted(fixture: SessionsFixture, length: int) -> None:
    sessions = fixture.sessions()
    headers = fields(junk(SESSION, 600, "gAAAAA".ljust(length, "A")))
    credentials = credentials_of(sessions, headers)
    assert len(credentials.sessions) <= 36
    assert sessions.identities(credentials) == ()
    _, cleared = await sessions.end(credentials)
    assert len(cleared) <= 1 + 2 * 36


@pytest.mark.promise("sign-in-16")
@pytest.mark.parametrize("position", ["first", "middle", "last"])
@pytest.mark.parametrize("narrowed", [True, False], ids=["narrowed", "not narrowed"])
@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)
async def test_no_number_of_other_cookies_hides_a_session(
    fixture: SessionsFixture, length: int, narrowed: bool, position: str
) -> None:
    sessions = fixture.sessions()
    real = pair(sessions.issue_header(ANNA if narrowed else WIDE))
    cookies = junk_header(SESSION, "gAAAAA".ljust(length, "A"), len(real) + 2)
    cookies.insert({"first": 0, "middle": len(cookies) // 2, "last": len(cookies)}[position], real)
    (header,) = fields(cookies)
    credentials = credentials_of(sessions, [header])
    session = only(sessions, credentials)
    assert session is not None
    assert (session.subject, session.is_narrowed) == ("anna", narrowed)
    ended, _ = await sessions.end(credentials)
    assert ended == (session,)
    assert only(sessions, credentials) is None


async def test_all_sessions_of_a_full_header_are_read_and_signed_out(fixture: SessionsFixture) -> None:
    """Those of frames that are opened at the same moment are more than a browser keeps afterwards."""
    sessions = fixture.sessions()
    cookies = [pair(sessions.issue_header(replace(ANNA, recording=str(number)))) for number in range(100)]
    header = fields(cookies)[0]
    credentials = credentials_of(sessions, [header])
    assert len(sessions.identities(credentials)) == header.count(f"{SESSION}_") > 15
    await sessions.end(credentials)
    assert sessions.identities(credentials) == ()


async def test_all_sessions_of_a_header_as_long_as_kerberos_needs_it_are_signed_out(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions(max_header=MAX_FIELD_WITH_TICKETS)
    cookies = [pair(sessions.issue_header(replace(ANNA, recording=str(number)))) for number in range(50)]
    header = "; ".join(cookies)
    assert MAX_FIELD < len(header) < MAX_FIELD_WITH_TICKETS
    credentials = credentials_of(sessions, [header])
    assert len(sessions.identities(credentials)) == 50
    _, cleared = await sessions.end(credentials)
    assert len(cleared) == 51
    assert sessions.identities(credentials) == ()


async def test_a_sign_out_ends_copies_that_collide_in_a_full_header(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    copies = [pair(sessions.issue_header(WIDE)) for _ in range(2)]
    filler = junk_header(SESSION, "A" * 200, sum(map(len, copies)) + 4)
    (header,) = fields([copies[0], *filler, copies[1]])
    credentials = credentials_of(sessions, [header])
    assert sessions.identities(credentials) == ()
    await sessions.end(credentials)
    for copy in copies:
        assert only(sessions, credentials_of(sessions, [copy])) is None


def test_no_session_is_shorter_than_what_is_read(fixture: SessionsFixture) -> None:
    """The cookie of the least that a session can say."""
    sessions = fixture.sessions()
    least = Identity("a", "", "", IdentityKind.SESSION)
    values = [pair(sessions.issue_header(least)).partition("=")[2] for _ in range(200)]
    for value in values:
        assert list(sessions.read([f"{SESSION}={value}"])) == [SESSION]


def test_of_hundreds_of_sign_ins_few_are_read() -> None:
    """They are answered by as many Set-Cookie headers that clear them."""
    for value in ("A" * 16, "1800000000" + "A" * 22):
        headers = fields(junk(BINDING, 600, value))
        _, set_cookies = STATES.begin(headers, "campus", "/", NOW)
        assert len(set_cookies) <= 1 + 128 - 32


@pytest.mark.promise("sign-in-16")
@pytest.mark.parametrize("position", ["first", "last"])
@pytest.mark.parametrize("value", ["A" * 16, "9999999999" + "A" * 22])
def test_no_number_of_other_cookies_hides_the_start_of_a_sign_in(value: str, position: str) -> None:
    attempt, (set_cookie,) = STATES.begin([], "campus", "/", NOW)
    real = pair(set_cookie)
    cookies = junk_header(BINDING, value, len(real) + 2)
    cookies.insert(0 if position == "first" else len(cookies), real)
    (header,) = fields(cookies)
    assert STATES.is_bound([header], attempt)


@pytest.mark.promise("sign-in-16")
def test_cookies_that_another_site_may_set_do_not_count_as_starts_of_a_sign_in() -> None:
    """Only the gateway can set names with the prefix, and a longer header is accepted where Kerberos is configured."""
    attempt, (set_cookie,) = STATES.begin([], "campus", "/", NOW)
    tossed = junk(BINDING.removeprefix("__Host-"), 300, "9999999999" + "A" * 22)
    assert STATES.is_bound(["; ".join([pair(set_cookie), *tossed])], attempt)
