"""Verification of signed tokens: RFC 7519 and RFC 8725, stricter than PyJWT where it is lax. Pure.

PyJWT verifies the signature with an algorithm that the configuration allows. Times, types and duplicate claims are
verified here, at a time that is an argument.
"""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from gateway.errors import GroupsElsewhereError, InvalidCredentialsError, OutOfTimeError
from gateway.identity.claim_values import are_elsewhere, find_claim, parse_groups, parse_name, parse_time

MAX_TOKEN = 8192
"""Characters of a token that clients send: a header and a request line have no room for more."""
MAX_FETCHED_TOKEN = 128 * 1024
"""Characters of a token that a provider's endpoint returns. Entra ID lists up to 200 groups: over ten thousand."""
_PERSON_TYPES = frozenset({"jwt", "at+jwt"})
"""Explicit types (RFC 8725, section 3.11) of tokens that identify a person to this service."""


@dataclass(frozen=True, slots=True)
class TokenRequirements:
    """What the tokens of one issuer must satisfy."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    leeway: float
    """Seconds by which the issuer's clock may differ."""
    subject_claim: str = "sub"
    groups_claim: str = "groups"
    """The name of a claim or, where no claim has that name, a dotted path."""
    require_verified_email: bool = True
    """Whether ``email_verified`` must be true if the subject claim is ``email``."""
    max_lifetime: float | None = None
    """The longest lifetime in seconds, from now and from the issue of the token; None is no limit."""

    @property
    def needs_verified_email(self) -> bool:
        """Whether the subject is an e-mail address that ``email_verified`` must confirm."""
        return self.require_verified_email and self.subject_claim == "email"


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a verified token. Times are Unix seconds."""

    subject: str
    groups: frozenset[str]
    ignored_groups: int
    """How many values of the groups claim are no names of groups."""
    issued_at: float
    expires_at: float
    all: Mapping[str, Any]


def decode_unverified(token: str, *, longest: int = MAX_TOKEN) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Returns the header and the claims of a JWT in compact form, unverified, or None if *token* is not one or has more
    than *longest* characters."""
    parts = token.split(".")
    if len(token) > longest or len(parts) != 3 or not token.isascii():
        return None
    try:
        header, claims = (json.loads(_decode(part), object_pairs_hook=_reject_duplicates) for part in parts[:2])
    except (ValueError, RecursionError, binascii.Error):
        return None
    return (header, claims) if isinstance(header, dict) and isinstance(claims, dict) else None


def algorithm_of_jwk(row: Mapping[str, Any]) -> Any:
    """Returns ``alg`` of a JWK as the header of tokens names it, None if it has none. "Ed25519" is EdDSA with a key of
    that curve (RFC 9864, section 2.2): WebCrypto writes it into the keys that it exports."""
    algorithm = row.get("alg")
    return "EdDSA" if algorithm == "Ed25519" else algorithm


def verify(token: str, header: Mapping[str, Any], key: Any, expected: TokenRequirements, now: float) -> Claims:
    """Returns the claims of a token that identifies a person. Raises InvalidCredentialsError if its type, signature,
    issuer, audience, times or any claim that is used is wrong, and GroupsElsewhereError."""
    if token_type(header) not in _PERSON_TYPES:
        raise InvalidCredentialsError("the token has another type")
    claims = verify_signature(token, header, key, expected, now)
    if "events" in claims:
        raise InvalidCredentialsError("the token reports an event (RFC 8417) and identifies nobody")
    issued_at, expires_at = parse_time(claims, "iat"), parse_time(claims, "exp")
    # From its issue too: a token that outlives what is stored of a revocation would be valid again at its end.
    longest = math.inf if expected.max_lifetime is None else expected.max_lifetime + expected.leeway
    if expires_at > min(now, issued_at) + longest:
        raise InvalidCredentialsError("the token is valid for longer than max_lifetime")
    groups, ignored = read_groups(claims, expected)
    return Claims(
        subject=parse_subject(claims, expected),
        groups=groups,
        ignored_groups=ignored,
        issued_at=issued_at,
        expires_at=expires_at,
        all=claims,
    )


