"""The session: what its cookie keeps, how long it is good, and what ends it."""

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


class GatewayStack:
    """Sessions with their clock and store."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)

    def sessions(self, *secrets: Secret, secure: bool = True, **otherwise: Any) -> Sessions:
        usual: dict[str, Any] = {"secure": secure, "keep_groups": frozenset({"supervisors"})}
        return Sessions(secrets or (ONE,), 8 * 3600.0, 3600.0, self.clock, self.store, **(usual | otherwise))


@pytest.fixture
def running_stack() -> GatewayStack:
    return GatewayStack()


def value_of(sessions: Sessions, header: str | None) -> Credentials:
    """What a browser that was given *header* offers."""
    assert header is not None
    pair = header.partition(";")[0]
    value = sessions.read([f"theme=dark; {pair}"])
    return Credentials(session=None if value is None else Secret(value))


async def test_a_session_is_the_person_that_was_vouched_for(running_stack: GatewayStack) -> None:
    sessions = running_stack.sessions()
    identity = await sessions.authenticate(value_of(sessions, sessions.issue_header(ANNA)))
    assert identity is not None
    assert (identity.subject, identity.issuer, identity.provider) == (ANNA.subject, ANNA.issuer, ANNA.provider)
    assert (identity.kind, identity.recording, identity.video) == ("session", "7", "9")
    assert identity.issued_at == running_stack.clock.now()
    assert identity.expires_at == running_stack.clock.now() + 8 * 3600


@pytest.mark.promise("sign-in-7")
async def test_only_groups_that_some_rule_names_are_kept(running_stack: GatewayStack) -> None:
    sessions = running_stack.sessions()
    identity = await sessions.authenticate(value_of(sessions, sessions.issue_header(ANNA)))
    assert identity is not None
    assert identity.groups == {"supervisors"}


async def test_a_person_in_a_hundred_groups_that_rules_name_fits_into_a_cookie(running_stack: GatewayStack) -> None:
    groups = frozenset(f"cn=course {number} supervisors,ou=groups,dc=example,dc=edu" for number in range(100))
    sessions = running_stack.sessions(keep_groups=groups)
    header = sessions.issue_header(replace(ANNA, subject="ä" * 255, groups=groups))
    assert len(header) < 4096
    identity = await sessions.authenticate(value_of(sessions, header))
    assert identity is not None
    assert identity.groups == groups


def test_who_fits_into_no_cookie_is_told_and_not_lost_without_a_word(running_stack: GatewayStack) -> None:
    groups = frozenset(uuid.uuid4().hex for _ in range(300))
    with pytest.raises(GatewayError):
        running_stack.sessions(keep_groups=groups).issue_header(replace(ANNA, groups=groups))


@pytest.mark.promise("sign-in-7")
async def test_each_sign_in_starts_a_session_with_an_id_of_its_own(running_stack: GatewayStack) -> None:
    sessions = running_stack.sessions()
    first = await sessions.authenticate(value_of(sessions, sessions.issue_header(ANNA)))
    assert first is not None
    second = await sessions.authenticate(value_of(sessions, sessions.issue_header(first)))
    assert second is not None
    assert None not in (first.session, second.session)
    assert first.session != second.session


@pytest.mark.promise("sign-in-7")
async def test_a_session_ends_when_it_is_idle(running_stack: GatewayStack) -> None:
    sessions = running_stack.sessions()
    offered = value_of(sessions, sessions.issue_header(ANNA))
    running_stack.clock.pass_(3599)
    assert await sessions.authenticate(offered) is not None
    running_stack.clock.pass_(1)
    assert await sessions.authenticate(offered) is None


@pytest.mark.promise("sign-in-7")
async def test_a_session_in_use_lives_on_until_its_lifetime_and_no_longer(running_stack: GatewayStack) -> None:
    sessions = running_stack.sessions()
    offered = value_of(sessions, sessions.issue_header(ANNA))
    for _ in range(15):
        running_stack.clock.pass_(1900)
        identity = await sessions.authenticate(offered)
        assert identity is not None
        offered = value_of(sessions, sessions.refresh_header(identity))
    running_stack.clock.pass_(300)
    assert await sessions.authenticate(offered) is None


async def test_the_cookie_is_renewed_once_a_tenth_of_the_idle_limit_has_passed(running_stack: GatewayStack) -> None:
    sessions = running_stack.sessions()
    identity = await sessions.authenticate(value_of(sessions, sessions.issue_header(ANNA)))
    assert identity is not None
    running_stack.clock.pass_(359)
    assert sessions.refresh_header(identity) is None
    running_stack.clock.pass_(1)
    renewed = await sessions.authenticate(value_of(sessions, sessions.refresh_header(identity)))
    assert renewed is not None
    assert (renewed.session, renewed.issued_at) == (identity.session, identity.issued_at)


async def test_who_came_without_a_session_is_given_none_by_a_renewal(running_stack: GatewayStack) -> None:
    assert running_stack.sessions().refresh_header(ANNA) is None


async def test_a_copied_cookie_is_void_after_the_sign_out(running_stack: GatewayStack) -> None:
    sessions = running_stack.sessions()
    offered = value_of(sessions, sessions.issue_header(ANNA))
    other = value_of(sessions, sessions.issue_header(ANNA))
    identity = await sessions.authenticate(offered)
    assert identity is not None
    assert identity.session is not None
    await running_stack.store.sign_out(identity.session, running_stack.clock.now() + 8 * 3600)
    assert await sessions.authenticate(offered) is None
    assert await sessions.authenticate(other) is not None


@pytest.mark.promise("sign-in-7")
async def test_a_restart_signs_nobody_out(running_stack: GatewayStack) -> None:
    offered = value_of(running_stack.sessions(), running_stack.sessions().issue_header(ANNA))
    assert await running_stack.sessions().authenticate(offered) is not None


@pytest.mark.promise("sign-in-7")
async def test_the_first_secret_signs_and_all_are_accepted(running_stack: GatewayStack) -> None:
    old, both, new = running_stack.sessions(ONE), running_stack.sessions(TWO, ONE), running_stack.sessions(TWO)
    before = value_of(old, old.issue_header(ANNA))
    after = value_of(both, both.issue_header(ANNA))
    assert await both.authenticate(before) is not None
    assert await new.authenticate(after) is not None
    assert await new.authenticate(before) is None
    assert await old.authenticate(after) is None


@pytest.mark.promise("sign-in-7")
async def test_a_cookie_that_was_tampered_with_is_no_proof(running_stack: GatewayStack) -> None:
    sessions = running_stack.sessions()
    offered = value_of(sessions, sessions.issue_header(ANNA)).session
    assert offered is not None
    value = offered.reveal()
    for place in range(0, len(value), 7):
        changed = value[:place] + ("A" if value[place] != "A" else "B") + value[place + 1 :]
        assert await sessions.authenticate(Credentials(session=Secret(changed))) is None


@pytest.mark.parametrize("value", ["", "rubbish", "gAAAAAB" + "A" * 100, "\udcff" * 20, "é" * 20])
async def test_rubbish_is_no_proof_and_nobodys_fault(running_stack: GatewayStack, value: str) -> None:
    assert await running_stack.sessions().authenticate(Credentials(session=Secret(value))) is None


async def test_the_secret_itself_is_not_the_key(running_stack: GatewayStack) -> None:
    text = base64.urlsafe_b64encode(b"k" * 32).decode()
    forged = Fernet(text).encrypt(b'{"v":1}').decode()
    assert await running_stack.sessions(Secret(text)).authenticate(Credentials(session=Secret(forged))) is None


@pytest.mark.promise("sign-in-7")
async def test_nothing_of_the_person_can_be_read_from_the_cookie(running_stack: GatewayStack) -> None:
    header = running_stack.sessions().issue_header(ANNA)
    opened = base64.urlsafe_b64decode(header.partition("=")[2].partition(";")[0])
    assert b"anna" not in opened
    assert "anna" not in header


async def test_what_its_provider_calls_a_session_is_kept_and_costs_little(running_stack: GatewayStack) -> None:
    names = session_revocation_keys("https://sso.example.edu", {"sub": "anna" * 60, "sid": "of a session" * 20})
    sessions = running_stack.sessions()
    plain, named = (sessions.issue_header(replace(ANNA, revocation_keys=kept)) for kept in ((), names))
    identity = await sessions.authenticate(value_of(sessions, named))
    assert identity is not None
    assert identity.revocation_keys == names
    assert len(named) - len(plain) < 100


@pytest.mark.parametrize("name", ["anna", "what the provider calls it"])
async def test_a_revoked_session_is_no_proof_and_widens_no_narrow_ticket(
    running_stack: GatewayStack, name: str
) -> None:
    sessions = running_stack.sessions()
    wide = replace(ANNA, recording=None, video=None, revocation_keys=("what the provider calls it",))
    held = value_of(sessions, sessions.issue_header(wide))
    assert (await sessions.add_session_scopes(held, ANNA)).recording is None
    await running_stack.store.revoke(name, running_stack.clock.now(), running_stack.clock.now() + 3600)
    assert await sessions.authenticate(held) is None
    assert (await sessions.add_session_scopes(held, ANNA)).recording == "7"


async def test_no_session_offered_is_no_proof(running_stack: GatewayStack) -> None:
    assert await running_stack.sessions().authenticate(Credentials()) is None


def attributes(header: str) -> list[str]:
    return header.split("; ")[1:]


@pytest.mark.promise("sign-in-7")
def test_on_https_the_cookie_is_bound_to_the_host(running_stack: GatewayStack) -> None:
    header = running_stack.sessions().issue_header(ANNA)
    assert header.startswith("__Host-valt_gateway_session=")
    assert attributes(header) == ["Max-Age=28800", "Path=/", "HttpOnly", "SameSite=Lax", "Secure"]
    assert len(header) < 4096


@pytest.mark.promise("findings-L")
def test_on_http_the_cookie_is_not_secure_since_browsers_would_drop_it(running_stack: GatewayStack) -> None:
    header = running_stack.sessions(secure=False).issue_header(ANNA)
    assert header.startswith("valt_gateway_session=")
    assert attributes(header) == ["Max-Age=28800", "Path=/", "HttpOnly", "SameSite=Lax"]


def test_portals_on_another_site_get_a_partitioned_cookie(running_stack: GatewayStack) -> None:
    header = running_stack.sessions(cross_site=True).issue_header(ANNA)
    assert attributes(header) == ["Max-Age=28800", "Path=/", "HttpOnly", "SameSite=None", "Partitioned", "Secure"]


def test_the_cookie_is_taken_away_with_the_attributes_it_was_given_with(running_stack: GatewayStack) -> None:
    sessions = running_stack.sessions()
    given, cleared = attributes(sessions.issue_header(ANNA)), attributes(sessions.clear_header())
    assert cleared == ["Max-Age=0", *given[1:]]
    assert SimpleCookie(sessions.clear_header())[sessions.cookie_name].value == ""
