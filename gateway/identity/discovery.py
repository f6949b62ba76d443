"""Discovery documents (OpenID Connect Discovery 1.0): fetching, verification, and the endpoints that they name."""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from gateway.connection_failure import describe_failure
from gateway.errors import IdentityProviderError
from gateway.identity.refreshed import RefreshedValue
from gateway.ports import Clock

_MAX_BODY = 256 * 1024
_MAX_AGE = 600.0
_MAX_AGE_FOR_SIGN_IN = 30.0
_COOLDOWN = 5.0


def open_session(
    ca_file: Path | None, proxy_url: str, *, limit: int = 8, context: ssl.SSLContext | None = None
) -> aiohttp.ClientSession:
    """Returns an HTTP client for one provider, with at most *limit* connections, and with a private CA and an outbound
    HTTP proxy if given. *context* saves reading the CA. No connection serves a second request: an authorization code
    must not be sent twice, so a request must not fail because the server closed a kept connection."""
    context = context or ssl.create_default_context(cafile=ca_file)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit, ssl=context, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=5.0),
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "valt-gateway"},
        proxy=proxy_url or None,
        trust_env=False,
    )


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """Returns the body of a provider's response. Raises ValueError if it is longer than 256 KiB."""
    body = b""
    while chunk := await response.content.read(_MAX_BODY + 1 - len(body)):
        body += chunk
    if len(body) > _MAX_BODY:
        raise ValueError("the provider's response is too large")
    return body


async def fetch_json(session: aiohttp.ClientSession, url: str) -> Any:
    """Returns the JSON at *url*. Raises IdentityProviderError, whose message has no URL, if there is none."""
    try:
        async with session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise IdentityProviderError(f"status {response.status}")
            body = await read_body(response)
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        raise IdentityProviderError(describe_failure(error, urlsplit(url).hostname or "")) from None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise IdentityProviderError("the response is not JSON") from None


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """A discovery document."""

    location: str
    """The URL of the issuer or of the document."""
    document: Mapping[str, Any]

    def url(self, name: str) -> str | None:
        """Returns the URL in the member *name*, or None if there is none. Raises IdentityProviderError if it is not a
        valid URL of the scheme https, or of the document's own."""
        url = self.document.get(name)
        if url is not None and not (isinstance(url, str) and _is_url(url, self._schemes)):
            place = re.split("[?#]", url)[0].rpartition("@")[2] if isinstance(url, str) else "no text"
            reason = f"{name} in the discovery document is {place[:200]!r}, which is no https URL"
            raise IdentityProviderError(reason)
        return url

    def required_url(self, name: str) -> str:
        """Like `url`; raises IdentityProviderError if there is none."""
        url = self.url(name)
        if url is None:
            raise IdentityProviderError(f"the discovery document has no {name}")
        return url

    @property
    def _schemes(self) -> set[str]:
        return {"https", self.location.partition("://")[0]}


def _is_url(text: str, schemes: set[str]) -> bool:
    """Whether *text* is a URL of one of *schemes*, with a host, and without spaces or control characters."""
    try:
        has_host = bool(URL(text).host)
    except ValueError:
        return False
    return has_host and text.partition("://")[0] in schemes and min(text) > " "


async def fetch_metadata(session: aiohttp.ClientSession, issuer: str, url: str = "") -> ProviderMetadata:
    """Returns the discovery document of *issuer*, at *url* or else below the issuer. AD FS signs access tokens as
    another issuer than ID tokens and names both; the second is accepted where *url* is given.

    Raises IdentityProviderError if it cannot be fetched or names another issuer; the two are compared character by
    character (section 4.3).
    """
    document = await fetch_json(session, url or issuer.rstrip("/") + "/.well-known/openid-configuration")
    named = document.get("issuer") if isinstance(document, Mapping) else None
    if url and isinstance(document, Mapping) and document.get("access_token_issuer") == issuer:
        named = issuer
    if not isinstance(document, Mapping) or named != issuer:
        raise IdentityProviderError(
            f"the discovery document names the issuer {str(named)[:200]!r}, expected {issuer!r}"
        )
    return ProviderMetadata(url or issuer, document)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The URLs of a provider that signs people in."""

    authorization: str
    token: str
    userinfo: str | None
    end_session: str | None
    announces_iss: bool
    """Whether authorization responses name their issuer (RFC 9207)."""

    @classmethod
    def from_metadata(cls, metadata: ProviderMetadata) -> "Endpoints":
        """Raises IdentityProviderError if a required endpoint is missing or a URL is not valid."""
        return cls(
            metadata.required_url("authorization_endpoint"),
            metadata.required_url("token_endpoint"),
            metadata.url("userinfo_endpoint"),
            metadata.url("end_session_endpoint"),
            metadata.document.get("authorization_response_iss_parameter_supported") is True,
        )


class EndpointsClient:
    """The endpoints of *issuer*, refreshed after ten minutes and used for longer while the provider is down."""

    def __init__(self, issuer: str, session: aiohttp.ClientSession, clock: Clock, url: str = "") -> None:
        self._url = url
        self._issuer = issuer
        self._session = session
        self._endpoints = RefreshedValue(f"discovery of {issuer}", self._load, clock, cooldown=_COOLDOWN)

    async def get(self) -> Endpoints:
        """Returns the endpoints. Raises IdentityProviderError if no document was ever fetched."""
        if self._endpoints.value is None:
            await self._endpoints.refresh()
        else:
            await self._endpoints.refresh_if_old(_MAX_AGE)
        if self._endpoints.value is None:
            raise self._unavailable()
        return self._endpoints.value

    async def get_for_sign_in(self) -> Endpoints:
        """Returns the endpoints if the provider responded within the last 30 seconds, so that nobody is redirected to a
        provider that is down. Raises IdentityProviderError."""
        if self._endpoints.age > _MAX_AGE_FOR_SIGN_IN:
            await self._endpoints.refresh()
        if self._endpoints.value is None or self._endpoints.age > _MAX_AGE_FOR_SIGN_IN:
            raise self._unavailable()
        return self._endpoints.value

    def take_over(self, previous: "EndpointsClient") -> None:
        """Uses the endpoints of *previous*, as `JwksClient.take_over` does keys."""
        if (self._issuer, self._url) == (previous._issuer, previous._url):
            self._endpoints.take_over(previous._endpoints)

    async def close(self) -> None:
        """Cancel a running request."""
        await self._endpoints.close()

    async def _load(self) -> Endpoints:
        return Endpoints.from_metadata(await fetch_metadata(self._session, self._issuer, self._url))

    def _unavailable(self) -> IdentityProviderError:
        return IdentityProviderError(f"the provider's endpoints cannot be discovered: {self._endpoints.error}")
