"""Tickets of a portal: valid once, for a short time, and limited to the recording they name."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import OKPAlgorithm

from gateway.errors import BusyError, InvalidCredentialsError
from gateway.identity.claims import TokenRequirements
from gateway.identity.ticket import TicketAuthenticator, mint_ticket, read_ticket
from gateway.model import Credentials, Secret
from gateway.ports import Store
from gateway.shared_loads import SharingStore
from gateway.store.memory import MemoryStore
from gateway.store.sqlite import SqliteStore
from tests.support.clock import ManualClock
from tests.support.state import create_state

ISSUER, AUDIENCE = "https://portal.example.edu", "https://recordings.example.edu"
PORTAL = ed25519.Ed25519PrivateKey.generate()


def private_pem(key: Any) -> str:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def public_pem(key: Any) -> str:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


class TicketFixture:
    """A portal and the authenticator of its tickets, in a gateway that started an hour ago."""

    def __init__(self, clock: ManualClock, store: Store) -> None:
        self.clock = clock
        self.store = store
        self.expected = TokenRequirements(ISSUER, AUDIENCE, ("EdDSA",), 5.0)
        self.portal = self.authenticator(store, clock.now() - 3600)

    def authenticator(self, store: Store, started_at: float) -> TicketAuthenticator:
        return TicketAuthenticator(
            "portal", self.expected, (public_pem(PORTAL),), self.clock, store, max_age=60.0, started_at=started_at
        )

    def mint(self, **changes: Any) -> str:
        defaults = {"issuer": ISSUER, "audience": AUDIENCE, "subject": "anna", "now": self.clock.now(), "ttl": 60.0}
        return mint_ticket(private_pem(PORTAL), **{**defaults, **changes})

    def sign(self, **changes: Any) -> str:
        """Returns a ticket with any claims. An argument replaces a claim, and None omits it."""
        now = int(self.clock.now())
        defaults = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "iat": now, "exp": now + 60, "jti": "1", **changes}
        return jwt.encode({name: value for name, value in defaults.items() if value is not None}, PORTAL, "EdDSA")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def fixture(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> AsyncIterator[TicketFixture]:
    store: SharingStore = MemoryStore(clock)
    if request.param == "sqlite":
        await create_state(tmp_path, "")
        store = SqliteStore(tmp_path / "state.sqlite3", clock)
    await store.start()
    yield TicketFixture(clock, store)
    await store.close()


def offered(ticket: str, *, consume_ticket: bool = True) -> Credentials:
    return Credentials(ticket=Secret(ticket), consume_ticket=consume_ticket)


async def test_a_ticket_identifies_the_person(fixture: TicketFixture) -> None:
    identity = await fixture.portal.authenticate(offered(fixture.mint(groups=["staff"])))
    assert identity is not None
    assert (identity.subject, identity.issuer, identity.provider) == ("anna", ISSUER, "portal")
    assert (identity.kind, identity.groups) == ("ticket", frozenset({"staff"}))
    assert (identity.recording, identity.video) == (None, None)


async def test_a_ticket_is_valid_once(fixture: TicketFixture) -> None:
    ticket = fixture.mint()
    assert await fixture.portal.authenticate(offered(ticket)) is not None
    with pytest.raises(InvalidCredentialsError):
        await fixture.portal.authenticate(offered(ticket))


async def test_of_two_hundred_concurrent_uses_exactly_one_succeeds(fixture: TicketFixture) -> None:
    ticket = fixture.mint()
    tries = (fixture.portal.authenticate(offered(ticket)) for _ in range(200))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, InvalidCredentialsError) for answer in answers) == 199


async def test_the_same_ticket_signed_again_is_a_replay(fixture: TicketFixture) -> None:
    now = int(fixture.clock.now())
    first = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "iat": now, "exp": now + 60, "jti": "1"}
    assert await fixture.portal.authenticate(offered(jwt.encode(first, PORTAL, "EdDSA"))) is not None
    with pytest.raises(InvalidCredentialsError):
        await fixture.portal.authenticate(offered(jwt.encode(dict(reversed(first.items())), PORTAL, "EdDSA")))


@pytest.mark.promise("findings-13")
async def test_a_malleated_copy_of_a_used_ticket_is_refused(fixture: TicketFixture) -> None:
    ticket = fixture.mint()
    await fixture.portal.authenticate(offered(ticket))
    for copy in (ticket + "=", ticket + "==", ticket + "\n", ticket + " "):
        with pytest.raises(InvalidCredentialsError):
            await fixture.portal.authenticate(offered(copy))


async def test_a_clock_that_steps_back_lets_no_ticket_be_used_twice(fixture: TicketFixture) -> None:
    ticket = fixture.mint()
    await fixture.portal.authenticate(offered(ticket))
    fixture.clock.pass_(59)
    fixture.clock.step(-59)
    with pytest.raises(InvalidCredentialsError):
        await fixture.portal.authenticate(offered(ticket))


async def test_head_verifies_a_ticket_without_using_it_up(fixture: TicketFixture) -> None:
    ticket = fixture.mint()
    assert await fixture.portal.authenticate(offered(ticket, consume_ticket=False)) is not None
    assert await fixture.portal.authenticate(offered(ticket)) is not None
    with pytest.raises(InvalidCredentialsError):
        await fixture.portal.authenticate(offered(fixture.sign(sub=None), consume_ticket=False))


async def test_a_used_ticket_stays_used_after_a_restart(clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    await create_state(tmp_path, "")
    store = SqliteStore(path, clock)
    await store.start()
    fixture = TicketFixture(clock, store)
    spent, fresh = fixture.mint(), fixture.mint()
    await fixture.portal.authenticate(offered(spent))
    await store.close()
    clock.pass_(5)

    store = SqliteStore(path, clock)
    await store.start()
    restarted = fixture.authenticator(store, clock.now())
    with pytest.raises(InvalidCredentialsError):
        await restarted.authenticate(offered(spent))
    assert await restarted.authenticate(offered(fresh)) is not None
    await store.close()


@pytest.mark.promise("security-S12")
async def test_a_start_with_a_new_file_refuses_tickets_that_may_have_been_used_before(
    clock: ManualClock, tmp_path: Path
) -> None:
    """The file was removed, or is not on a volume, or `[state]` is new."""
    store = SqliteStore(tmp_path / "state.sqlite3", clock)
    fixture = TicketFixture(clock, store)
    before = fixture.mint()
    clock.pass_(5)
    await store.start()
    for consume_ticket in (True, False):
        with pytest.raises(InvalidCredentialsError):
            await fixture.portal.authenticate(offered(before, consume_ticket=consume_ticket))
    clock.pass_(4)
    await store.close()
    store = SqliteStore(tmp_path / "state.sqlite3", clock)
    await store.start()  # the file has existed for four seconds; a portal five seconds ahead may have issued it before
    restarted = fixture.authenticator(store, clock.now())
    with pytest.raises(InvalidCredentialsError):
        await restarted.authenticate(offered(fixture.mint()))
    clock.pass_(1)
    assert await restarted.authenticate(offered(fixture.mint())) is not None
    await store.close()


async def test_without_a_durable_store_tickets_issued_before_the_start_are_refused(clock: ManualClock) -> None:
    fixture = TicketFixture(clock, MemoryStore(clock))
    before = fixture.mint()
    clock.pass_(5)
    restarted = fixture.authenticator(MemoryStore(clock), clock.now())
    with pytest.raises(InvalidCredentialsError):
        await restarted.authenticate(offered(before))
    clock.pass_(4)
    with pytest.raises(InvalidCredentialsError):
        await restarted.authenticate(offered(fixture.mint()))  # a portal five seconds ahead may have issued it before
    clock.pass_(1)
    assert await restarted.authenticate(offered(fixture.mint())) is not None


async def test_with_a_full_store_no_ticket_is_accepted(clock: ManualClock) -> None:
    fixture = TicketFixture(clock, MemoryStore(clock, max_entries=1))
    await fixture.portal.authenticate(offered(fixture.mint()))
    with pytest.raises(BusyError):
        await fixture.portal.authenticate(offered(fixture.mint()))


async def test_a_ticket_is_limited_to_the_recording_and_video_it_names(fixture: TicketFixture) -> None:
    identity = await fixture.portal.authenticate(offered(fixture.mint(recording="6ecf-1", video="7")))
    assert identity is not None
    assert identity.covers("6ecf-1", "7")
    assert not identity.covers("6ecf-1", "8")
    assert not identity.covers("6ecf-2", "7")


@pytest.mark.parametrize("claim", ["recording", "video"])
@pytest.mark.parametrize("value", ["", "*", "a/b", "..", "7?x", "7\n", ["7"], {"a": 1}, "7" * 65])
async def test_a_ticket_with_an_invalid_scope_is_refused(fixture: TicketFixture, claim: str, value: Any) -> None:
    with pytest.raises(InvalidCredentialsError):
        await fixture.portal.authenticate(offered(fixture.sign(**{claim: value})))


async def test_a_recording_may_be_named_by_a_number(fixture: TicketFixture) -> None:
    identity = await fixture.portal.authenticate(offered(fixture.sign(recording=4711)))
    assert identity is not None
    assert identity.recording == "4711"


@pytest.mark.promise("security-S2")
@pytest.mark.parametrize("value", ["null", "true", '""', "[]", '"a b"', "-1.5", '"007"'])
async def test_a_limit_that_is_no_id_is_refused_and_does_not_count_as_absent(
    fixture: TicketFixture, value: str
) -> None:
    now = int(fixture.clock.now())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "iat": now, "exp": now + 60, "jti": "1"}
    for name in ("recording", "video"):
        ticket = jwt.encode({**claims, name: json.loads(value)}, PORTAL, "EdDSA")
        with pytest.raises(InvalidCredentialsError):
            await fixture.portal.authenticate(offered(ticket))


@pytest.mark.parametrize("claim", ["aud", "sub", "iat", "exp", "jti"])
async def test_a_ticket_without_one_of_its_claims_is_refused(fixture: TicketFixture, claim: str) -> None:
    with pytest.raises(InvalidCredentialsError):
        await fixture.portal.authenticate(offered(fixture.sign(**{claim: None})))


@pytest.mark.parametrize("jti", ["", 7, ["1"], "a\nb", "x" * 256])
async def test_a_ticket_with_an_invalid_jti_is_refused(fixture: TicketFixture, jti: Any) -> None:
    with pytest.raises(InvalidCredentialsError):
        await fixture.portal.authenticate(offered(fixture.sign(jti=jti)))


async def test_a_ticket_older_than_the_limit_is_refused(fixture: TicketFixture) -> None:
    ticket = fixture.mint()
    fixture.clock.pass_(61)
    with pytest.raises(InvalidCredentialsError):
        await fixture.portal.authenticate(offered(ticket))


async def test_a_ticket_with_a_longer_lifetime_than_the_limit_is_refused(fixture: TicketFixture) -> None:
    with pytest.raises(InvalidCredentialsError):
        await fixture.portal.authenticate(offered(fixture.mint(ttl=61.0)))


async def test_a_ticket_for_another_service_is_refused(fixture: TicketFixture) -> None:
    with pytest.raises(InvalidCredentialsError):
        await fixture.portal.authenticate(offered(fixture.mint(audience="https://elsewhere.example.edu")))


async def test_a_ticket_with_a_wrong_signature_uses_up_no_jti(fixture: TicketFixture) -> None:
    now = int(fixture.clock.now())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "mallory", "iat": now, "exp": now + 60, "jti": "1"}
    with pytest.raises(InvalidCredentialsError):
        await fixture.portal.authenticate(offered(jwt.encode(claims, ed25519.Ed25519PrivateKey.generate(), "EdDSA")))
    assert await fixture.portal.authenticate(offered(fixture.sign(jti="1"))) is not None


async def test_tickets_of_other_issuers_and_malformed_ones_are_ignored(fixture: TicketFixture) -> None:
    for ticket in (fixture.mint(issuer="https://other.example.edu"), "", "rubbish", "a.b.c", "x" * 9000):
        assert await fixture.portal.authenticate(offered(ticket)) is None
    assert await fixture.portal.authenticate(Credentials()) is None


@pytest.mark.parametrize(
    "key",
    [PORTAL, ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(public_exponent=65537, key_size=2048)],
    ids=["Ed25519", "P-256", "RSA"],
)
def test_a_ticket_is_minted_with_the_algorithm_that_fits_the_key(key: Any, clock: ManualClock) -> None:
    ticket = mint_ticket(private_pem(key), issuer=ISSUER, audience=AUDIENCE, subject="anna", now=clock.now(), ttl=60.0)
    expected = TokenRequirements(ISSUER, AUDIENCE, ("EdDSA", "ES256", "RS256"), 5.0)
    assert read_ticket(ticket, (public_pem(key),), expected, 60.0, clock.now()).subject == "anna"


def test_a_shared_secret_must_have_32_bytes(clock: ManualClock) -> None:
    arguments: dict[str, Any] = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "subject": "a",
        "now": clock.now(),
        "ttl": 60.0,
    }
    expected = TokenRequirements(ISSUER, AUDIENCE, ("HS256",), 5.0)
    assert read_ticket(mint_ticket("s" * 32, **arguments), ("s" * 32,), expected, 60.0, clock.now()).subject == "a"
    with pytest.raises(ValueError, match="32 bytes"):
        mint_ticket("s" * 31, **arguments)


def test_each_ticket_has_its_own_jti(fixture: TicketFixture) -> None:
    ids = {jwt.decode(fixture.mint(), options={"verify_signature": False})["jti"] for _ in range(100)}
    assert len(ids) == 100


def jwk(key: Any, kid: str, **more: str) -> str:
    public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return json.dumps({**public, "kid": kid, **more})


@pytest.mark.promise("identity-keys")
def test_a_portals_old_and_new_key_are_both_accepted() -> None:
    old, new, stranger = (ed25519.Ed25519PrivateKey.generate() for _ in range(3))
    expected = TokenRequirements(ISSUER, AUDIENCE, ("EdDSA",), 5.0)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "iat": 1000, "exp": 1060, "jti": "1"}
    pems = (public_pem(old), public_pem(new))
    jwks = (jwk(old, "1"), jwk(new, "2"))
    for signer, kid, keys, accepted in (
        (old, None, pems, True),
        (new, None, pems, True),
        (new, "2", pems, True),
        (stranger, None, pems, False),
        (old, "1", jwks, True),
        (new, "2", jwks, True),
        (new, None, jwks, True),
        (new, "1", jwks, False),
        (new, "3", jwks, False),
        (new, "3", (*jwks, public_pem(new)), True),
        (new, None, (jwk(new, "2", alg="Ed25519"),), True),  # as WebCrypto exports it (RFC 9864)
        (stranger, None, (jwk(new, "2", alg="Ed25519"),), False),
    ):
        ticket = jwt.encode(claims, signer, "EdDSA", headers=None if kid is None else {"kid": kid})
        if accepted:
            assert read_ticket(ticket, keys, expected, 60.0, 1000.0).subject == "anna"
        else:
            with pytest.raises(InvalidCredentialsError):
                read_ticket(ticket, keys, expected, 60.0, 1000.0)
