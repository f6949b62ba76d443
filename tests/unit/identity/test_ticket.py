"""A ticket of the portal's: good once, soon over, and narrowed to what it names."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.errors import BusyError, InvalidCredentialsError
from gateway.identity.claims import TokenRequirements
from gateway.identity.ticket import TicketAuthenticator, mint_ticket, read_ticket
from gateway.model import Credentials, Secret
from gateway.ports import Store
from gateway.store.memory import MemoryStore
from gateway.store.sqlite import SqliteStore
from tests.support.clock import ManualClock

ISSUER, AUDIENCE = "https://portal.example.edu", "https://recordings.example.edu"
PORTAL = ed25519.Ed25519PrivateKey.generate()


def private_pem(key: Any) -> str:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def public_pem(key: Any) -> str:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


class GatewayStack:
    """A portal, the clock, and the gateway's side of it. It has run for an hour."""

    def __init__(self, clock: ManualClock, store: Store) -> None:
        self.clock = clock
        self.store = store
        self.expected = TokenRequirements(ISSUER, AUDIENCE, ("EdDSA",), 5.0)
        self.portal = self.authenticator(store, clock.now() - 3600)

    def authenticator(self, store: Store, started_at: float) -> TicketAuthenticator:
        return TicketAuthenticator(
            "portal", self.expected, public_pem(PORTAL), self.clock, store, max_age=60.0, started_at=started_at
        )

    def mint(self, **otherwise: Any) -> str:
        usual = {"issuer": ISSUER, "audience": AUDIENCE, "subject": "anna", "now": self.clock.now(), "ttl": 60.0}
        return mint_ticket(private_pem(PORTAL), **{**usual, **otherwise})

    def sign(self, **otherwise: Any) -> str:
        """Any claims; None leaves one out."""
        now = int(self.clock.now())
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "iat": now, "exp": now + 60, "jti": "1", **otherwise}
        return jwt.encode({name: value for name, value in usual.items() if value is not None}, PORTAL, "EdDSA")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def running_stack(
    request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path
) -> AsyncIterator[GatewayStack]:
    store: Store = MemoryStore(clock) if request.param == "memory" else SqliteStore(tmp_path / "state.sqlite3", clock)
    await store.start()
    yield GatewayStack(clock, store)
    await store.close()


def offered(ticket: str, *, consume_ticket: bool = True) -> Credentials:
    return Credentials(ticket=Secret(ticket), consume_ticket=consume_ticket)


async def test_a_ticket_says_who_it_is(running_stack: GatewayStack) -> None:
    identity = await running_stack.portal.authenticate(offered(running_stack.mint(groups=["staff"])))
    assert identity is not None
    assert (identity.subject, identity.issuer, identity.provider) == ("anna", ISSUER, "portal")
    assert (identity.kind, identity.groups) == ("ticket", frozenset({"staff"}))
    assert (identity.recording, identity.video) == (None, None)


async def test_a_ticket_is_good_once(running_stack: GatewayStack) -> None:
    ticket = running_stack.mint()
    assert await running_stack.portal.authenticate(offered(ticket)) is not None
    with pytest.raises(InvalidCredentialsError):
        await running_stack.portal.authenticate(offered(ticket))


async def test_of_two_hundred_who_redeem_one_ticket_at_once_exactly_one_succeeds(running_stack: GatewayStack) -> None:
    ticket = running_stack.mint()
    tries = (running_stack.portal.authenticate(offered(ticket)) for _ in range(200))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, InvalidCredentialsError) for answer in answers) == 199


async def test_the_same_ticket_signed_anew_in_another_order_is_a_replay(running_stack: GatewayStack) -> None:
    now = int(running_stack.clock.now())
    first = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "iat": now, "exp": now + 60, "jti": "1"}
    assert await running_stack.portal.authenticate(offered(jwt.encode(first, PORTAL, "EdDSA"))) is not None
    with pytest.raises(InvalidCredentialsError):
        await running_stack.portal.authenticate(offered(jwt.encode(dict(reversed(first.items())), PORTAL, "EdDSA")))