def verify_signature(
    token: str, header: Mapping[str, Any], key: Any, expected: TokenRequirements, now: float
) -> Mapping[str, Any]:
    """Returns the claims of a token of any type. Raises InvalidCredentialsError if its signature, issuer or audience is
    wrong, and OutOfTimeError if it has expired or is not valid yet."""
    if header.get("alg") not in expected.algorithms:
        raise InvalidCredentialsError("the token's algorithm is not allowed")
    if "crit" in header or header.get("b64", True) is not True:
        raise InvalidCredentialsError("the token has critical extensions")
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[header["alg"]],
            audience=expected.audience,
            issuer=expected.issuer,
            options={
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_sub": False,
                "verify_jti": False,
                "enforce_minimum_key_length": True,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidCredentialsError(f"the token is not valid: {type(error).__name__}") from None
    issued_at, expires_at = parse_time(claims, "iat"), parse_time(claims, "exp")
    if now >= expires_at + expected.leeway:
        raise OutOfTimeError("the token has expired")
    if issued_at > now + expected.leeway or ("nbf" in claims and parse_time(claims, "nbf") > now + expected.leeway):
        raise OutOfTimeError("the token is not valid yet")
    return claims


def verify_userinfo(token: str, header: Mapping[str, Any], key: Any, expected: TokenRequirements) -> Mapping[str, Any]:
    """Returns the claims of a signed userinfo response (OpenID Connect Core 1.0, section 5.3.2), whose ``iss`` and
    ``aud`` are optional and which has no times. Raises InvalidCredentialsError."""
    if header.get("alg") not in expected.algorithms or "crit" in header or header.get("b64", True) is not True:
        raise InvalidCredentialsError("the userinfo's algorithm is not allowed, or it has critical extensions")
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[header["alg"]],
            options={"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidCredentialsError(f"the userinfo is not valid: {type(error).__name__}") from None
    audience = claims.get("aud", expected.audience)
    audiences = audience if isinstance(audience, list) else [audience]
    if claims.get("iss", expected.issuer) != expected.issuer or expected.audience not in audiences:
        raise InvalidCredentialsError("the userinfo has another issuer or audience")
    return claims


def token_type(header: Mapping[str, Any]) -> str:
    """Returns the explicit type (RFC 8725, section 3.11) in lower case, without ``application/`` (RFC 7515, section
    4.1.9); ``jwt`` if there is none."""
    value = header.get("typ", "JWT")
    if not isinstance(value, str):
        raise InvalidCredentialsError("the token's type is not a string")
    return value.lower().removeprefix("application/")


def parse_subject(claims: Mapping[str, Any], expected: TokenRequirements) -> str:
    """Returns the person's name. Raises InvalidCredentialsError if it is not a name, or an e-mail address that the
    issuer does not state to be verified: whoever chooses the address would choose the person."""
    subject = parse_name(claims.get(expected.subject_claim))
    if expected.needs_verified_email and claims.get("email_verified") is not True:
        raise InvalidCredentialsError("the e-mail address is not verified (email_verified)")
    return subject


def read_groups(claims: Mapping[str, Any], expected: TokenRequirements) -> tuple[frozenset[str], int]:
    """Returns the names in the groups claim, and how many of its values are no names. Raises GroupsElsewhereError if
    the claims say that the groups have to be fetched elsewhere, as Entra ID's do for people with many groups."""
    if are_elsewhere(claims, expected.groups_claim):
        raise GroupsElsewhereError(
            "the token has too many groups to list them (_claim_names, hasgroups): configure the provider to send "
            'only groups assigned to the application, or app roles with groups_claim = "roles"'
        )
    return parse_groups(find_claim(claims, expected.groups_claim))


def _decode(part: str) -> bytes:
    """Decodes base64url without padding (RFC 7515, section 2). Raises ValueError if it is not the canonical form."""
    decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != part:
        raise ValueError
    return decoded


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members
