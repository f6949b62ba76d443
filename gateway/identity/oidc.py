"""Client of one OpenID provider: OpenID Connect Core 1.0, authorization code flow with PKCE.

Builds authorization URLs and verifies ID tokens; the HTTP of the browser is in web.handlers.login.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

from yarl import URL

from gateway.errors import IdentityProviderError, InvalidCredentialsError, SignInDeclinedError
from gateway.identity.claim_values import are_elsewhere, find_claim
from gateway.identity.claims import (
    MAX_FETCHED_TOKEN,
    Claims,
    TokenRequirements,
    decode_unverified,
    parse_subject,
    read_groups,
    verify,
    verify_userinfo,
)
from gateway.identity.discovery import Endpoints, EndpointsClient
from gateway.identity.jwks import JwksClient
from gateway.identity.login_state import Attempt
from gateway.identity.logout import Logout, read_logout, session_revocation_keys
from gateway.identity.token_endpoint import TokenEndpoint, printable_code
from gateway.model import Identity, IdentityKind
from gateway.ports import Clock


class OidcProvider:
    """Signs people in at the provider *name*.

    *expected* holds the provider's issuer, the client id as audience, and the claims that name the person and groups.
    """

    def __init__(
        self,
        name: str,
        expected: TokenRequirements,
        tokens: TokenEndpoint,
        endpoints: EndpointsClient,
        keys: JwksClient,
        clock: Clock,
    ) -> None:
        self.name = name
        self._expected = expected
        self._tokens = tokens
        self._client = tokens.client
        self._endpoints = endpoints
        self._keys = keys
        self._clock = clock

    async def authorization_url(self, attempt: Attempt) -> str:
        """Returns the URL to which the browser is redirected to sign in. Raises IdentityProviderError if the provider
        does not respond."""
        endpoints = await self._endpoints.get_for_sign_in()
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

    async def sign_out_url(self, back: str) -> str | None:
        """Returns the URL of the provider's logout page, which then redirects to *back* (RP-Initiated Logout 1.0), or
        None if the provider has none or does not respond.

        The URL has no id_token_hint: an ID token with its groups does not fit into a session cookie. Without it the
        provider asks the person to confirm (section 2).
        """
        try:
            endpoint = (await self._endpoints.get()).end_session
        except IdentityProviderError:
            return None
        query = {"client_id": self._client.client_id, "post_logout_redirect_uri": back}
        return None if endpoint is None else str(URL(endpoint).update_query(query))

    async def finish(self, attempt: Attempt, response: Mapping[str, str]) -> Identity:
        """Exchanges the code in an authorization *response* for tokens and returns the identity that they prove.

        Raises InvalidCredentialsError if the response or a token is not valid, IdentityProviderError if the provider
        fails.
        """
        began, endpoints = self._clock.now(), await self._endpoints.get()
        issuer = response.get("iss")
        # RFC 9207, section 2.4: a response of another issuer, or without an announced iss, may be a mix-up attack. An
        # error without iss does no harm: no code is sent.
        if issuer != self._expected.issuer and (issuer is not None or (endpoints.announces_iss and "code" in response)):
            raise InvalidCredentialsError("the authorization response has another issuer")
        if "error" in response:
            self._raise_authorization_error(response)
        if not response.get("code"):
            raise InvalidCredentialsError("the authorization response has no code")
        tokens = await self._tokens.exchange(endpoints.token, attempt, response["code"])
        claims = await self._verify_id_token(tokens.get("id_token"), attempt, tokens.get("access_token"))
        merged, stating_groups = await self._add_userinfo(claims, endpoints, tokens.get("access_token"))
        groups, ignored = read_groups(stating_groups, self._expected)
        self._tokens.ignored_groups.add(ignored)
        return Identity(
            subject=parse_subject(merged, self._expected),
            issuer=self._expected.issuer,
            provider=self.name,
            kind=IdentityKind.OIDC,
            groups=groups,
            issued_at=began,  # what the provider ends while it responds must not begin a session
            revocation_keys=session_revocation_keys(self._expected.issuer, claims.all),
        )

    async def close(self) -> None:
        """Cancels a pending request for the discovery document."""
        await self._endpoints.close()

    async def read_logout(self, token: str) -> Logout | None:
        """Returns what a logout token ends, or None if it has another issuer or audience than this provider's.

        Raises InvalidCredentialsError if the token is not valid, IdentityProviderError if its key cannot be fetched.
        """
        header, claims = decode_unverified(token) or ({}, {})
        audience = claims.get("aud")
        clients = audience if isinstance(audience, list) else [audience]
        if claims.get("iss") != self._expected.issuer or self._client.client_id not in clients:
            return None
        return await self._keys.verify(
            header, lambda key: read_logout(token, header, key, self._expected, self._clock.now())
        )

    def _raise_authorization_error(self, response: Mapping[str, str]) -> NoReturn:
        """Raises SignInDeclinedError for an error that another sign-in can repair, else IdentityProviderError (RFC
        6749, section 4.1.2.1; OpenID Connect Core 1.0, section 3.1.2.6)."""
        code = printable_code(response["error"])
        # Keycloak's form that was open for too long
        expired = code == "temporarily_unavailable" and response.get("error_description") == "authentication_expired"
        if expired or code in ("access_denied", "login_required"):
            raise SignInDeclinedError(f"the provider did not sign the person in: {code}")
        raise self._tokens.unusable("authorization endpoint", "an error", code)

    async def _verify_id_token(self, token: Any, attempt: Attempt, access_token: Any) -> Claims:
        """Returns the claims of the ID token (OpenID Connect Core 1.0, section 3.1.3.7). Raises
        InvalidCredentialsError."""
        unverified = decode_unverified(token, longest=MAX_FETCHED_TOKEN) if isinstance(token, str) else None
        if unverified is None or not isinstance(token, str):
            raise InvalidCredentialsError("the provider returned no ID token")
        header = unverified[0]
        plain = replace(self._expected, subject_claim="sub", groups_claim="", max_lifetime=None)
        claims = await self._keys.verify(header, lambda key: verify(token, header, key, plain, self._clock.now()))
        audience = claims.all.get("aud")
        several = isinstance(audience, list) and len(audience) > 1
        if claims.all.get("azp", None if several else self._client.client_id) != self._client.client_id:
            raise InvalidCredentialsError("the ID token was issued to another client")
        nonce = str(claims.all.get("nonce", "")).encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(nonce, attempt.nonce.encode()):
            raise InvalidCredentialsError("the ID token belongs to another sign-in")
        if "at_hash" in claims.all and claims.all["at_hash"] != _access_token_hash(
            str(access_token), str(header["alg"])
        ):
            raise InvalidCredentialsError("the ID token belongs to another access token")
        return claims

    async def _add_userinfo(
        self, claims: Claims, endpoints: Endpoints, access_token: Any
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Returns the ID token's claims, with those of the userinfo endpoint if the subject or groups are missing; and
        the claims that state the groups, which a dotted path may have below a claim that both have."""
        wanted = [self._expected.subject_claim]
        if self._expected.needs_verified_email:
            wanted.append("email_verified")
        lacks_groups = not self._states_groups(claims.all)
        complete = not lacks_groups and all(find_claim(claims.all, claim) is not None for claim in wanted)
        if complete or endpoints.userinfo is None or access_token is None:
            return claims.all, claims.all
        headers = {"Authorization": f"Bearer {access_token}"}
        status, userinfo = await self._tokens.request("GET", endpoints.userinfo, headers)
        if status in (401, 403):
            return claims.all, claims.all  # the ID token alone identifies the person
        if status != 200:
            raise IdentityProviderError(f"the provider's userinfo endpoint returned status {status}")
        if isinstance(userinfo, str):
            userinfo = await self._verify_userinfo(userinfo)
        # Core 1.0, section 5.3.2: the userinfo of another subject must not be used.
        if userinfo.get("sub") != claims.subject:
            raise InvalidCredentialsError("the userinfo endpoint did not return this person")
        merged = {**userinfo, **claims.all}
        source = claims.all if {"email", "email_verified"} <= claims.all.keys() else userinfo
        if "email_verified" in source and source.get("email") == merged.get("email"):
            merged["email_verified"] = source["email_verified"]
        else:
            merged.pop("email_verified", None)  # it is about another address
        return merged, userinfo if lacks_groups and self._states_groups(userinfo) else merged

    def _states_groups(self, claims: Mapping[str, Any]) -> bool:
        """Whether *claims* have the groups, and do not say that they are elsewhere."""
        name = self._expected.groups_claim
        return find_claim(claims, name) is not None and not are_elsewhere(claims, name)

    async def _verify_userinfo(self, token: str) -> Mapping[str, Any]:
        """Returns the claims of a userinfo response that is a signed JWT (Core 1.0, section 5.3.2). Raises
        InvalidCredentialsError."""
        header = (decode_unverified(token, longest=MAX_FETCHED_TOKEN) or ({}, {}))[0]
        return await self._keys.verify(header, lambda key: verify_userinfo(token, header, key, self._expected))


def _access_token_hash(access_token: str, algorithm: str) -> str:
    """Returns at_hash: the left half of the hash that the ID token's algorithm uses (Core 1.0, section 3.1.3.6)."""
    name = "sha512" if algorithm == "EdDSA" else f"sha{algorithm[2:]}"
    digest = hashlib.new(name, access_token.encode("utf-8", "surrogatepass")).digest()
    return _base64url(digest[: len(digest) // 2])


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