@pytest.mark.promise("findings-13")
async def test_a_malleated_copy_of_a_spent_ticket_is_a_replay(running_stack: GatewayStack) -> None:
    ticket = running_stack.mint()
    await running_stack.portal.authenticate(offered(ticket))
    for copy in (ticket + "=", ticket + "==", ticket + "\n", ticket + " "):
        with pytest.raises(InvalidCredentialsError):
            await running_stack.portal.authenticate(offered(copy))


async def test_a_clock_that_steps_back_lets_no_ticket_be_used_twice(running_stack: GatewayStack) -> None:
    ticket = running_stack.mint()
    await running_stack.portal.authenticate(offered(ticket))
    running_stack.clock.pass_(59)
    running_stack.clock.step(-59)
    with pytest.raises(InvalidCredentialsError):
        await running_stack.portal.authenticate(offered(ticket))


async def test_head_verifies_a_ticket_and_spends_it_not(running_stack: GatewayStack) -> None:
    ticket = running_stack.mint()
    assert await running_stack.portal.authenticate(offered(ticket, consume_ticket=False)) is not None
    assert await running_stack.portal.authenticate(offered(ticket)) is not None
    with pytest.raises(InvalidCredentialsError):
        await running_stack.portal.authenticate(offered(running_stack.sign(sub=None), consume_ticket=False))


async def test_after_a_restart_a_spent_ticket_stays_spent(clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    store = SqliteStore(path, clock)
    await store.start()
    running_stack = GatewayStack(clock, store)
    spent, fresh = running_stack.mint(), running_stack.mint()
    await running_stack.portal.authenticate(offered(spent))
    await store.close()
    clock.pass_(5)

    store = SqliteStore(path, clock)
    await store.start()
    restarted = running_stack.authenticator(store, clock.now())
    with pytest.raises(InvalidCredentialsError):
        await restarted.authenticate(offered(spent))
    assert await restarted.authenticate(offered(fresh)) is not None
    await store.close()


async def test_where_a_restart_forgets_a_ticket_issued_before_it_is_refused(clock: ManualClock) -> None:
    running_stack = GatewayStack(clock, MemoryStore(clock))
    before = running_stack.mint()
    clock.pass_(5)
    restarted = running_stack.authenticator(MemoryStore(clock), clock.now())
    with pytest.raises(InvalidCredentialsError):
        await restarted.authenticate(offered(before))
    assert await restarted.authenticate(offered(running_stack.mint())) is not None


async def test_a_full_store_is_busy_and_honours_no_ticket(clock: ManualClock) -> None:
    running_stack = GatewayStack(clock, MemoryStore(clock, max_entries=1))
    await running_stack.portal.authenticate(offered(running_stack.mint()))
    with pytest.raises(BusyError):
        await running_stack.portal.authenticate(offered(running_stack.mint()))


async def test_a_ticket_is_narrowed_to_the_recording_and_the_video_it_names(running_stack: GatewayStack) -> None:
    identity = await running_stack.portal.authenticate(offered(running_stack.mint(recording="6ecf-1", video="7")))
    assert identity is not None
    assert identity.covers("6ecf-1", "7")
    assert not identity.covers("6ecf-1", "8")
    assert not identity.covers("6ecf-2", "7")


@pytest.mark.parametrize("claim", ["recording", "video"])
@pytest.mark.parametrize("value", ["", "*", "a/b", "..", "7?x", "7\n", ["7"], {"a": 1}, "7" * 65])
async def test_a_ticket_for_what_is_no_id_is_refused_and_not_taken_for_a_wide_one(
    running_stack: GatewayStack, claim: str, value: Any
) -> None:
    with pytest.raises(InvalidCredentialsError):
        await running_stack.portal.authenticate(offered(running_stack.sign(**{claim: value})))


async def test_a_recording_may_be_named_by_a_number(running_stack: GatewayStack) -> None:
    identity = await running_stack.portal.authenticate(offered(running_stack.sign(recording=4711)))
    assert identity is not None
    assert identity.recording == "4711"


@pytest.mark.parametrize("claim", ["aud", "sub", "iat", "exp", "jti"])
async def test_a_ticket_without_one_of_its_claims_is_refused(running_stack: GatewayStack, claim: str) -> None:
    with pytest.raises(InvalidCredentialsError):
        await running_stack.portal.authenticate(offered(running_stack.sign(**{claim: None})))


@pytest.mark.parametrize("jti", ["", 7, ["1"], "a\nb", "x" * 256])
async def test_a_ticket_whose_id_is_no_name_is_refused(running_stack: GatewayStack, jti: Any) -> None:
    with pytest.raises(InvalidCredentialsError):
        await running_stack.portal.authenticate(offered(running_stack.sign(jti=jti)))


async def test_a_ticket_older_than_the_limit_is_refused(running_stack: GatewayStack) -> None:
    ticket = running_stack.mint()
    running_stack.clock.pass_(61)
    with pytest.raises(InvalidCredentialsError):
        await running_stack.portal.authenticate(offered(ticket))


async def test_a_ticket_made_to_live_longer_than_the_limit_is_refused(running_stack: GatewayStack) -> None:
    with pytest.raises(InvalidCredentialsError):
        await running_stack.portal.authenticate(offered(running_stack.mint(ttl=61.0)))


async def test_a_ticket_for_another_service_is_refused(running_stack: GatewayStack) -> None:
    with pytest.raises(InvalidCredentialsError):
        await running_stack.portal.authenticate(offered(running_stack.mint(audience="https://elsewhere.example.edu")))


async def test_a_ticket_signed_by_a_stranger_is_refused_and_spends_nothing(running_stack: GatewayStack) -> None:
    now = int(running_stack.clock.now())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "mallory", "iat": now, "exp": now + 60, "jti": "1"}
    with pytest.raises(InvalidCredentialsError):
        await running_stack.portal.authenticate(
            offered(jwt.encode(claims, ed25519.Ed25519PrivateKey.generate(), "EdDSA"))
        )
    assert await running_stack.portal.authenticate(offered(running_stack.sign(jti="1"))) is not None


