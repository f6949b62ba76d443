"""A provider's endpoints, as its discovery document tells them (OpenID Connect Discovery 1.0, 4)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from gateway.errors import IdentityProviderError
from gateway.identity.answers import read_json
from gateway.ports import Clock

_LIFESPAN = 600.0
_ALIVE = 30.0
_COOLDOWN = 5.0


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where to ask what. *announces_iss*: authorization answers name their issuer (RFC 9207)."""

    authorization: str
    token: str
    userinfo: str | None
    end_session: str | None
    announces_iss: bool


class Discovery:
    """Believed for ten minutes, and longer while the provider is down. One attempt in five seconds."""

    def __init__(self, issuer: str, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._issuer = issuer
        self._session = session
        self._clock = clock
        self._found: Endpoints | None = None
        self._found_at = 0.0
        self._attempted_at: float | None = None
        self._load: asyncio.Task[None] | None = None

    async def find(self) -> Endpoints:
        """The endpoints. IdentityProviderError where they were never to be had."""
        self._look(_LIFESPAN)
        if self._found is None and self._load is not None:
            await asyncio.shield(self._load)
        if self._found is None:
            raise IdentityProviderError("the provider's discovery document cannot be fetched")
        return self._found

    async def find_alive(self) -> Endpoints:
        """The endpoints of a provider that answered within half a minute, so that nobody is sent to one that is down.
        IdentityProviderError."""
        if not self._look(_ALIVE) and self._load is not None:
            await asyncio.shield(self._load)
        if self._found is None or not self._look(_ALIVE):
            raise IdentityProviderError("the provider does not answer")
        return self._found

    async def close(self) -> None:
        if self._load is not None:
            self._load.cancel()
            await asyncio.gather(self._load, return_exceptions=True)

    def _look(self, lifespan: float) -> bool:
        """Whether what was found is younger than *lifespan* seconds; if not, it is fetched anew."""
        now = self._clock.monotonic()
        if self._found is not None and now - self._found_at <= lifespan:
            return True
        rested = self._attempted_at is None or now - self._attempted_at >= _COOLDOWN
        if self._load is None and rested:
            self._attempted_at = now
            self._load = asyncio.create_task(self._fetch(), name=f"discovery of {self._issuer}")
        return False

    async def _fetch(self) -> None:
        url = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                document = await read_json(answer)
            self._found = _read(document, self._issuer)
            self._found_at = self._clock.monotonic()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, RecursionError):
            return  # what was found before goes on being believed
        finally:
            self._load = None


def _read(document: Any, issuer: str) -> Endpoints:
    """The issuer told must be the one asked, to the letter (4.3). ValueError."""
    if not isinstance(document, Mapping) or document.get("issuer") != issuer:
        raise ValueError("another issuer's document")
    schemes = {"https", issuer.partition("://")[0]}

    def endpoint(name: str) -> str | None:
        url = document.get(f"{name}_endpoint")
        if url is not None and (not isinstance(url, str) or url.partition("://")[0] not in schemes):
            raise ValueError(f"the {name} endpoint is no address")
        return url

    authorization, token = endpoint("authorization"), endpoint("token")
    if authorization is None or token is None:
        raise ValueError("an endpoint is missing")
    promises = document.get("authorization_response_iss_parameter_supported") is True
    return Endpoints(authorization, token, endpoint("userinfo"), endpoint("end_session"), promises)
