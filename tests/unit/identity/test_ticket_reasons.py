"""Why a ticket is refused, and its limits at their exact second."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519

from gateway.errors import InvalidCredentialsError, OutOfTimeError
from gateway.identity.claims import TokenRequirements
from gateway.identity.ticket import TicketAuthenticator, algorithm_of, mint_ticket, read_ticket
from gateway.model import Credentials, Identity, IdentityKind, Secret
from gateway.store.memory import MemoryStore
from tests.support.clock import ManualClock
from tests.unit.identity.test_ticket import jwk, private_pem, public_pem

NOW = 1_800_000_000.0
ISSUER, AUDIENCE = "https://portal.example.edu", "https://recordings.example.edu"
KEY, OTHER = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
EXPECTED = TokenRequirements(ISSUER, AUDIENCE, ("EdDSA",), 5.0)
CLAIMS: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "iat": 1_800_000_000, "exp": 1_800_000_060}
USED = "the ticket was used before"


def ticket(changes: dict[str, Any] | None = None, key: Any = KEY, **headers: Any) -> str:
    return jwt.encode({**CLAIMS, "jti": "1", **(changes or {})}, key, "EdDSA", headers=headers)


def reason(
    text: str, *, keys: Sequence[str] = (public_pem(KEY),), now: float = NOW, max_age: float = 60.0
) -> tuple[type[Exception], str] | None:
    try:
        read_ticket(text, keys, EXPECTED, max_age, now)
    except InvalidCredentialsError as error:
        return type(error), str(error)
    return None


class RecordingStore(MemoryStore):
    """A store that records since when a ticket may have been used."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.since: list[float | None] = []

    async def consume(self, key: str, until: float, *, since: float | None = None) -> bool:
        self.since.append(since)
        return await super().consume(key, until, since=since)

    async def is_consumed(self, key: str, *, since: float | None = None) -> bool:
        self.since.append(since)
        return await super().is_consumed(key, since=since)


class World:
    def __init__(self, *, started_at: float = NOW - 3600.0) -> None:
        self.clock = ManualClock(NOW)
        self.store = RecordingStore(self.clock)
        keys = (public_pem(KEY),)
        self.portal = TicketAuthenticator(
            "portal", EXPECTED, keys, self.clock, self.store, max_age=60.0, started_at=started_at
        )

    async def answer(self, text: str, *, consume: bool = True) -> Identity | str | None:
        """Returns the identity, or the error's message."""
        try:
            return await self.portal.authenticate(Credentials(ticket=Secret(text), consume_ticket=consume))
        except InvalidCredentialsError as error:
            return str(error)


def test_a_refused_ticket_states_its_reason() -> None:
    assert reason("a.b.c") == (InvalidCredentialsError, "the ticket is not a JWT")
    assert reason(ticket(), keys=()) == (InvalidCredentialsError, "the ticket's kid is that of no key")
    assert reason(ticket(kid="3"), keys=[jwk(KEY, "1")]) == (
        InvalidCredentialsError,
        "the ticket's kid is that of no key",
    )
    signature = (InvalidCredentialsError, "the token is not valid: InvalidSignatureError")
    assert reason(ticket(), keys=[public_pem(OTHER)]) == signature
    assert reason(ticket({"jti": ""}))[1].startswith("a name is empty")  # type: ignore[index]


def test_a_ticket_is_as_old_as_its_issue_time_says() -> None:
    long = ticket({"exp": 1_800_000_060})
    assert reason(long, now=NOW + 60) is None
    assert reason(ticket({"iat": 1_799_999_999, "exp": 1_800_000_059}), now=NOW + 59) is None
    assert reason(long, now=NOW + 60.5) == (InvalidCredentialsError, "the ticket is too old")
    assert reason(ticket({"exp": 1_800_000_061})) == (InvalidCredentialsError, "the ticket's lifetime is too long")
    assert reason(ticket({"exp": 1_800_000_061}), max_age=61.0) is None


def test_a_ticket_out_of_its_time_is_tried_with_no_other_key() -> None:
    expired = reason(ticket(), keys=[public_pem(KEY), public_pem(OTHER)], now=NOW + 65)
    assert expired == (OutOfTimeError, "the token has expired")


def test_a_key_with_a_kid_is_tried_for_a_ticket_without_one_or_with_the_same() -> None:
    keys = [jwk(OTHER, "1"), f" {jwk(KEY, '2')}"]
    assert reason(ticket(), keys=keys) is None
    assert reason(ticket(kid="2"), keys=keys) is None
    assert reason(ticket(kid="1"), keys=keys) == (
        InvalidCredentialsError,
        "the token is not valid: InvalidSignatureError",
    )
    assert reason(ticket(kid="9"), keys=[public_pem(KEY)]) is None
    assert reason(ticket(kid="9"), keys=[jwk(OTHER, "1"), public_pem(KEY)]) is None
    assert reason(ticket(), keys=[jwk(KEY, "1", alg="Ed25519")]) is None  # RFC 9864


async def test_an_identity_has_all_that_the_ticket_says() -> None:
    text = ticket({"groups": ["staff"], "recording": 7, "video": "9"})
    assert await World().answer(text) == Identity(
        "anna",
        ISSUER,
        "portal",
        IdentityKind.TICKET,
        frozenset({"staff"}),
        issued_at=NOW,
        leeway=5.0,
        expires_at=NOW + 60,
        recording="7",
        video="9",
    )


