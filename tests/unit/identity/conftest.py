"""Fixtures: an identity provider, a clock, and claims of a person named Anna."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from pytest_aiohttp.plugin import AiohttpServer

from gateway.identity.claims import TokenRequirements
from gateway.identity.jwks import JwksClient
from gateway.identity.jwt import JwtAuthenticator
from gateway.model import Credentials
from tests.support.clock import ManualClock
from tests.support.provider import Provider
from tests.support.recorder import Recorder

ALGORITHMS = ("RS256", "ES256", "EdDSA", "PS256")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def provider(aiohttp_server: AiohttpServer) -> Provider:
    provider = Provider()
    server = await aiohttp_server(provider.application())
    provider.issuer = str(server.make_url("")).rstrip("/")
    return provider


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0)) as session:
        yield session


@pytest.fixture
async def keys(
    provider: Provider, client: aiohttp.ClientSession, clock: ManualClock, recorder: Recorder
) -> AsyncIterator[JwksClient]:
    keys = JwksClient("campus", provider.issuer, "", client, clock, recorder)
    yield keys
    await keys.close()


@pytest.fixture
def campus(provider: Provider, keys: JwksClient, clock: ManualClock, recorder: Recorder) -> JwtAuthenticator:
    expected = TokenRequirements(provider.issuer, "valt-gateway", ALGORITHMS, 30.0)
    return JwtAuthenticator("campus", "Authorization", expected, keys, clock, recorder)


@pytest.fixture
def claims(provider: Provider, clock: ManualClock) -> Callable[..., dict[str, Any]]:
    """Returns a function that builds Anna's claims; an argument replaces a claim, and None omits it."""

    def build(**changes: Any) -> dict[str, Any]:
        defaults = {
            "iss": provider.issuer,
            "aud": "valt-gateway",
            "sub": "anna",
            "iat": int(clock.now()),
            "exp": int(clock.now()) + 300,
            "groups": ["supervisors"],
        }
        return {name: value for name, value in {**defaults, **changes}.items() if value is not None}

    return build


def bearer(token: str) -> Credentials:
    return Credentials(headers={"authorization": f"Bearer {token}"})
