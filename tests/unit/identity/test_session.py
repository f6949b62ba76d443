"""Sessions: what the cookie stores, how long it is valid, and what ends it."""

import base64
import uuid
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import Any

import pytest
from cryptography.fernet import Fernet

from gateway.errors import GatewayError
from gateway.identity.logout import session_revocation_keys
from gateway.identity.session import Sessions
from gateway.model import Credentials, Identity, IdentityKind, Secret
from gateway.store.memory import MemoryStore
from tests.support.clock import ManualClock

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


class SessionsFixture:
    """Builds Sessions that share a clock and a store."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)

    def sessions(self, *secrets: Secret, secure: bool = True, **changes: Any) -> Sessions:
        usual: dict[str, Any] = {"secure": secure, "keep_groups": frozenset({"supervisors"})}
        return Sessions(secrets or (ONE,), 8 * 3600.0, 3600.0, self.clock, self.store, **(usual | changes))


@pytest.fixture
def fixture() -> SessionsFixture:
    return SessionsFixture()


def credentials_of(sessions: Sessions, header: str | None) -> Credentials:
    """Returns the credentials of a browser that received *header*."""
    assert header is not None
    pair = header.partition(";")[0]
    value = sessions.read([f"theme=dark; {pair}"])
    return Credentials(session=None if value is None else Secret(value))


async def test_a_session_has_the_identity_that_it_began_with(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    identity = await sessions.authenticate(credentials_of(sessions, sessions.issue_header(ANNA)))
    assert identity is not None
    assert (identity.subject, identity.issuer, identity.provider) == (ANNA.subject, ANNA.issuer, ANNA.provider)
    assert (identity.kind, identity.recording, identity.video) == ("session", "7", "9")
    assert identity.issued_at == fixture.clock.now()
    assert identity.expires_at == fixture.clock.now() + 8 * 3600


@pytest.mark.promise("sign-in-7")
async def test_a_session_stores_only_groups_that_a_rule_names(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    identity = await sessions.authenticate(credentials_of(sessions, sessions.issue_header(ANNA)))
    assert identity is not None
    assert identity.groups == {"supervisors"}


async def test_a_person_in_a_hundred_groups_that_rules_name_fits_into_a_cookie(fixture: SessionsFixture) -> None:
    groups = frozenset(f"cn=course {number} supervisors,ou=groups,dc=example,dc=edu" for number in range(100))
    sessions = fixture.sessions(keep_groups=groups)
    header = sessions.issue_header(replace(ANNA, subject="ä" * 255, groups=groups))
    assert len(header) < 4096
    identity = await sessions.authenticate(credentials_of(sessions, header))
    assert identity is not None
    assert identity.groups == groups


def test_groups_that_do_not_fit_into_a_cookie_are_an_error(fixture: SessionsFixture) -> None:
    groups = frozenset(uuid.uuid4().hex for _ in range(300))
    with pytest.raises(GatewayError):
        fixture.sessions(keep_groups=groups).issue_header(replace(ANNA, groups=groups))


@pytest.mark.promise("sign-in-7")
async def test_each_sign_in_starts_a_session_with_a_new_id(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    first = await sessions.authenticate(credentials_of(sessions, sessions.issue_header(ANNA)))
    assert first is not None
    second = await sessions.authenticate(credentials_of(sessions, sessions.issue_header(first)))
    assert second is not None
    assert None not in (first.session, second.session)
    assert first.session != second.session


@pytest.mark.promise("sign-in-7")
async def test_a_session_ends_when_it_is_idle(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    offered = credentials_of(sessions, sessions.issue_header(ANNA))
    fixture.clock.pass_(3599)
    assert await sessions.authenticate(offered) is not None
    fixture.clock.pass_(1)
    assert await sessions.authenticate(offered) is None


@pytest.mark.promise("sign-in-7")
async def test_a_session_in_use_lasts_for_its_lifetime(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    offered = credentials_of(sessions, sessions.issue_header(ANNA))
    for _ in range(15):
        fixture.clock.pass_(1900)
        identity = await sessions.authenticate(offered)
        assert identity is not None
        offered = credentials_of(sessions, sessions.refresh_header(identity))
    fixture.clock.pass_(300)
    assert await sessions.authenticate(offered) is None


async def test_the_cookie_is_renewed_once_a_tenth_of_the_idle_limit_has_passed(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    identity = await sessions.authenticate(credentials_of(sessions, sessions.issue_header(ANNA)))
    assert identity is not None
    fixture.clock.pass_(359)
    assert sessions.refresh_header(identity) is None
    fixture.clock.pass_(1)
    renewed = await sessions.authenticate(credentials_of(sessions, sessions.refresh_header(identity)))
    assert renewed is not None
    assert (renewed.session, renewed.issued_at) == (identity.session, identity.issued_at)


async def test_an_identity_without_a_session_is_not_renewed(fixture: SessionsFixture) -> None:
    assert fixture.sessions().refresh_header(ANNA) is None


async def test_a_copied_cookie_is_void_after_the_sign_out(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    offered = credentials_of(sessions, sessions.issue_header(ANNA))
    other = credentials_of(sessions, sessions.issue_header(ANNA))
    identity = await sessions.authenticate(offered)
    assert identity is not None
    assert identity.session is not None
    await fixture.store.sign_out(identity.session, fixture.clock.now() + 8 * 3600)
    assert await sessions.authenticate(offered) is None
    assert await sessions.authenticate(other) is not None


@pytest.mark.promise("sign-in-7")
async def test_a_restart_signs_nobody_out(fixture: SessionsFixture) -> None:
    offered = credentials_of(fixture.sessions(), fixture.sessions().issue_header(ANNA))
    assert await fixture.sessions().authenticate(offered) is not None


@pytest.mark.promise("sign-in-7")
async def test_the_first_secret_seals_and_all_unseal(fixture: SessionsFixture) -> None:
    old, both, new = fixture.sessions(ONE), fixture.sessions(TWO, ONE), fixture.sessions(TWO)
    before = credentials_of(old, old.issue_header(ANNA))
    after = credentials_of(both, both.issue_header(ANNA))
    assert await both.authenticate(before) is not None
    assert await new.authenticate(after) is not None
    assert await new.authenticate(before) is None
    assert await old.authenticate(after) is None


@pytest.mark.promise("sign-in-7")
async def test_an_altered_cookie_is_ignored(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    offered = credentials_of(sessions, sessions.issue_header(ANNA)).session
    assert offered is not None
    value = offered.reveal()
    for place in range(0, len(value), 7):
        changed = value[:place] + ("A" if value[place] != "A" else "B") + value[place + 1 :]
        assert await sessions.authenticate(Credentials(session=Secret(changed))) is None


@pytest.mark.parametrize("value", ["", "rubbish", "gAAAAAB" + "A" * 100, "\udcff" * 20, "é" * 20])
async def test_a_malformed_cookie_is_ignored(fixture: SessionsFixture, value: str) -> None:
    assert await fixture.sessions().authenticate(Credentials(session=Secret(value))) is None


async def test_the_secret_itself_is_not_the_key(fixture: SessionsFixture) -> None:
    text = base64.urlsafe_b64encode(b"k" * 32).decode()
    forged = Fernet(text).encrypt(b'{"v":1}').decode()
    assert await fixture.sessions(Secret(text)).authenticate(Credentials(session=Secret(forged))) is None


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
    identity = await sessions.authenticate(credentials_of(sessions, named))
    assert identity is not None
    assert identity.revocation_keys == names
    assert len(named) - len(plain) < 100


@pytest.mark.parametrize("name", ["anna", "a revocation key"])
async def test_a_revoked_session_is_ignored_and_adds_no_scopes(fixture: SessionsFixture, name: str) -> None:
    sessions = fixture.sessions()
    wide = replace(ANNA, recording=None, video=None, revocation_keys=("a revocation key",))
    held = credentials_of(sessions, sessions.issue_header(wide))
    assert (await sessions.add_session_scopes(held, ANNA)).recording is None
    await fixture.store.revoke(name, fixture.clock.now(), fixture.clock.now() + 3600)
    assert await sessions.authenticate(held) is None
    assert (await sessions.add_session_scopes(held, ANNA)).recording == "7"


async def test_without_a_cookie_there_is_no_identity(fixture: SessionsFixture) -> None:
    assert await fixture.sessions().authenticate(Credentials()) is None


def attributes(header: str) -> list[str]:
    return header.split("; ")[1:]


@pytest.mark.promise("sign-in-7")
def test_on_https_the_cookie_is_bound_to_the_host(fixture: SessionsFixture) -> None:
    header = fixture.sessions().issue_header(ANNA)
    assert header.startswith("__Host-valt_gateway_session=")
    assert attributes(header) == ["Max-Age=28800", "Path=/", "HttpOnly", "SameSite=Lax", "Secure"]
    assert len(header) < 4096


@pytest.mark.promise("findings-L")
def test_on_http_the_cookie_is_not_secure_since_browsers_would_drop_it(fixture: SessionsFixture) -> None:
    header = fixture.sessions(secure=False).issue_header(ANNA)
    assert header.startswith("valt_gateway_session=")
    assert attributes(header) == ["Max-Age=28800", "Path=/", "HttpOnly", "SameSite=Lax"]


def test_portals_on_another_site_get_a_partitioned_cookie(fixture: SessionsFixture) -> None:
    header = fixture.sessions(cross_site=True).issue_header(ANNA)
    assert attributes(header) == ["Max-Age=28800", "Path=/", "HttpOnly", "SameSite=None", "Partitioned", "Secure"]


def test_the_cookie_is_deleted_with_the_attributes_it_was_set_with(fixture: SessionsFixture) -> None:
    sessions = fixture.sessions()
    given, cleared = attributes(sessions.issue_header(ANNA)), attributes(sessions.clear_header())
    assert cleared == ["Max-Age=0", *given[1:]]
    assert SimpleCookie(sessions.clear_header())["__Host-valt_gateway_session"].value == ""
