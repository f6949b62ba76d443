"""What exactly a session's cookie says, and which cookies are cleared when a new session begins."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import InvalidCredentialsError, TooManyGroupsError
from gateway.group_selection import GroupSelection
from gateway.identity.session import Sessions
from gateway.model import Credentials, Identity, IdentityKind, Secret
from gateway.sealed import SealedTokens, secret_id
from gateway.web.http_server import MAX_FIELD_WITH_TICKETS
from tests.support.clock import TickingClock
from tests.support.cookie_jar import CookieJar
from tests.unit.identity.test_session import ANNA, HOUR, ONE, TWO, WIDE, SessionsFixture, credentials_of, only

NAME = "__Host-valt_gateway_session"


@pytest.fixture
def fixture() -> SessionsFixture:
    return SessionsFixture()


def session_of(sessions: Sessions, header: str | None) -> Identity:
    session = only(sessions, credentials_of(sessions, header))
    assert session is not None
    return session


def pair(header: str) -> tuple[str, Secret]:
    """Returns name and value of the cookie in a Set-Cookie header."""
    name, _, value = header.partition(";")[0].partition("=")
    return name, Secret(value)


def test_a_session_states_all_that_a_request_needs_to_know(fixture: SessionsFixture) -> None:
    selection = GroupSelection(frozenset({"supervisors"}), frozenset({"banned"}))
    sealing, now = fixture.sessions(TWO, ONE, keep_groups=selection), fixture.clock.now()
    header = sealing.issue_header(replace(ANNA, revocation_keys=("a", "b")), "the id")
    assert session_of(fixture.sessions(TWO, ONE), header) == Identity(
        "anna",
        "https://portal.example.edu",
        "portal",
        IdentityKind.SESSION,
        frozenset({"supervisors"}),
        issued_at=now,
        leeway=0.0,
        expires_at=now + 8 * HOUR,
        ends_at=now + 8 * HOUR,
        recording="7",
        video="9",
        session="the id",
        used_at=now,
        revocation_keys=("a", "b"),
        sealed_by=secret_id(TWO),
        selection=selection.digest,
        cross_site=False,
    )


@pytest.mark.parametrize(
    ("issued", "leeway", "expected"), [(None, 5.0, 0.0), (-10.0, 5.0, 15.0), (3.0, 5.0, 2.0), (20.0, 5.0, 0.0)]
)
def test_a_session_remembers_for_how_long_its_proof_may_have_existed(
    fixture: SessionsFixture, issued: float | None, leeway: float, expected: float
) -> None:
    sessions = fixture.sessions()
    issued_at = None if issued is None else fixture.clock.now() + issued
    proof = replace(ANNA, issued_at=issued_at, leeway=leeway)
    assert session_of(sessions, sessions.issue_header(proof)).leeway == expected


def test_a_cookie_of_an_earlier_version_has_no_leeway_and_no_selection(fixture: SessionsFixture) -> None:
    sessions, now = fixture.sessions(), fixture.clock.now()
    old = {"id": "s", "sub": "anna", "iss": ANNA.issuer, "prv": "portal", "grp": [], "iat": now, "exp": now + HOUR}
    value = SealedTokens((ONE,), "session", 3).seal({**old, "use": now, "rec": None, "vid": None, "out": []})
    session = only(sessions, Credentials(sessions={NAME: Secret(value)}))
    assert session is not None
    assert (session.leeway, session.selection, session.expires_at) == (0.0, "", now + HOUR)


def test_the_id_of_a_session_has_128_random_bits(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    ids = {session_of(sessions, sessions.issue_header(ANNA)).session or "" for _ in range(20)}
    assert len(ids) == 20
    assert {len(one) for one in ids} == {22}


@pytest.mark.parametrize(("recording", "video"), [("7", "9"), ("7", None), (None, "9")])
def test_the_name_of_a_narrowed_session_has_a_digest_of_its_limits(
    fixture: SessionsFixture, recording: str | None, video: str | None
) -> None:
    header = fixture.sessions().issue_header(replace(ANNA, recording=recording, video=video))
    digest = hashlib.sha256(f"{recording or ''}/{video or ''}".encode()).hexdigest()[:8]
    assert pair(header)[0] == f"{NAME}_{digest}"


def test_groups_that_do_not_fit_are_an_error_for_the_operator_to_read(fixture: SessionsFixture) -> None:
    groups = frozenset(hashlib.sha256(bytes([number])).hexdigest() for number in range(200))
    sessions = fixture.sessions(keep_groups=GroupSelection(groups))
    reason = "^the groups of this person that rules name do not fit into a session cookie$"
    with pytest.raises(TooManyGroupsError, match=reason):
        sessions.issue_header(replace(ANNA, groups=groups))


async def test_a_session_does_not_begin_from_what_is_no_longer_valid(fixture: SessionsFixture) -> None:
    with pytest.raises(InvalidCredentialsError, match=r"^its provider is no longer configured$"):
        await fixture.sessions().begin(Credentials(), replace(ANNA, provider="gone"))


def test_only_a_session_with_a_time_of_use_is_renewed(fixture: SessionsFixture) -> None:
    sessions, now = fixture.sessions(), fixture.clock.now()
    assert sessions.refresh_headers(replace(ANNA, session="s", used_at=None)) == []
    assert sessions.refresh_headers(replace(ANNA, session=None, used_at=now - HOUR)) == []
    used = replace(ANNA, session="s", used_at=now - HOUR, issued_at=now - HOUR, cross_site=False)
    (header,) = sessions.refresh_headers(replace(used, expires_at=now + 7.9))
    assert "; Max-Age=7; " in header


def test_a_session_that_plays_is_not_idle(fixture: SessionsFixture) -> None:
    header = fixture.sessions().issue_header(ANNA, "playing")
    played_at = fixture.clock.now() + HOUR
    playing = fixture.sessions(used_at=lambda session: played_at if session == "playing" else None)
    fixture.clock.pass_(2 * HOUR - 1)
    assert session_of(playing, header).session == "playing"
    assert only(fixture.sessions(), credentials_of(playing, header)) is None
    fixture.clock.pass_(1)
    assert only(playing, credentials_of(playing, header)) is None


async def narrowed(fixture: SessionsFixture, sessions: Sessions, count: int) -> dict[str, Secret]:
    """Returns the cookies of so many narrowed sessions, the newest first."""
    cookies = []
    for number in range(count):
        fixture.clock.pass_(1)
        cookies.append(pair(sessions.issue_header(replace(ANNA, recording=f"n{number}"))))
    return dict(reversed(cookies))


def cleared(sessions: Sessions, cookies: dict[str, Secret], identity: Identity) -> list[str]:
    """Returns the names of the cookies that the response to a request with *cookies*, served by *identity*, deletes."""
    return [pair(header)[0] for header in sessions.clear_surplus(Credentials(sessions=cookies), identity)]


async def test_the_oldest_narrowed_sessions_are_cleared_whatever_the_cookies_order(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    cookies = await narrowed(fixture, sessions, 10)
    names, newest = list(cookies), replace(ANNA, recording="n9")
    assert cleared(sessions, cookies, newest) == [names[9], names[8]]
    assert cleared(fixture.sessions(), dict(list(cookies.items())[:8]), newest) == []
    wide = dict([pair(sessions.issue_header(WIDE)), *cookies.items()])
    assert cleared(fixture.sessions(), wide, WIDE) == [names[9], names[8]]


async def test_the_session_that_serves_a_request_is_not_cleared(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    cookies = await narrowed(fixture, sessions, 9)
    oldest = replace(ANNA, recording="n0")
    assert cleared(sessions, cookies, oldest) == [list(cookies)[7]]


async def test_what_was_lately_cleared_costs_no_further_session(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    cookies = await narrowed(fixture, sessions, 9)
    newest = replace(ANNA, recording="n8")
    assert cleared(sessions, cookies, newest) == [list(cookies)[8]]
    assert cleared(sessions, cookies, newest) == []  # the browser may have another one under that name
    assert cleared(sessions, cookies, replace(ANNA, recording="n0")) == []  # served by the one that was cleared
    fixture.clock.pass_(121)
    assert cleared(sessions, cookies, newest) == [list(cookies)[8]]


async def test_a_ticket_deletes_no_cookie_that_another_frame_may_be_given(fixture: SessionsFixture) -> None:
    """The responses to a page's frames arrive in any order, over several connections."""
    sessions = fixture.sessions()
    cookies = await narrowed(fixture, sessions, 10)
    assert [pair(one)[0] for one in await sessions.begin(Credentials(sessions=cookies), WIDE)] == [NAME]


