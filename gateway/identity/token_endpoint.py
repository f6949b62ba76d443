"""The token endpoint of an OpenID provider: the exchange of an authorization code, and the client's authentication.

A code is never sent twice (RFC 6749, section 4.1.2). The requests are a few form fields, built here: oauthlib refuses
an issuer on loopback http.
"""

import base64
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import jwt

from gateway.connection_failure import describe_failure
from gateway.errors import IdentityProviderError, InvalidCredentialsError
from gateway.events import LogEvent
from gateway.identity.discovery import read_body
from gateway.identity.ignored_groups import IgnoredGroups
from gateway.identity.login_state import Attempt
from gateway.identity.ticket import algorithm_of
from gateway.model import Secret
from gateway.ports import Clock, Observer

_NOT_IN_CODE = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")


@dataclass(frozen=True, slots=True)
class Client:
    """This gateway's registration at the provider."""

    client_id: str
    auth: str
    """client_secret_basic, client_secret_post, private_key_jwt or none."""
    secret: Secret | None
    private_key: Secret | None
    scopes: tuple[str, ...]
    redirect_uri: str


class TokenEndpoint:
    """Exchanges codes for tokens as *client*. *provider* is the name of its ``[[identity]]`` table."""

    def __init__(
        self, provider: str, client: Client, session: aiohttp.ClientSession, clock: Clock, observer: Observer
    ) -> None:
        self.client = client
        self._provider = provider
        self._session = session
        self._clock = clock
        self._observer = observer
        self.ignored_groups = IgnoredGroups(provider, clock, observer)

    async def exchange(self, url: str, attempt: Attempt, code: str) -> Mapping[str, Any]:
        """Returns the tokens of *attempt* from the endpoint *url*. Raises InvalidCredentialsError if the provider
        refuses the *code*, IdentityProviderError for everything else."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        headers = self._authenticate_client(form, url)
        status, content = await self.request("POST", url, headers, form)
        tokens: Mapping[str, Any] = content if isinstance(content, dict) else {}
        if tokens.get("error") == "invalid_grant":
            raise InvalidCredentialsError("the provider's token endpoint refused the code: invalid_grant")
        if status != 200 or "error" in tokens or str(tokens.get("token_type", "")).lower() != "bearer":
            error = printable_code(tokens.get("error"))
            raise self.unusable("token endpoint", f"status {status}", error or "no tokens")
        return tokens

    def unusable(self, endpoint: str, result: str, code: str) -> IdentityProviderError:
        """Returns the error for a response that is the operator's to repair, after a warning with its error code."""
        fields = (("provider", self._provider), ("endpoint", endpoint), ("result", result), ("error", code))
        self._observer.on_event(LogEvent("warning", "an identity provider refused the gateway's request", fields))
        return IdentityProviderError(f"the provider's {endpoint} returned {result}: {code}")

    async def request(self, method: str, url: str, headers: Mapping[str, str], data: Any = None) -> tuple[int, Any]:
        """Returns the status of the response, and its JSON object or the text of its JWT. Raises
        IdentityProviderError."""
        try:
            async with self._session.request(
                method, url, headers=headers, data=data, allow_redirects=False
            ) as response:
                body = await read_body(response)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise IdentityProviderError(f"the provider did not respond: {describe_failure(error)}") from None
        if response.content_type == "application/jwt":
            return response.status, body.decode("ascii", "replace")
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            if response.status == 200:
                raise IdentityProviderError("the provider's response is not JSON") from None
            content = {}
        return response.status, content if isinstance(content, dict) else {}

    def _authenticate_client(self, form: dict[str, str], audience: str) -> dict[str, str]:
        """Adds the client's authentication to *form*, or returns it as headers."""
        client = self.client
        if client.auth == "client_secret_basic" and client.secret is not None:
            # Both are form-encoded before they are concatenated (RFC 6749, section 2.3.1).
            pair = f"{quote(client.client_id, safe='')}:{quote(client.secret.reveal(), safe='')}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        form["client_id"] = client.client_id
        if client.auth == "client_secret_post" and client.secret is not None:
            form["client_secret"] = client.secret.reveal()
        elif client.auth == "private_key_jwt" and client.private_key is not None:
            form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            form["client_assertion"] = self._sign_assertion(client.private_key.reveal(), audience)
        return {}

    def _sign_assertion(self, key: str, audience: str) -> str:
        """Returns a client assertion (RFC 7523, section 3), valid for one minute."""
        now = int(self._clock.now())
        claims = {"iss": self.client.client_id, "sub": self.client.client_id, "aud": audience}
        claims |= {"jti": secrets.token_urlsafe(16)}
        return jwt.encode({**claims, "iat": now, "exp": now + 60}, key, algorithm_of(key))


def printable_code(error: Any) -> str:
    """Returns an OAuth error code, at most 64 characters, without those that RFC 6749, section 5.2, does not allow."""
    return _NOT_IN_CODE.sub("", error)[:64] if isinstance(error, str) else ""
