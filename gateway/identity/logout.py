"""Logout tokens, with which a provider ends sessions without the browser: OpenID Connect Back-Channel Logout 1.0. Pure.

A session stores two short digests of the ID token's ``sub`` and ``sid`` as its revocation keys: they fit into a cookie
and reveal neither claim.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import InvalidCredentialsError
from gateway.identity.claim_values import parse_name, parse_time
from gateway.identity.claims import TokenRequirements, token_type, verify_signature

_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_DIGEST_BYTES = 12


@dataclass(frozen=True, slots=True)
class Logout:
    """A verified logout token. Whether it was used before is for the caller to check."""

    issuer: str
    subject: str | None
    """The person, if the token has the claim by which this gateway names people."""
    jti: str
    expires_at: float
    """Unix seconds after which the token cannot be replayed."""
    revocation_keys: tuple[str, ...]
    """Those of the sessions that it ends."""


def session_revocation_keys(issuer: str, claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the revocation keys of a session that began with an ID token of these *claims*: one for the person, and
    one for the session's ``sid`` or for "sessions of this person without a sid"."""
    sub, sid = claims.get("sub"), _sid(claims)
    return _digest(issuer, "sub", sub), _digest(issuer, *(("only", sub) if sid is None else ("sid", sid)))


def read_logout(token: str, header: Mapping[str, Any], key: Any, expected: TokenRequirements, now: float) -> Logout:
    """Returns what a logout *token* ends (section 2.6). Raises InvalidCredentialsError.

    A token with both a ``sub`` and a ``sid`` ends that session and the person's sessions without a ``sid``: a provider
    may send ``sid`` in logout tokens and omit it from ID tokens.
    """
    if token_type(header) not in ("logout+jwt", "jwt"):
        raise InvalidCredentialsError("the token has another type")
    claims = verify_signature(token, header, key, expected, now)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise InvalidCredentialsError("the token contains no logout event")
    if "nonce" in claims:
        raise InvalidCredentialsError("the token has a nonce, so it may be an ID token")
    for name in (claims.get("sub"), _sid(claims)):
        if name is not None:
            parse_name(name)
    # Not the sub in another claim's place: it could be the name of somebody else here.
    subject = claims.get(expected.subject_claim)
    return Logout(
        issuer=expected.issuer,
        subject=None if subject is None else parse_name(subject),
        jti=parse_name(claims.get("jti")),
        expires_at=parse_time(claims, "exp") + expected.leeway,
        revocation_keys=_revocation_keys(expected.issuer, claims),
    )


def _revocation_keys(issuer: str, claims: Mapping[str, Any]) -> tuple[str, ...]:
    sub, sid = claims.get("sub"), _sid(claims)
    if sid is None and sub is None:
        raise InvalidCredentialsError("the token names neither a person nor a session")
    if sid is None:
        return (_digest(issuer, "sub", sub),)
    return _digest(issuer, "sid", sid), *(() if sub is None else (_digest(issuer, "only", sub),))


def _sid(claims: Mapping[str, Any]) -> Any:
    """Returns the ``sid`` of *claims*; None if there is none, or one that names no session (null, an empty text)."""
    return None if claims.get("sid") == "" else claims.get("sid")


def _digest(issuer: str, kind: str, value: Any) -> str:
    text = "\0".join((issuer, kind, str(value)))
    return base64.urlsafe_b64encode(
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_DIGEST_BYTES]
    ).decode()
