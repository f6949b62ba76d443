"""A short-lived JWT that the portal signs into a link: ``?ticket=…``. Good once, and optionally for one recording."""

import secrets
from collections.abc import Iterable
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.errors import InvalidCredentialsError, InvalidVideoError
from gateway.identity.claims import Claims, TokenRequirements, name_of, peek, verify
from gateway.model import Credentials, Identity, IdentityKind, parse_id
from gateway.ports import Clock, Store


def mint_ticket(
    key: str,
    *,
    issuer: str,
    audience: str,
    subject: str,
    now: float,
    ttl: float,
    groups: Iterable[str] = (),
    recording: str | None = None,
    video: str | None = None,
    algorithm: str | None = None,
) -> str:
    """A ticket as a portal would sign it. *key* is a private key's PEM, or a secret of 32 bytes or more (HS256);
    *ttl* is seconds. ValueError where the key is neither."""
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "iat": int(now),
        "exp": int(now + ttl),
        "jti": secrets.token_urlsafe(16),
        "groups": sorted(groups),
    }
    claims |= {name: value for name, value in (("recording", recording), ("video", video)) if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm or algorithm_of(key))


def algorithm_of(key: str) -> str:
    """The algorithm that fits a signing *key*."""
    if "-----BEGIN" not in key:
        if len(key.encode()) < 32:
            raise ValueError("a secret for HS256 has 32 bytes or more (RFC 7518, 3.2)")
        return "HS256"
    kind = type(load_pem_private_key(key.encode(), password=None)).__name__
    for name, algorithm in (("Ed25519", "EdDSA"), ("EllipticCurve", "ES256"), ("EC", "ES256"), ("RSA", "RS256")):
        if name in kind:
            return algorithm
    raise ValueError("the key is none of Ed25519, P-256 and RSA")


def read_ticket(token: str, key: str, expected: TokenRequirements, max_age: float, now: float) -> Claims:
    """The claims of a ticket that is right at *now*, spent or not. InvalidCredentialsError."""
    peeked = peek(token)
    if peeked is None:
        raise InvalidCredentialsError("the ticket is no JWT")
    claims = verify(token, peeked[0], key, expected, now)
    name_of(claims.all.get("jti"))
    if now - claims.issued_at > max_age:
        raise InvalidCredentialsError("the ticket is too old")
    if claims.expires_at - claims.issued_at > max_age:
        raise InvalidCredentialsError("the ticket was made to live too long")
    return claims


class TicketAuthenticator:
    """*max_age* is seconds. *started_at*, Unix seconds: where the store forgets at a restart, what was issued before is
    refused, since it may have been spent."""

    def __init__(
        self,
        name: str,
        expected: TokenRequirements,
        key: str,
        clock: Clock,
        store: Store,
        *,
        max_age: float,
        started_at: float,
    ) -> None:
        self.name = name
        self._expected = expected
        self._key = key
        self._clock = clock
        self._store = store
        self._max_age = max_age
        self._started_at = started_at

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        if credentials.ticket is None:
            return None
        token = credentials.ticket.reveal()
        peeked = peek(token)
        if peeked is None or peeked[1].get("iss") != self._expected.issuer:
            return None
        claims = read_ticket(token, self._key, self._expected, self._max_age, self._clock.now())
        if not self._store.durable and claims.issued_at < int(self._started_at):
            raise InvalidCredentialsError("the ticket was issued before this process started")
        identity = self._identity(claims)
        until = claims.expires_at + self._expected.leeway + self._max_age
        if credentials.consume_ticket and not await self._store.spend(
            f"{claims.all['iss']} {claims.all['jti']}", until
        ):
            raise InvalidCredentialsError("the ticket has been used")
        return identity

    def _identity(self, claims: Claims) -> Identity:
        return Identity(
            subject=claims.subject,
            issuer=self._expected.issuer,
            provider=self.name,
            kind=IdentityKind.TICKET,
            groups=claims.groups,
            issued_at=claims.issued_at,
            expires_at=claims.expires_at,
            recording=_narrowed(claims, "recording"),
            video=_narrowed(claims, "video"),
        )


def _narrowed(claims: Claims, name: str) -> str | None:
    value = claims.all.get(name)
    try:
        return None if value is None else parse_id(str(value))
    except InvalidVideoError:
        raise InvalidCredentialsError(f"the ticket's {name} is no id") from None
