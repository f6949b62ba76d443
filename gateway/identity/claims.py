"""What a signed token must say before it is believed. Pure: RFC 7519 and RFC 8725, stricter than PyJWT where it is lax.

PyJWT checks the signature under an algorithm that the configuration pins; times, types and duplicate keys are checked
here, against a clock that is an argument.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from gateway.errors import InvalidCredentialsError, OutOfTimeError

MAX_TOKEN = 8192
_MAX_NAME = 255
_MAX_GROUPS = 2000
# Explicit types of other kinds of token (RFC 8725, 3.11): none of them says who somebody is here.
_OTHER_TYPES = frozenset({"logout+jwt", "dpop+jwt", "secevent+jwt", "token-introspection+jwt"})


@dataclass(frozen=True, slots=True)
class TokenRequirements:
    """What tokens of one issuer must satisfy. *leeway* is seconds."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    leeway: float
    subject_claim: str = "sub"
    groups_claim: str = "groups"


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims that are used. Times are Unix seconds."""

    subject: str
    groups: frozenset[str]
    issued_at: float
    expires_at: float
    all: Mapping[str, Any]


def peek(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Header and claims of a JWT in compact form, unverified; None where it is none."""
    parts = token.split(".")
    if len(token) > MAX_TOKEN or len(parts) != 3 or not token.isascii():
        return None
    try:
        header, claims = (json.loads(_decoded(part), object_pairs_hook=_once) for part in parts[:2])
    except (ValueError, RecursionError, binascii.Error):
        return None
    return (header, claims) if isinstance(header, dict) and isinstance(claims, dict) else None


def verify(token: str, header: Mapping[str, Any], key: Any, expected: TokenRequirements, now: float) -> Claims:
    """The claims of *token* if its signature, its times and every claim are right. InvalidCredentialsError."""
    if kind_of(header) in _OTHER_TYPES:
        raise InvalidCredentialsError("the token is of another kind")
    claims = signed(token, header, key, expected, now)
    if "events" in claims:
        raise InvalidCredentialsError("the token tells what happened (RFC 8417), and not who somebody is")
    name_of(claims.get("sub", claims.get(expected.subject_claim)))
    return Claims(
        subject=name_of(claims.get(expected.subject_claim)),
        groups=groups_of(claims.get(expected.groups_claim)),
        issued_at=time_of(claims, "iat"),
        expires_at=time_of(claims, "exp"),
        all=claims,
    )


def signed(
    token: str, header: Mapping[str, Any], key: Any, expected: TokenRequirements, now: float
) -> Mapping[str, Any]:
    """What *token* says, of whatever kind it is, if its issuer signed it for us and it is good at *now*.
    InvalidCredentialsError."""
    if header.get("alg") not in expected.algorithms:
        raise InvalidCredentialsError("the token's algorithm is not one that is allowed")
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
                "require": ["iss", "aud"],
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
    issued_at, expires_at = time_of(claims, "iat"), time_of(claims, "exp")
    if now >= expires_at + expected.leeway:
        raise OutOfTimeError("the token has expired")
    if issued_at > now + expected.leeway or ("nbf" in claims and time_of(claims, "nbf") > now + expected.leeway):
        raise OutOfTimeError("the token is not valid yet")
    return claims


def kind_of(header: Mapping[str, Any]) -> str:
    """The token's explicit type (RFC 8725, 3.11), in its short spelling (RFC 7515, 4.1.9)."""
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str):
        raise InvalidCredentialsError("the token's type is no text")
    return kind.lower().removeprefix("application/")


def name_of(value: Any) -> str:
    """A person's or group's name, as it is: not empty, not endless, nothing that a log or a header could misread."""
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= _MAX_NAME
        or not value.isprintable()
        or value != value.strip()
    ):
        raise InvalidCredentialsError("a name is empty, too long, or has characters that no name has")
    return value


def groups_of(value: Any) -> frozenset[str]:
    """A list of names, or one name."""
    names = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(names, list) or len(names) > _MAX_GROUPS:
        raise InvalidCredentialsError("the groups are not a list of names")
    return frozenset(name_of(name) for name in names)


def time_of(claims: Mapping[str, Any], claim: str) -> float:
    """A NumericDate (RFC 7519, 2) within the life of any clock."""
    value = claims.get(claim)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise InvalidCredentialsError(f"the claim {claim} is not a time")
    return float(value)


def _decoded(part: str) -> bytes:
    """Base64url without padding (RFC 7515, 2), in its one canonical spelling."""
    decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != part:
        raise ValueError
    return decoded


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