@pytest.mark.parametrize("name", ["recording", "video"])
async def test_a_limit_that_is_no_id_is_named(name: str) -> None:
    for value in (True, False, None, "a/b", 1.5):
        assert await World().answer(ticket({name: value})) == f"the ticket's {name} is not an id"


async def test_a_ticket_is_used_once_and_looked_at_as_often_as_one_likes() -> None:
    world = World()
    for _ in range(2):
        assert isinstance(await world.answer(ticket(), consume=False), Identity)
    assert isinstance(await world.answer(ticket()), Identity)
    assert await world.answer(ticket()) == USED
    assert await world.answer(ticket(), consume=False) == USED
    assert isinstance(await world.answer(ticket({"jti": "2"})), Identity)


async def test_a_used_ticket_is_remembered_for_as_long_as_any_clock_might_accept_it() -> None:
    world = World()
    await world.answer(ticket())
    key = f"{ISSUER} 1"
    world.clock.pass_(60 + 5 + 60 - 0.1)
    assert await world.store.is_consumed(key)
    assert not await world.store.is_consumed(f"{ISSUER} 2")


async def test_the_store_learns_since_when_a_ticket_may_have_been_used() -> None:
    world = World()
    await world.answer(ticket({"iat": 1_800_000_003}), consume=False)
    await world.answer(ticket({"iat": 1_800_000_003}))
    assert world.store.since == [NOW - 2, NOW - 2]


async def test_without_a_durable_store_a_ticket_may_be_no_older_than_the_process() -> None:
    before = "the ticket may have been issued before this process started"
    assert await World(started_at=NOW - 4.9).answer(ticket()) == before
    assert isinstance(await World(started_at=NOW - 5).answer(ticket()), Identity)


async def test_a_ticket_may_be_no_older_than_the_file_of_the_state() -> None:
    before = "the ticket may have been issued before the file of the state was created"
    world = World(started_at=NOW)
    world.store.complete_since = NOW - 4.9
    assert await world.answer(ticket()) == before
    world.store.complete_since = NOW - 5
    assert isinstance(await world.answer(ticket()), Identity)


async def test_other_texts_and_other_issuers_are_another_authenticators() -> None:
    assert await World().answer("a.b.c") is None
    assert await World().answer(ticket({"iss": "https://other"})) is None
    assert await World().portal.authenticate(Credentials()) is None


def test_a_minted_ticket_has_exactly_these_claims() -> None:
    text = mint_ticket(
        private_pem(KEY), issuer=ISSUER, audience=AUDIENCE, subject="anna", now=NOW + 0.9, ttl=60.2, groups=("b", "a")
    )
    claims = jwt.decode(text, options={"verify_signature": False})
    identifier = claims.pop("jti")
    assert len(identifier) == 22
    assert claims == {**CLAIMS, "exp": 1_800_000_061, "groups": ["a", "b"]}
    limited = mint_ticket(
        "s" * 64, issuer="i", audience="a", subject="s", now=0, ttl=1, recording="7", video="9", algorithm="HS512"
    )
    claims = jwt.decode(limited, options={"verify_signature": False})
    assert (claims["recording"], claims["video"], claims["groups"]) == ("7", "9", [])
    assert jwt.get_unverified_header(limited)["alg"] == "HS512"


def test_the_algorithm_is_that_of_the_key() -> None:
    assert algorithm_of(private_pem(KEY)) == "EdDSA"
    assert algorithm_of(private_pem(ec.generate_private_key(ec.SECP256R1()))) == "ES256"
    assert algorithm_of(private_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))) == "RS256"
    assert algorithm_of("ä" * 16) == "HS256"
    with pytest.raises(
        ValueError, match=r"^a secret for HS256 must have at least 32 bytes \(RFC 7518, section 3\.2\)$"
    ):
        algorithm_of("s" * 31)
    with pytest.raises(ValueError, match=r"^the key must be Ed25519, P-256 or RSA$"):
        algorithm_of(private_pem(x25519.X25519PrivateKey.generate()))


def test_leeway_widens_the_time_of_a_ticket_and_not_its_age() -> None:
    expected = replace(EXPECTED, leeway=100.0)
    with pytest.raises(InvalidCredentialsError, match=r"^the ticket is too old$"):
        read_ticket(ticket(), (public_pem(KEY),), expected, 60.0, NOW + 61)


@pytest.mark.parametrize(
    "secret", ["{planted-Zx81kQ-secret-of-more-than-32-bytes", '{"planted": "Zx81kQ-secret-of-32-bytes"}']
)
def test_a_shared_secret_that_begins_with_a_brace_verifies_tickets(secret: str) -> None:
    issuer, audience = "https://portal.example.edu", "https://recordings.example.edu"
    expected = TokenRequirements(issuer, audience, ("HS256",), 5.0)
    token = mint_ticket(secret, issuer=issuer, audience=audience, subject="anna", now=1e9, ttl=60.0)
    assert read_ticket(token, [secret], expected, 60.0, 1e9).subject == "anna"
    for jwk_of_no_secret in ('{"kty": "oct"}', '{"kty": "oct", "alg": "none"}', '{"kty": 5}'):
        with pytest.raises(InvalidCredentialsError, match=r"^the key to verify tickets with cannot be used$"):
            read_ticket(token, [jwk_of_no_secret], expected, 60.0, 1e9)
