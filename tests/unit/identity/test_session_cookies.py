"""What exactly a session's cookie says, and which cookies are cleared when a new session begins."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import InvalidCredentialsError, TooManyGroupsError
from gateway.group_selection import GroupSelection
from gateway.identity.session import Sessions
from gateway.identity.session_claims import VERSION, to_claims
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


def test_a_cookie_of_an_earlier_version_is_no_session(fixture: SessionsFixture) -> None:
    sessions, session = fixture.sessions(), replace(ANNA, session="s", issued_at=fixture.clock.now())
    content = to_claims(replace(session, expires_at=fixture.clock.now() + HOUR, used_at=fixture.clock.now()))
    for version, valid in ((VERSION, True), (VERSION - 1, False)):
        value = SealedTokens((ONE,), "session", version).seal(content)
        assert (only(sessions, Credentials(sessions={NAME: Secret(value)})) is not None) is valid


def test_the_id_of_a_session_has_128_random_bits(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    ids = {session_of(sessions, sessions.issue_header(ANNA)).session or "" for _ in range(20)}
    assert len(ids) == 20
    assert {len(one) for one in ids} == {22}


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


async def cleared(sessions: Sessions, present: Credentials, identity: Identity) -> list[str]:
    """Returns the names of the cookies that the response to a ticket deletes."""
    return [pair(header)[0] for header in (await sessions.begin(present, identity))[:-1]]


async def test_the_oldest_narrowed_sessions_are_cleared_whatever_the_cookies_order(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    cookies = await narrowed(fixture, sessions, 10)
    names = list(cookies)
    assert await cleared(sessions, Credentials(sessions=cookies), ANNA) == [names[9], names[8], names[7]]
    assert await cleared(sessions, Credentials(sessions=dict(list(cookies.items())[:7])), ANNA) == []
    assert await cleared(sessions, Credentials(sessions=cookies), WIDE) == [names[9], names[8]]


async def test_a_further_ticket_deletes_the_cookie_that_it_replaces_and_no_other(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    cookies = await narrowed(fixture, sessions, 8)
    replaced = list(cookies)[4]
    assert await cleared(sessions, Credentials(sessions=cookies), replace(ANNA, recording="n3")) == [replaced]
    wide = dict([pair(sessions.issue_header(WIDE)), *cookies.items()])
    assert await cleared(sessions, Credentials(sessions=wide), replace(WIDE, groups=frozenset())) == []


async def test_cookies_that_cannot_be_decrypted_are_cleared_first(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    cookies = await narrowed(fixture, sessions, 7)
    unreadable = f"{NAME}_00000000"
    cookies = dict(list(cookies.items())[:3]) | {unreadable: Secret("x" * 20)} | dict(list(cookies.items())[3:])
    present = Credentials(sessions=cookies)
    assert await cleared(sessions, present, ANNA) == [unreadable] * 2  # with whichever attributes it was set


FILLER = f"{NAME}_00000000"


MANY = frozenset(hashlib.sha256(bytes([number])).hexdigest() for number in range(30))


@pytest.mark.parametrize("others", [0, 500, 3000])
@pytest.mark.parametrize("base", [False, True])
@pytest.mark.parametrize(
    ("new", "part"), [(ANNA, 2), (replace(ANNA, groups=MANY), 2), (WIDE, 1)], ids=["narrowed", "long", "not narrowed"]
)
async def test_a_narrowed_session_leaves_older_ones_half_of_the_room_another_one_all(
    fixture: SessionsFixture, new: Identity, part: int, base: bool, others: int
) -> None:
    """The other frames of a page have the other half. A session that is not narrowed takes up room, and is replaced by
    one that is not either."""
    sessions = fixture.sessions(keep_groups=GroupSelection(MANY))
    wide = [pair(sessions.issue_header(WIDE))] if base else []
    room = 7970 - others - sum(len(f"{one}={value.reveal()}; ") for one, value in wide if new is not WIDE)
    for beyond in (-40 // part, 40 // part):  # another cookie may compress a little less well
        length = (room - len(sessions.issue_header(new).partition(";")[0]) - 2) // part + beyond
        cookies = dict([*wide, (FILLER, Secret("x" * (length - len(f"{FILLER}=; "))))])
        header = "".join(f"{name}={value.reveal()}; " for name, value in cookies.items())
        present = Credentials(sessions=cookies, cookies=[header + "o" * others])
        assert await cleared(sessions, present, new) == ([FILLER] * 2 if beyond > 0 else [])


async def test_with_kerberos_a_cookie_header_may_be_longer(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions(max_header=MAX_FIELD_WITH_TICKETS)
    present = Credentials(sessions=await narrowed(fixture, sessions, 7), cookies=["o" * 15_000])
    assert await cleared(sessions, present, ANNA) == []


async def test_of_another_persons_cookies_the_new_one_is_not_cleared_again(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    cookies: dict[str, Any] = dict(pair(sessions.issue_header(one)) for one in (WIDE, ANNA))
    headers = await sessions.begin(Credentials(sessions=cookies), replace(WIDE, subject="ben"))
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
