"""Sessions: what the cookies store, how long they are valid, and what ends them."""

import base64
import uuid
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import Any

import pytest
from cryptography.fernet import Fernet

from gateway.errors import BusyError, GatewayError, InvalidCredentialsError
from gateway.group_selection import GroupSelection
from gateway.identity.access_token import AccessTokens
from gateway.identity.logout import session_revocation_keys
from gateway.identity.service_key import ServiceKeys
from gateway.identity.session import Sessions
from gateway.model import Credentials, Identity, IdentityKind, Secret, Video
from gateway.store.memory import MemoryStore
from gateway.validity import Validity
from gateway.web.http_server import MAX_FIELD
from tests.support.clock import ManualClock
from tests.support.cookie_jar import CookieJar
from tests.support.validity import validity_of

ONE, TWO = Secret("one secret of the operator's"), Secret("another secret of the operator's")
ANNA = Identity(
    subject="anna",
    issuer="https://portal.example.edu",
    provider="portal",
    kind=IdentityKind.TICKET,
    groups=frozenset({"supervisors", "choir"}),
    recording="7",
    video="9",
)


WIDE = replace(ANNA, recording=None, video=None)
HOUR = 3600.0


class SessionsFixture:
    """Builds Sessions that share a clock and a store."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)

    def sessions(
        self,
        *secrets: Secret,
        secure: bool = True,
        validity: Validity | None = None,
        lifetime: float = 8 * HOUR,
        idle: float = HOUR,
        **changes: Any,
    ) -> Sessions:
        keep_groups = GroupSelection(frozenset({"supervisors"}))
        usual: dict[str, Any] = {"secure": secure, "keep_groups": keep_groups, "max_header": MAX_FIELD, **changes}
        valid = validity or validity_of(self.store, self.clock, [ANNA], secrets=(ONE, TWO, *secrets))
        return Sessions(secrets or (ONE,), lifetime, idle, self.clock, self.store, valid, **usual)


@pytest.fixture
def fixture() -> SessionsFixture:
    return SessionsFixture()


def credentials_of(sessions: Sessions, *headers: str | None) -> Credentials:
    """Returns the credentials of a browser that received *headers*."""
    jar = CookieJar()
    jar.store([header for header in headers if header is not None])
    return jar.credentials(sessions)


def only(sessions: Sessions, credentials: Credentials) -> Identity | None:
    """Returns the identity of the only valid session, or None."""
    identities = sessions.identities(credentials)
    assert len(identities) <= 1
    return identities[0] if identities else None


async def test_a_session_has_the_identity_that_it_began_with(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    identity = only(sessions, credentials_of(sessions, sessions.issue_header(ANNA)))
    assert identity is not None
    assert (identity.subject, identity.issuer, identity.provider) == (ANNA.subject, ANNA.issuer, ANNA.provider)
    assert (identity.kind, identity.recording, identity.video) == ("session", "7", "9")
    assert identity.issued_at == fixture.clock.now()
    assert identity.expires_at == fixture.clock.now() + 8 * 3600


@pytest.mark.promise("sign-in-7")
async def test_a_session_stores_only_groups_that_a_rule_names(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    identity = only(sessions, credentials_of(sessions, sessions.issue_header(ANNA)))
    assert identity is not None
    assert identity.groups == {"supervisors"}


async def test_a_person_in_a_hundred_groups_that_rules_name_fits_into_a_cookie(fixture: SessionsFixture) -> None:
    groups = frozenset(f"cn=course {number} supervisors,ou=groups,dc=example,dc=edu" for number in range(100))
    sessions = fixture.sessions(keep_groups=GroupSelection(groups))
    header = sessions.issue_header(replace(ANNA, subject="ä" * 255, groups=groups))
    assert len(header) < 4096
    identity = only(sessions, credentials_of(sessions, header))
    assert identity is not None
    assert identity.groups == groups


def test_groups_that_do_not_fit_into_a_cookie_are_an_error(fixture: SessionsFixture) -> None:
    groups = frozenset(uuid.uuid4().hex for _ in range(300))
    with pytest.raises(GatewayError):
        fixture.sessions(keep_groups=GroupSelection(groups)).issue_header(replace(ANNA, groups=groups))


@pytest.mark.promise("sign-in-7")
async def test_each_sign_in_starts_a_session_with_a_new_id(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    first = only(sessions, credentials_of(sessions, sessions.issue_header(ANNA)))
    assert first is not None
    second = only(sessions, credentials_of(sessions, sessions.issue_header(first)))
    assert second is not None
    assert None not in (first.session, second.session)
    assert first.session != second.session


@pytest.mark.promise("sign-in-7")
async def test_a_session_ends_when_it_is_idle(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    offered = credentials_of(sessions, sessions.issue_header(ANNA))
    fixture.clock.pass_(3599)
    assert only(sessions, offered) is not None
    fixture.clock.pass_(1)
    assert only(sessions, offered) is None


async def test_each_cookie_reports_until_when_it_is_valid_without_further_use(fixture: SessionsFixture) -> None:
    ends: list[float] = []
    sessions = fixture.sessions(on_issue=ends.append)
    began = fixture.clock.now()
    started = only(sessions, credentials_of(sessions, sessions.issue_header(ANNA)))
    assert started is not None
    fixture.clock.pass_(1800)
    assert sessions.refresh_headers(started) != []
    assert ends == [began + HOUR, began + 1800 + HOUR]


@pytest.mark.promise("sign-in-7")
async def test_a_session_in_use_lasts_for_its_lifetime(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    offered = credentials_of(sessions, sessions.issue_header(ANNA))
    for _ in range(15):
        fixture.clock.pass_(1900)
        identity = only(sessions, offered)
        assert identity is not None
        offered = credentials_of(sessions, *sessions.refresh_headers(identity))
    fixture.clock.pass_(300)
    assert only(sessions, offered) is None


async def test_the_cookie_is_renewed_once_a_tenth_of_the_idle_limit_has_passed(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    identity = only(sessions, credentials_of(sessions, sessions.issue_header(ANNA)))
    assert identity is not None
    fixture.clock.pass_(359)
    assert sessions.refresh_headers(identity) == []
    fixture.clock.pass_(1)
    renewed = only(sessions, credentials_of(sessions, *sessions.refresh_headers(identity)))
    assert renewed is not None
    assert (renewed.session, renewed.issued_at) == (identity.session, identity.issued_at)


async def test_an_identity_without_a_session_is_not_renewed(fixture: SessionsFixture) -> None:
    assert fixture.sessions().refresh_headers(ANNA) == []


async def test_a_copied_cookie_is_void_after_the_sign_out(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    present = credentials_of(sessions, sessions.issue_header(ANNA))
    other = credentials_of(sessions, sessions.issue_header(ANNA))
    ended, _ = await sessions.end(present)
    assert [session.subject for session in ended] == ["anna"]
    assert only(sessions, present) is None
    assert only(sessions, other) is not None


@pytest.mark.promise("sign-in-7")
async def test_a_restart_signs_nobody_out(fixture: SessionsFixture) -> None:
    offered = credentials_of(fixture.sessions(), fixture.sessions().issue_header(ANNA))
    assert only(fixture.sessions(), offered) is not None


@pytest.mark.promise("sign-in-7")
async def test_the_first_secret_seals_and_all_unseal(fixture: SessionsFixture) -> None:
    old, both, new = fixture.sessions(ONE), fixture.sessions(TWO, ONE), fixture.sessions(TWO)
    before = credentials_of(old, old.issue_header(ANNA))
    after = credentials_of(both, both.issue_header(ANNA))
    assert only(both, before) is not None
    assert only(new, after) is not None
    assert only(new, before) is None
    assert only(old, after) is None


@pytest.mark.promise("sign-in-7")
async def test_an_altered_cookie_is_ignored(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    ((name, secret),) = credentials_of(sessions, sessions.issue_header(ANNA)).sessions.items()
    value = secret.reveal()
    for place in range(0, len(value), 7):
        changed = value[:place] + ("A" if value[place] != "A" else "B") + value[place + 1 :]
        assert only(sessions, Credentials(sessions={name: Secret(changed)})) is None


@pytest.mark.parametrize("value", ["", "rubbish", "gAAAAAB" + "A" * 100, "\udcff" * 20, "é" * 20])
async def test_a_malformed_cookie_is_ignored(fixture: SessionsFixture, value: str) -> None:
    assert only(fixture.sessions(), Credentials(sessions={"valt_gateway_session": Secret(value)})) is None


async def test_the_secret_itself_is_not_the_key(fixture: SessionsFixture) -> None:
    text = base64.urlsafe_b64encode(b"k" * 32).decode()
    forged = Fernet(text).encrypt(b'{"v":1}').decode()
    present = Credentials(sessions={"valt_gateway_session": Secret(forged)})
    assert only(fixture.sessions(Secret(text)), present) is None


@pytest.mark.promise("sign-in-7")
async def test_the_cookie_reveals_nothing_of_the_person(fixture: SessionsFixture) -> None:
    header = fixture.sessions().issue_header(ANNA)
    opened = base64.urlsafe_b64decode(header.partition("=")[2].partition(";")[0])
    assert b"anna" not in opened
    assert "anna" not in header


async def test_a_session_stores_its_revocation_keys_in_little_space(fixture: SessionsFixture) -> None:
    names = session_revocation_keys("https://sso.example.edu", {"sub": "anna" * 60, "sid": "of a session" * 20})
    sessions = fixture.sessions()
    plain, named = (sessions.issue_header(replace(ANNA, revocation_keys=keys)) for keys in ((), names))
    identity = only(sessions, credentials_of(sessions, named))
    assert identity is not None
    assert identity.revocation_keys == names
    assert len(named) - len(plain) < 100


@pytest.mark.promise("security-S14")
@pytest.mark.parametrize("name", ["anna", "a revocation key", "portal#anna"])
async def test_a_revoked_session_is_ignored(fixture: SessionsFixture, name: str) -> None:
    sessions = fixture.sessions()
    present = credentials_of(sessions, sessions.issue_header(replace(WIDE, revocation_keys=("a revocation key",))))
    await fixture.store.revoke("portal#ben", fixture.clock.now(), fixture.clock.now() + HOUR)
    assert only(sessions, present) is not None
    await fixture.store.revoke(name, fixture.clock.now(), fixture.clock.now() + HOUR)
    assert only(sessions, present) is None


async def test_without_a_cookie_there_is_no_identity(fixture: SessionsFixture) -> None:
    assert only(fixture.sessions(), Credentials()) is None


def attributes(header: str) -> list[str]:
    return header.split("; ")[1:]


@pytest.mark.promise("sign-in-7")
def test_on_https_the_cookie_is_bound_to_the_host(fixture: SessionsFixture) -> None:
    header = fixture.sessions().issue_header(WIDE)
    assert header.startswith("__Host-valt_gateway_session=")
    assert attributes(header) == ["Max-Age=28800", "Path=/", "HttpOnly", "SameSite=Lax", "Secure"]
    assert len(header) < 4096


@pytest.mark.promise("findings-L")
def test_on_http_the_cookie_is_not_secure_since_browsers_would_drop_it(fixture: SessionsFixture) -> None:
    header = fixture.sessions(secure=False).issue_header(WIDE)
    assert header.startswith("valt_gateway_session=")
    assert attributes(header) == ["Max-Age=28800", "Path=/", "HttpOnly", "SameSite=Lax"]


def test_portals_on_another_site_get_a_partitioned_cookie(fixture: SessionsFixture) -> None:
    header = fixture.sessions(cross_site=True).issue_header(ANNA)
    assert attributes(header) == ["Max-Age=28800", "Path=/", "HttpOnly", "SameSite=None", "Partitioned", "Secure"]


async def test_a_cookie_is_deleted_with_the_attributes_it_was_set_with(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    given = [sessions.issue_header(identity) for identity in (WIDE, ANNA)]
    _, cleared = await sessions.end(credentials_of(sessions, *given))
    assert len(cleared) == 2
    for header, deletion in zip(given, cleared, strict=True):
        assert attributes(deletion) == ["Max-Age=0", *attributes(header)[1:]]
        name = header.partition("=")[0]
        assert SimpleCookie(deletion)[name].value == ""


@pytest.mark.promise("security-S1")
async def test_each_limit_has_a_cookie_of_its_own(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    limits = [(None, None), ("7", None), ("7", "9"), ("8", None), (None, "9")]
    headers = [sessions.issue_header(replace(ANNA, recording=r, video=v)) for r, v in limits]
    names = [header.partition("=")[0] for header in headers]
    assert names[0] == "__Host-valt_gateway_session"
    assert len(set(names)) == len(names)
    for name in names[1:]:
        prefix, _, digits = name.rpartition("_")
        assert prefix == "__Host-valt_gateway_session"
        assert len(digits) == 8
        assert set(digits) <= set("0123456789abcdef")
    identities = sessions.identities(credentials_of(sessions, *headers))
    assert {(identity.recording, identity.video) for identity in identities} == set(limits)


@pytest.mark.promise("security-S1")
async def test_sessions_are_read_newest_first_each_with_its_own_groups(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions(keep_groups=GroupSelection(frozenset({"students", "supervisors"})))
    jar = CookieJar()
    for identity in (replace(WIDE, groups=frozenset({"students"})), replace(ANNA, groups=frozenset({"supervisors"}))):
        jar.store(await sessions.begin(jar.credentials(sessions), identity))
        fixture.clock.pass_(1)
    newest, oldest = sessions.identities(jar.credentials(sessions))
    assert (newest.recording, set(newest.groups)) == ("7", {"supervisors"})
    assert (oldest.recording, set(oldest.groups)) == (None, {"students"})


@pytest.mark.promise("security-S10")
async def test_a_further_ticket_of_the_same_limits_continues_the_session(fixture: SessionsFixture) -> None:
    sessions, jar = fixture.sessions(), CookieJar()
    jar.store(await sessions.begin(jar.credentials(sessions), ANNA))
    first, copy = only(sessions, jar.credentials(sessions)), jar.credentials(sessions)
    fixture.clock.pass_(HOUR / 2)
    jar.store(await sessions.begin(jar.credentials(sessions), replace(ANNA, groups=frozenset())))
    second = only(sessions, jar.credentials(sessions))
    assert first is not None
    assert second is not None
    assert second.session == first.session
    assert (set(first.groups), set(second.groups)) == ({"supervisors"}, set())
    assert second.expires_at == fixture.clock.now() + 8 * HOUR
    assert only(sessions, copy) == first
    await sessions.end(jar.credentials(sessions))
    assert only(sessions, copy) is None


@pytest.mark.promise("security-S10")
async def test_a_sign_out_ends_every_session_that_is_presented_with_all_copies(fixture: SessionsFixture) -> None:
    sessions, jar = fixture.sessions(), CookieJar()
    copies = []
    for identity in (ANNA, WIDE, replace(ANNA, recording="8")):
        jar.store(await sessions.begin(jar.credentials(sessions), identity))
        copies.append(jar.credentials(sessions))
        fixture.clock.pass_(60)
    _, cleared = await sessions.end(jar.credentials(sessions))
    jar.store(cleared)
    assert jar.cookies == {}
    assert [sessions.identities(copy) for copy in copies] == [(), (), ()]
    fixture.clock.step(-23 * HOUR)
    assert [sessions.identities(copy) for copy in copies] == [(), (), ()]


@pytest.mark.promise("security-S9")
async def test_a_session_of_another_person_makes_all_that_are_presented_void(fixture: SessionsFixture) -> None:
    sessions, jar = fixture.sessions(), CookieJar()
    for identity in (ANNA, WIDE):
        jar.store(await sessions.begin(jar.credentials(sessions), identity))
    copy, ben = jar.credentials(sessions), replace(ANNA, subject="ben")
    assert sessions.find_other_person(copy, ANNA) is None
    present = sessions.find_other_person(copy, ben)
    assert present is not None
    assert present.subject == "anna"
    jar.store(await sessions.begin(copy, ben))
    assert sessions.identities(copy) == ()
    assert [identity.subject for identity in sessions.identities(jar.credentials(sessions))] == ["ben"]
    assert len(jar.cookies) == 1


async def follow(sessions: Sessions, jar: CookieJar, identity: Identity) -> None:
    """Follows a link with a ticket."""
    jar.store(await sessions.begin(jar.credentials(sessions), identity))


@pytest.mark.promise("security-S1")
async def test_of_more_than_eight_narrowed_sessions_the_oldest_is_cleared(fixture: SessionsFixture) -> None:
    sessions, jar = fixture.sessions(), CookieJar()
    await follow(sessions, jar, WIDE)
    for number in range(12):
        fixture.clock.pass_(1)
        await follow(sessions, jar, replace(ANNA, recording=str(number), video=None))
    remaining = [identity.recording for identity in sessions.identities(jar.credentials(sessions))]
    assert remaining == ["11", "10", "9", "8", "7", "6", "5", "4", None]


async def test_the_session_cookies_fit_into_one_header(fixture: SessionsFixture) -> None:
    groups = frozenset(uuid.uuid4().hex for _ in range(40))
    sessions, jar = fixture.sessions(keep_groups=GroupSelection(groups)), CookieJar()
    for number in range(8):
        fixture.clock.pass_(1)
        await follow(sessions, jar, replace(ANNA, groups=groups, recording=str(number)))
        assert len(jar.header) < 8000
    remaining = [identity.recording for identity in sessions.identities(jar.credentials(sessions))]
    assert remaining == ["7", "6", "5"]


@pytest.mark.promise("security-S7")
async def test_a_session_of_a_provider_that_is_removed_is_ignored(fixture: SessionsFixture) -> None:
    before = fixture.sessions()
    present = credentials_of(before, before.issue_header(ANNA))
    for provider in (replace(ANNA, provider="other"), replace(ANNA, issuer="https://other.example.edu")):
        after = fixture.sessions(validity=validity_of(fixture.store, fixture.clock, [provider], secrets=(ONE,)))
        assert only(after, present) is None
    assert only(fixture.sessions(), present) is not None


@pytest.mark.promise("security-S8")
async def test_no_session_begins_from_a_ticket_that_was_revoked_meanwhile(fixture: SessionsFixture) -> None:
    ticket = replace(ANNA, issued_at=fixture.clock.now() + 4, leeway=5.0)
    await fixture.store.revoke("anna", fixture.clock.now(), fixture.clock.now() + HOUR)
    with pytest.raises(InvalidCredentialsError):
        await fixture.sessions().begin(Credentials(), ticket)


async def test_a_shorter_lifetime_holds_for_running_sessions(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    present = credentials_of(sessions, sessions.issue_header(ANNA))
    shorter = fixture.sessions(lifetime=1800.0)
    fixture.clock.pass_(1799)
    assert only(shorter, present) is not None
    fixture.clock.pass_(1)
    assert only(shorter, present) is None
    assert only(sessions, present) is not None


@pytest.mark.promise("security-S10")
@pytest.mark.parametrize(
    "tossed",
    [
        "{name}={foreign}",
        "\u2000{name}={foreign}",
        '{name}="{foreign}"',
        "{name}=x",
        "{name}",
        "={name}",
        "{name}={other}",
    ],
)
async def test_a_sign_out_ends_sessions_whose_cookie_another_one_collides_with(
    fixture: SessionsFixture, tossed: str
) -> None:
    """A site of the same domain may set a colliding cookie for the path of the sign-out alone."""
    sessions = fixture.sessions()
    headers = [sessions.issue_header(one).partition(";")[0] for one in (ANNA, replace(ANNA, recording="r"))]
    foreign = sessions.issue_header(replace(ANNA, subject="mallory")).partition(";")[0].partition("=")[2]
    for header in headers:
        name, _, value = header.partition("=")
        collision = tossed.format(name=name, foreign=foreign, other=value[:-4] + "AAAA")
        cookies = [f"{header}; theme=dark", collision]
        assert sessions.read(cookies) == {}
        _, cleared = await sessions.end(Credentials(sessions=sessions.read(cookies), cookies=cookies))
        assert name in {one.partition("=")[0] for one in cleared}
        assert sessions.identities(credentials_of(sessions, header)) == ()


@pytest.mark.promise("rules-refusals")
async def test_a_renewed_session_keeps_the_groups_on_which_a_refusal_depended(fixture: SessionsFixture) -> None:
    """The refusal is removed by one reload and returns by the next, and the session is used between the two."""
    refusing = GroupSelection(frozenset({"supervisors", "banned"}), frozenset({"banned"}))
    before, between = fixture.sessions(keep_groups=refusing), fixture.sessions()
    groups = frozenset({"supervisors", "Banned", "others"})
    session = only(before, credentials_of(before, before.issue_header(replace(ANNA, groups=groups))))
    assert session is not None
    fixture.clock.pass_(HOUR / 2)
    (renewed,) = between.refresh_headers(session)
    again = only(before, credentials_of(before, renewed))
    assert again is not None
    assert (again.groups, again.selection) == (frozenset({"supervisors", "Banned"}), refusing.digest)
    keys = ServiceKeys((), AccessTokens((ONE,), keep_groups=GroupSelection(frozenset({"supervisors"}))), fixture.clock)
    link = await keys.authenticate(Credentials(access_token=keys.issue_video_token(again, Video("r", "v"))))
    assert link is not None
    assert (link.groups, link.selection) == (again.groups, again.selection)


@pytest.mark.promise("sign-in-8")
async def test_a_sign_out_that_cannot_be_stored_is_tried_for_every_session(fixture: SessionsFixture) -> None:
    class AwayStore(MemoryStore):
        async def sign_out(self, session: str, until: float) -> None:
            await super().sign_out(session, until)
            raise BusyError("what other replicas read cannot be written")

    fixture.store = AwayStore(fixture.clock)
    sessions = fixture.sessions()
    presented = credentials_of(sessions, sessions.issue_header(ANNA), sessions.issue_header(WIDE))
    assert len(sessions.identities(presented)) == 2
    with pytest.raises(BusyError):
        await sessions.end(presented)
    assert sessions.identities(presented) == ()