async def test_cookies_that_cannot_be_read_are_cleared_first(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    cookies = await narrowed(fixture, sessions, 8)
    unreadable = f"{NAME}_00000000"
    cookies = dict(list(cookies.items())[:3]) | {unreadable: Secret("x" * 20)} | dict(list(cookies.items())[3:])
    newest = replace(ANNA, recording="n7")
    assert cleared(sessions, cookies, newest) == [unreadable] * 2  # with whichever attributes it was set


FILLER = f"{NAME}_00000000"


def filled(cookies: dict[str, Secret], length: int, others: int) -> Credentials:
    """Returns credentials of *length* characters of session cookies, with a further one beside *cookies*, and of
    *others* of other cookies."""
    cookies = {**cookies, FILLER: Secret("")}
    present = len("".join(f"{name}={value.reveal()}; " for name, value in cookies.items()))
    cookies[FILLER] = Secret("x" * (length - present))
    header = "".join(f"{name}={value.reveal()}; " for name, value in cookies.items())
    return Credentials(sessions=cookies, cookies=[header + "o" * others])


@pytest.mark.parametrize(
    ("others", "is_new", "limit"), [(0, False, 8100), (0, True, 6000), (500, False, 7600), (3000, True, 5100)]
)
async def test_a_ticket_makes_room_for_the_next_requests(
    fixture: SessionsFixture, others: int, is_new: bool, limit: int
) -> None:
    """Also for those of other frames of a page, if their cookies are new too."""
    for beyond in (-50, 50):  # a cookie may compress a little less well than the one before
        sessions = fixture.sessions()
        name, value = pair(sessions.issue_header(ANNA))
        own = len(f"{name}={value.reveal()}; ") if is_new else 0
        present = filled({} if is_new else {name: value}, limit + beyond - own, others)
        headers = await sessions.begin(present, ANNA)
        assert {pair(header)[0] for header in headers} == ({FILLER, name} if beyond > 0 else {name})


@pytest.mark.parametrize(("others", "is_cleared"), [(0, False), (2000, True)])
async def test_a_ninth_cookie_replaces_the_oldest_at_once_where_room_is_scarce(
    fixture: SessionsFixture, others: int, is_cleared: bool
) -> None:
    sessions = fixture.sessions()
    cookies = await narrowed(fixture, sessions, 8)
    header = "".join(f"{name}={value.reveal()}; " for name, value in cookies.items())
    present = Credentials(sessions=cookies, cookies=[header + "o" * others])
    headers = await sessions.begin(present, ANNA)
    assert [pair(header)[0] for header in headers[:-1]] == ([list(cookies)[7]] if is_cleared else [])
    renewed = await fixture.sessions().begin(present, replace(ANNA, recording="n3"))
    assert len(renewed) == 1  # the page's other frames renew theirs too


async def test_a_page_is_loaded_again_after_the_secret_was_replaced(fixture: SessionsFixture) -> None:
    groups = frozenset(hashlib.sha256(bytes([number])).hexdigest() for number in range(40))
    keep = GroupSelection(groups)
    frames = [replace(ANNA, recording=f"n{number}", groups=groups) for number in range(3)]
    cookies = dict(pair(fixture.sessions(ONE, keep_groups=keep).issue_header(frame)) for frame in frames)
    assert 6000 < sum(len(value.reveal()) for value in cookies.values()) < 8000
    headers = await fixture.sessions(TWO, keep_groups=keep).begin(Credentials(sessions=cookies), frames[1])
    assert {pair(header)[0] for header in headers} == {list(cookies)[1]}


async def test_a_session_that_is_not_narrowed_makes_room_for_none(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    wide, narrow = pair(sessions.issue_header(WIDE)), await narrowed(fixture, sessions, 1)
    present = Credentials(sessions=dict([wide, *narrow.items()]), cookies=["o" * 8000])
    headers = await sessions.begin(present, ANNA)
    assert [pair(header)[0] for header in headers[:-1]] == list(narrow)


async def test_with_kerberos_a_cookie_header_may_be_longer(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions(max_header=MAX_FIELD_WITH_TICKETS)
    cookies = await narrowed(fixture, sessions, 8)
    present = Credentials(sessions=cookies, cookies=["o" * 15_000])
    assert len(await sessions.begin(present, replace(ANNA, recording="n0"))) == 1


async def test_of_another_persons_cookies_the_new_one_is_not_cleared_again(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    cookies: dict[str, Any] = dict(pair(sessions.issue_header(one)) for one in (WIDE, ANNA))
    headers = await sessions.begin(Credentials(sessions=cookies), replace(ANNA, subject="ben"))
    assert sorted(pair(header)[0] for header in headers) == sorted(cookies)
    assert pair(headers[-1])[1].reveal()


def due_for_renewal(fixture: SessionsFixture, sessions: Sessions) -> tuple[Credentials, Identity]:
    """Returns what a browser presents with a request that begins now, and the session in it."""
    presented = credentials_of(sessions, sessions.issue_header(ANNA))
    fixture.clock.pass_(600)
    session = only(sessions, presented)
    assert session is not None
    assert sessions.refresh_headers(session) != []
    return presented, session


@pytest.mark.promise("security-S2")
async def test_a_session_that_a_further_ticket_continues_is_renewed(fixture: SessionsFixture) -> None:
    fixture.clock = TickingClock()
    sessions = fixture.sessions(idle=90.0)
    jar = CookieJar()
    jar.store(await sessions.begin(jar.credentials(sessions), ANNA))
    fixture.clock.pass_(20)
    jar.store(await sessions.begin(jar.credentials(sessions), ANNA))
    fixture.clock.pass_(20)
    session = only(sessions, jar.credentials(sessions))
    assert session is not None
    assert sessions.refresh_headers(session) != []


@pytest.mark.promise("security-S2")
async def test_a_session_that_ended_while_a_request_waited_is_not_renewed(fixture: SessionsFixture) -> None:
    """The media server may be slow to answer: the browser has another person's session by then."""
    sessions = fixture.sessions()
    presented, waiting = due_for_renewal(fixture, sessions)
    await sessions.begin(presented, replace(ANNA, subject="ben"))
    assert sessions.refresh_headers(waiting) == []
    assert fixture.sessions().refresh_headers(waiting) == []  # of a configuration that began meanwhile
    lasting = only(sessions, credentials_of(sessions, sessions.issue_header(ANNA)))
    assert lasting is not None
    fixture.clock.pass_(8 * HOUR)
    assert sessions.refresh_headers(lasting) == []


@pytest.mark.promise("security-S2")
async def test_a_session_that_was_replaced_in_the_browser_is_not_renewed(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    presented, waiting = due_for_renewal(fixture, sessions)
    newer = session_of(sessions, (await sessions.begin(presented, ANNA))[-1])
    assert newer.session == waiting.session
    assert sessions.refresh_headers(waiting) == []
    fixture.clock.pass_(119)
    assert sessions.refresh_headers(waiting) == []
    fixture.clock.pass_(500)
    assert sessions.refresh_headers(newer) != []
    assert sessions.refresh_headers(waiting) != []  # by now it is another browser's copy
