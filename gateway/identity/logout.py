"""Logout tokens, by which a provider ends sessions behind the browser's back: OpenID Connect Back-Channel Logout 1.0.

A session keeps no more of its ID token than two short names, digests of the provider's own ``sub`` and ``sid``: these
fit into its cookie, and they tell a stranger nothing. Pure.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import InvalidCredentialsError
from gateway.identity.claims import TokenRequirements, kind_of, name_of, signed, time_of

_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_DIGEST_BYTES = 12


@dataclass(frozen=True, slots=True)
class Logout:
    """A logout token that is right, replayed or not. *until*: Unix seconds after which it cannot be replayed."""

    issuer: str
    subject: str | None
    """The person, as the token names them, if it does."""
    jti: str
    until: float
    ends: tuple[str, ...]
    """The names of the sessions that are over."""


def session_names(issuer: str, claims: Mapping[str, Any]) -> tuple[str, ...]:
    """What *issuer* may call a session of an ID token that says *claims*, when it ends it: its person's, and its own.
    One that has no sid of its own is called its person's only."""
    sub = claims.get("sub")
    return _digest(issuer, "sub", sub), _digest(issuer, *(("sid", claims["sid"]) if "sid" in claims else ("only", sub)))


def read_logout(token: str, header: Mapping[str, Any], key: Any, expected: TokenRequirements, now: float) -> Logout:
    """What a logout *token* ends (section 2.6). InvalidCredentialsError.

    One that names both a person and a session ends that session, and those of the person that were never told their
    sid: a provider that leaves it out of its ID tokens would be heard otherwise, and not obeyed.
    """
    if kind_of(header) not in ("logout+jwt", "jwt"):
        raise InvalidCredentialsError("the token is of another kind")
    claims = signed(token, header, key, expected, now)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise InvalidCredentialsError("the token tells of no logout")
    if "nonce" in claims:
        raise InvalidCredentialsError("the token has a nonce, so it may be an ID token")
    for claim in {"sub", "sid"} & claims.keys():
        name_of(claims[claim])
    subject = claims.get(expected.subject_claim, claims.get("sub"))
    return Logout(
        issuer=expected.issuer,
        subject=None if subject is None else name_of(subject),
        jti=name_of(claims.get("jti")),
        until=time_of(claims, "exp") + expected.leeway,
        ends=_ended(expected.issuer, claims),
    )


def _ended(issuer: str, claims: Mapping[str, Any]) -> tuple[str, ...]:
    if "sid" not in claims and "sub" not in claims:
        raise InvalidCredentialsError("the token names neither a person nor a session")
    if "sid" not in claims:
        return (_digest(issuer, "sub", claims["sub"]),)
    unnamed = (_digest(issuer, "only", claims["sub"]),) if "sub" in claims else ()
    return _digest(issuer, "sid", claims["sid"]), *unnamed


def _digest(issuer: str, kind: str, value: Any) -> str:
    text = "\0".join((issuer, kind, str(value)))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:_DIGEST_BYTES]).decode()