async def test_another_issuers_ticket_rubbish_and_none_are_not_its_kind(running_stack: GatewayStack) -> None:
    for ticket in (running_stack.mint(issuer="https://other.example.edu"), "", "rubbish", "a.b.c", "x" * 9000):
        assert await running_stack.portal.authenticate(offered(ticket)) is None
    assert await running_stack.portal.authenticate(Credentials()) is None


@pytest.mark.parametrize(
    "key",
    [PORTAL, ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(public_exponent=65537, key_size=2048)],
    ids=["Ed25519", "P-256", "RSA"],
)
def test_a_ticket_is_minted_with_the_algorithm_that_fits_the_key(key: Any, clock: ManualClock) -> None:
    ticket = mint_ticket(private_pem(key), issuer=ISSUER, audience=AUDIENCE, subject="anna", now=clock.now(), ttl=60.0)
    expected = TokenRequirements(ISSUER, AUDIENCE, ("EdDSA", "ES256", "RS256"), 5.0)
    assert read_ticket(ticket, public_pem(key), expected, 60.0, clock.now()).subject == "anna"


def test_a_shared_secret_of_thirty_two_bytes_will_do_and_a_shorter_one_not(clock: ManualClock) -> None:
    told: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "subject": "a", "now": clock.now(), "ttl": 60.0}
    expected = TokenRequirements(ISSUER, AUDIENCE, ("HS256",), 5.0)
    assert read_ticket(mint_ticket("s" * 32, **told), "s" * 32, expected, 60.0, clock.now()).subject == "a"
    with pytest.raises(ValueError, match="32 bytes"):
        mint_ticket("s" * 31, **told)


def test_no_two_tickets_have_one_id(running_stack: GatewayStack) -> None:
    ids = {jwt.decode(running_stack.mint(), options={"verify_signature": False})["jti"] for _ in range(100)}
    assert len(ids) == 100
