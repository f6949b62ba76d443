"""Signing people in with the organisation's provider: OpenID Connect Core 1.0, authorization code with PKCE.

It makes addresses and judges answers; who is sent where is web.sign_in's. A code is never tried twice (RFC 6749,
4.1.2). The requests are a few form fields, built here: oauthlib refuses an issuer on loopback http.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import aiohttp
import jwt
from yarl import URL

from gateway.errors import IdentityProviderError, InvalidCredentialsError
from gateway.identity.answers import read_json
from gateway.identity.claims import Claims, TokenRequirements, groups_of, name_of, peek, verify
from gateway.identity.discovery import Discovery, Endpoints
from gateway.identity.jwks import JwksClient
from gateway.identity.logout import Logout, read_logout, session_names
from gateway.identity.ticket import algorithm_of
from gateway.model import Identity, IdentityKind, Secret
from gateway.ports import Clock

_MAX_RD = 2000


@dataclass(frozen=True, slots=True)
class Client:
    """What the provider knows of us. *auth* is client_secret_basic, client_secret_post, private_key_jwt or none."""

    client_id: str
    auth: str
    secret: Secret | None
    private_key: Secret | None
    scopes: tuple[str, ...]
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in under way at *provider*, known to this browser alone. *begun*: Unix seconds; *rd*: a path of ours."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    provider: str
    rd: str
    begun: float

    @classmethod
    def begin(cls, provider: str, rd: str, now: float) -> "Attempt":
        """*rd* is given up where it is too long for a cookie: better home than nowhere."""
        rd = rd if len(rd) <= _MAX_RD else "/"
        return cls(secrets.token_urlsafe(16), secrets.token_urlsafe(16), secrets.token_urlsafe(48), provider, rd, now)

    @property
    def challenge(self) -> str:
        """S256 (RFC 7636, 4.2)."""
        return _base64url(hashlib.sha256(self.verifier.encode()).digest())


class OidcProvider:
    """*expected* has the provider's issuer, our client id as audience, and which claims name person and groups."""

    def __init__(
        self,
        name: str,
        expected: TokenRequirements,
        client: Client,
        discovery: Discovery,
        keys: JwksClient,
        session: aiohttp.ClientSession,
        clock: Clock,
    ) -> None:
        self.name = name
        self._expected = expected
        self._client = client
        self._discovery = discovery
        self._keys = keys
        self._session = session
        self._clock = clock

    async def address(self, attempt: Attempt) -> str:
        """Where the browser is sent to sign in. IdentityProviderError."""
        endpoints = await self._discovery.find_alive()
        query = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "scope": " ".join(self._client.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return str(URL(endpoints.authorization).update_query(query))

    async def sign_out_address(self, back: str) -> str | None:
        """Where the provider signs people out (RP-Initiated Logout 1.0), or None where it does not tell or answer.

        It is told the client and no id_token_hint: an ID token with its groups does not fit into a session's cookie.
        Without one a provider asks the person before it signs them out, which does no harm (section 2)."""
        try:
            endpoint = (await self._discovery.find()).end_session
        except IdentityProviderError:
            return None
        query = {"client_id": self._client.client_id, "post_logout_redirect_uri": back}
        return None if endpoint is None else str(URL(endpoint).update_query(query))

    async def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Identity:
        """The identity that the provider vouches for. InvalidCredentialsError; IdentityProviderError."""
        endpoints = await self._discovery.find()
        issuer = answer.get("iss")
        # RFC 9207, 2.4: an answer of another provider, or one that lacks the promised iss, is a mix-up.
        if issuer != self._expected.issuer and (issuer is not None or endpoints.promises_iss):
            raise InvalidCredentialsError("the sign-in's answer is another issuer's")
        if "error" in answer or not answer.get("code"):
            raise InvalidCredentialsError("the provider did not sign the person in")
        tokens = await self._tokens(endpoints, attempt, answer["code"])
        claims = await self._id_token(tokens.get("id_token"), attempt, tokens.get("access_token"))
        told = await self._completed(claims, endpoints, tokens.get("access_token"))
        return Identity(
            subject=name_of(told.get(self._expected.subject_claim)),
            issuer=self._expected.issuer,
            provider=self.name,
            kind=IdentityKind.OIDC,
            groups=groups_of(told.get(self._expected.groups_claim)),
            issued_at=self._clock.now(),
            revocation_keys=session_names(self._expected.issuer, claims.all),
        )

    async def close(self) -> None:
        await self._discovery.close()

    async def read_logout(self, token: str) -> Logout | None:
        """What a logout token ends; None: it is none, or for another provider's client. InvalidCredentialsError;
        IdentityProviderError."""
        header, claims = peek(token) or ({}, {})
        audience = claims.get("aud")
        clients = audience if isinstance(audience, list) else [audience]
        if claims.get("iss") != self._expected.issuer or self._client.client_id not in clients:
            return None
        key = await self._keys.find(header.get("kid"), str(header.get("alg")))
        return read_logout(token, header, key, self._expected, self._clock.now())

    async def _tokens(self, endpoints: Endpoints, attempt: Attempt, code: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        headers = self._prove(form, endpoints.token)
        status, told = await self._ask("POST", endpoints.token, headers=headers, data=form)
        if status >= 500:
            raise IdentityProviderError("the provider's token endpoint fails")
        if status != 200 or str(told.get("token_type", "")).lower() != "bearer":
            raise InvalidCredentialsError("the provider gave no tokens for the code")
        return told

    def _prove(self, form: dict[str, str], audience: str) -> dict[str, str]:
        """Prove who the client is: headers, or fields added to *form*."""
        client = self._client
        if client.auth == "client_secret_basic" and client.secret is not None:
            # Both are form-encoded before they are joined (RFC 6749, 2.3.1).
            pair = f"{quote(client.client_id, safe='')}:{quote(client.secret.reveal(), safe='')}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        form["client_id"] = client.client_id
        if client.auth == "client_secret_post" and client.secret is not None:
            form["client_secret"] = client.secret.reveal()
        elif client.auth == "private_key_jwt" and client.private_key is not None:
            form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            form["client_assertion"] = self._assertion(client.private_key.reveal(), audience)
        return {}

    def _assertion(self, key: str, audience: str) -> str:
        """RFC 7523, 3."""
        now = int(self._clock.now())
        claims = {"iss": self._client.client_id, "sub": self._client.client_id, "aud": audience}
        claims |= {"jti": secrets.token_urlsafe(16)}
        return jwt.encode({**claims, "iat": now, "exp": now + 60}, key, algorithm_of(key))

    async def _id_token(self, token: Any, attempt: Attempt, access_token: Any) -> Claims:
        """OpenID Connect Core 1.0, 3.1.3.7."""
        peeked = peek(token) if isinstance(token, str) else None
        if peeked is None or not isinstance(token, str):
            raise InvalidCredentialsError("the provider gave no ID token")
        header = peeked[0]
        key = await self._keys.find(header.get("kid"), str(header.get("alg")))
        plain = replace(self._expected, subject_claim="sub", groups_claim="")
        claims = verify(token, header, key, plain, self._clock.now())
        audience = claims.all.get("aud")
        several = isinstance(audience, list) and len(audience) > 1
        if claims.all.get("azp", None if several else self._client.client_id) != self._client.client_id:
            raise InvalidCredentialsError("the ID token was given to another client")
        if not hmac.compare_digest(str(claims.all.get("nonce", "")).encode(), attempt.nonce.encode()):
            raise InvalidCredentialsError("the ID token is of another sign-in")
        if "at_hash" in claims.all and claims.all["at_hash"] != _half_hash(str(access_token), str(header["alg"])):
            raise InvalidCredentialsError("the ID token is of another access token")
        return claims

    async def _completed(self, claims: Claims, endpoints: Endpoints, access_token: Any) -> Mapping[str, Any]:
        """The ID token's claims, and from userinfo those that it lacks."""
        wanted = (self._expected.subject_claim, self._expected.groups_claim)
        if all(claim in claims.all for claim in wanted) or endpoints.userinfo is None or access_token is None:
            return claims.all
        headers = {"Authorization": f"Bearer {access_token}"}
        status, told = await self._ask("GET", endpoints.userinfo, headers=headers)
        # Core 1.0, 5.3.2: userinfo of another subject must not be used.
        if status != 200 or told.get("sub") != claims.subject:
            raise InvalidCredentialsError("userinfo is not the person's")
        return {**told, **claims.all}

    async def _ask(
        self, method: str, url: str, *, headers: Mapping[str, str], data: Any = None
    ) -> tuple[int, Mapping[str, Any]]:
        try:
            async with self._session.request(method, url, headers=headers, data=data, allow_redirects=False) as answer:
                told = await read_json(answer)
                return answer.status, told if isinstance(told, dict) else {}
        except (TimeoutError, aiohttp.ClientError, OSError):
            raise IdentityProviderError("the provider does not answer") from None
        except (ValueError, RecursionError):
            raise IdentityProviderError("the provider's answer is not JSON") from None


def _half_hash(access_token: str, algorithm: str) -> str:
    """at_hash: the left half of the hash of the ID token's own algorithm (Core 1.0, 3.1.3.6)."""
    name = "sha512" if algorithm == "EdDSA" else f"sha{algorithm[2:]}"
    digest = hashlib.new(name, access_token.encode()).digest()
    return _base64url(digest[: len(digest) // 2])


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
