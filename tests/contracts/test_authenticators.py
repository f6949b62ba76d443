"""The contract of ports.Authenticator, held by every kind: an identity, None, or an error."""

import base64
import hashlib
from dataclasses import dataclass

import aiohttp
import pytest
from pytest_aiohttp.plugin import AiohttpClient

from gateway.errors import InvalidCredentialsError
from gateway.group_selection import GroupSelection
from gateway.identity.access_token import AccessTokens
from gateway.identity.claims import TokenRequirements
from gateway.identity.header import HeaderAuthenticator
from gateway.identity.ignored_groups import IgnoredGroups
from gateway.identity.jwks import JwksClient
from gateway.identity.jwt import JwtAuthenticator
from gateway.identity.negotiate import AcceptedToken, NegotiateAuthenticator
from gateway.identity.service_key import ServiceKey, ServiceKeys
from gateway.identity.ticket import TicketAuthenticator, mint_ticket
from gateway.model import Credentials, Secret
from gateway.ports import Authenticator
from gateway.store.memory import MemoryStore
from tests.support.clock import ManualClock
from tests.support.provider import Provider
from tests.support.recorder import Recorder

SHARED = "a secret that is shared with the portal"

IGNORED = IgnoredGroups("one", ManualClock(), Recorder())


@dataclass
class Case:
    """An authenticator with valid credentials *good* of the provider *provider*, and invalid ones *bad* and
    *also_bad*."""

    authenticator: Authenticator
    good: Credentials
    bad: Credentials
    provider: str = "one"
    also_bad: Credentials | None = None


def signed(clock: ManualClock, provider: Provider, client: aiohttp.ClientSession) -> Case:
    keys = JwksClient("one", provider.issuer, "", client, clock, Recorder())
    expected = TokenRequirements(provider.issuer, "valt-gateway", ("EdDSA",), 30.0)
    claims = {"iss": provider.issuer, "aud": "valt-gateway", "sub": "anna", "iat": clock.now(), "exp": clock.now() + 60}
    good, bad = (provider.sign({**claims, "aud": audience}) for audience in ("valt-gateway", "another"))
    return Case(
        JwtAuthenticator("one", "Authorization", expected, keys, clock, Recorder()),
        Credentials(headers={"authorization": f"Bearer {good}"}),
        Credentials(headers={"authorization": f"Bearer {bad}"}),
    )


def ticket(clock: ManualClock) -> Case:
    expected = TokenRequirements("https://portal.example.edu", "here", ("HS256",), 5.0)
    good, bad = (
        mint_ticket(SHARED, issuer=expected.issuer, audience=audience, subject="anna", now=clock.now(), ttl=60.0)
        for audience in ("here", "elsewhere")
    )
    store, started_at = MemoryStore(clock), clock.now() - 60
    return Case(
        TicketAuthenticator("one", expected, (SHARED,), clock, store, max_age=60.0, started_at=started_at),
        Credentials(ticket=Secret(good)),
        Credentials(ticket=Secret(bad)),
    )


def header() -> Case:
    return Case(
        HeaderAuthenticator(
            "one",
            "X-Forwarded-User",
            "X-Forwarded-Groups",
            ",",
            ("10.0.0.5/32",),
            ignored_groups=IGNORED,
        ),
        Credentials(headers={"x-forwarded-user": "anna"}, peer="10.0.0.5"),
        Credentials(headers={"x-forwarded-user": "an\nna"}, peer="10.0.0.5"),
    )


def negotiate(clock: ManualClock) -> Case:
    """The Kerberos library itself is tried in tests/e2e/test_kerberos.py."""

    def accept(token: bytes) -> AcceptedToken:
        if token != b"good":
            raise InvalidCredentialsError("refused")
        return AcceptedToken("anna@EXAMPLE.EDU", clock.now() - 60, 3600.0, "0f", b"proof")

    good, bad = (f"Negotiate {base64.b64encode(token).decode()}" for token in (b"good", b"bad"))
    return Case(
        NegotiateAuthenticator("one", accept, ("EXAMPLE.EDU",), clock, MemoryStore(clock)),
        Credentials(headers={"authorization": good}),
        Credentials(headers={"authorization": bad}),
    )


def service_key(clock: ManualClock) -> Case:
    good = "vgk_" + "k" * 43
    keys = [ServiceKey("anna", hashlib.sha256(good.encode()).hexdigest())]
    access_tokens = AccessTokens([Secret(SHARED)], keep_groups=GroupSelection())
    return Case(
        ServiceKeys(keys, access_tokens, clock),
        Credentials(headers={"authorization": f"Bearer {good}"}),
        Credentials(headers={"authorization": f"Bearer {good}k"}),
        provider="service_key",
        also_bad=Credentials(access_token=Secret("rubbish")),
    )


@pytest.fixture(params=["jwt", "ticket", "header", "negotiate", "service_key"])
async def case(request: pytest.FixtureRequest, aiohttp_client: AiohttpClient) -> Case:
    clock = ManualClock()
    match request.param:
        case "jwt":
            provider = Provider()
            client = await aiohttp_client(provider.application())
            provider.issuer = str(client.make_url("")).rstrip("/")
            return signed(clock, provider, client.session)
        case "ticket":
            return ticket(clock)
        case "header":
            return header()
        case "negotiate":
            return negotiate(clock)
        case _:
            return service_key(clock)


async def test_valid_credentials_identify_a_person_of_the_provider(case: Case) -> None:
    identity = await case.authenticator.authenticate(case.good)
    assert identity is not None
    assert (identity.subject, identity.provider) == ("anna", case.provider)


async def test_invalid_credentials_of_its_kind_are_refused(case: Case) -> None:
    with pytest.raises(InvalidCredentialsError):
        await case.authenticator.authenticate(case.bad)


@pytest.mark.parametrize(
    "other",
    [
        Credentials(),
        Credentials(headers={"authorization": "Basic YTpi"}),
        Credentials(headers={"authorization": "Bearer rubbish"}),
        Credentials(headers={"authorization": "Digest rubbish"}),
        Credentials(headers={"x-forwarded-user": "anna"}, peer="192.0.2.1"),
        Credentials(ticket=Secret("rubbish")),
        Credentials(sessions={"valt_gateway_session": Secret("rubbish")}),
        Credentials(access_token=Secret("rubbish")),
    ],
    ids=["nothing", "basic", "bearer", "digest", "stranger", "ticket", "session", "access token"],
)
async def test_credentials_of_another_kind_are_ignored(case: Case, other: Credentials) -> None:
    if other == case.also_bad:
        with pytest.raises(InvalidCredentialsError):
            await case.authenticator.authenticate(other)
    else:
        assert await case.authenticator.authenticate(other) is None
