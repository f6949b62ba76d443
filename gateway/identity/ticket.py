"""Tickets: short-lived JWTs that a portal puts into links (``?ticket=…``), valid once, optionally for one recording."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.errors import InvalidCredentialsError, InvalidVideoError, OutOfTimeError
from gateway.identity.claim_values import parse_name
from gateway.identity.claims import Claims, TokenRequirements, algorithm_of_jwk, decode_unverified, verify
from gateway.model import Credentials, Identity, IdentityKind, parse_id
from gateway.ports import Authenticator, Clock, Store


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
    """Returns a ticket as a portal would sign it.

    *key* is a private key in PEM, or a secret of at least 32 bytes (HS256); *ttl* is seconds. Raises ValueError if the
    key is neither.
    """
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
    """Returns the signature algorithm for a signing *key*. Raises ValueError if the key is not supported."""
    if "-----BEGIN" not in key:
        if len(key.encode()) < 32:
            raise ValueError("a secret for HS256 must have at least 32 bytes (RFC 7518, section 3.2)")
        return "HS256"
    kind = type(load_pem_private_key(key.encode(), password=None)).__name__
    for name, algorithm in (("Ed25519", "EdDSA"), ("EC", "ES256"), ("RSA", "RS256")):
        if name in kind:
            return algorithm
    raise ValueError("the key must be Ed25519, P-256 or RSA")


def read_ticket(token: str, keys: Sequence[str], expected: TokenRequirements, max_age: float, now: float) -> Claims:
    """Returns the claims of a ticket that is valid at *now*, whether it was used before or not. Raises
    InvalidCredentialsError. *max_age* is seconds.

    *keys* are public keys (PEM or JWK) or shared secrets. Where both the ticket and a key have a ``kid``, the two must
    be the same; else each key is tried, so that a portal's old and new key are both valid for a while.
    """
    unverified = decode_unverified(token)
    if unverified is None:
        raise InvalidCredentialsError("the ticket is not a JWT")
    claims = _verify_with_any(token, unverified[0], keys, expected, now)
    parse_name(claims.all.get("jti"))
    if now - claims.issued_at > max_age:
        raise InvalidCredentialsError("the ticket is too old")
    if claims.expires_at - claims.issued_at > max_age:
        raise InvalidCredentialsError("the ticket's lifetime is too long")
    return claims


def _verify_with_any(
    token: str, header: Mapping[str, Any], keys: Sequence[str], expected: TokenRequirements, now: float
) -> Claims:
    """Returns the claims as verified with one of *keys*. Raises the InvalidCredentialsError of the last one, or at once
    if the signature is right and the ticket is out of its time."""
    error = InvalidCredentialsError("the ticket's kid is that of no key")
    for key, kid in map(_load_key, keys):
        if kid is not None and header.get("kid", kid) != kid:
            continue
        try:
            return verify(token, header, key, expected, now)
        except OutOfTimeError:
            raise
        except InvalidCredentialsError as refused:
            error = refused
    raise error


def _load_key(text: str) -> tuple[Any, str | None]:
    """Returns a verification key, and its ``kid`` if it is a JWK that has one. Raises InvalidCredentialsError for a JWK
    that cannot be used, which a configuration does not have."""
    try:
        jwk = json.loads(text)
        if not isinstance(jwk, dict) or "kty" not in jwk:
            return text, None
        return jwt.PyJWK(jwk, algorithm_of_jwk(jwk)).key, jwk.get("kid")
    except (jwt.PyJWTError, NotImplementedError, KeyError):
        raise InvalidCredentialsError("the key to verify tickets with cannot be used") from None
    except (ValueError, RecursionError):
        return text, None  # a PEM key, or a shared secret


class TicketAuthenticator(Authenticator):
    """Accepts tickets that are at most *max_age* seconds old, once each.

    Tickets that may have been issued before the store has lost entries are refused, because they may have been used:
    before *started_at* (Unix seconds) with a store that does not survive a restart, else before its file was created.
    The portal's clock may be ahead by the leeway, so that a ticket can state a later time than that at which it was
    issued.
    """

    def __init__(
        self,
        name: str,
        expected: TokenRequirements,
        keys: Sequence[str],
        clock: Clock,
        store: Store,
        *,
        max_age: float,
        started_at: float,
    ) -> None:
        self.name = name
        self._expected = expected
        self._keys = keys
        self._clock = clock
        self._store = store
        self._max_age = max_age
        self._started_at = started_at

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Returns the identity, or None without a ticket of this issuer. Marks the ticket as used if the credentials
        say so.

        Raises InvalidCredentialsError if the ticket is not valid or was used, BusyError if the store fails.
        """
        if credentials.ticket is None:
            return None
        token = credentials.ticket.reveal()
        unverified = decode_unverified(token)
        if unverified is None or unverified[1].get("iss") != self._expected.issuer:
            return None
        claims = read_ticket(token, self._keys, self._expected, self._max_age, self._clock.now())
        self._refuse_lost(claims)
        identity = self._identity(claims)
        if await self._is_used(claims, consume=credentials.consume_ticket):
            raise InvalidCredentialsError("the ticket was used before")
        return identity

    def _refuse_lost(self, claims: Claims) -> None:
        """Raises InvalidCredentialsError if the ticket may have been used, and the store has lost that since."""
        issued_at, complete_since = claims.issued_at - self._expected.leeway, self._store.complete_since
        if complete_since is None and issued_at < self._started_at:
            raise InvalidCredentialsError("the ticket may have been issued before this process started")
        if complete_since is not None and issued_at < complete_since:
            raise InvalidCredentialsError("the ticket may have been issued before the file of the state was created")

    async def _is_used(self, claims: Claims, *, consume: bool) -> bool:
        """Whether the ticket was used before. *consume*: whether it counts as used from now on."""
        key = f"{claims.all['iss']} {claims.all['jti']}"
        since = claims.issued_at - self._expected.leeway
        if not consume:
            return await self._store.is_consumed(key, since=since)
        until = claims.expires_at + self._expected.leeway + self._max_age
        return not await self._store.consume(key, until, since=since)

    def _identity(self, claims: Claims) -> Identity:
        return Identity(
            subject=claims.subject,
            issuer=self._expected.issuer,
            provider=self.name,
            kind=IdentityKind.TICKET,
            groups=claims.groups,
            issued_at=claims.issued_at,
            leeway=self._expected.leeway,
            expires_at=claims.expires_at,
            recording=_parse_scope(claims, "recording"),
            video=_parse_scope(claims, "video"),
        )


def _parse_scope(claims: Claims, name: str) -> str | None:
    """Returns the recording or video that limits the ticket, or None if it has no such claim. Raises
    InvalidCredentialsError for any value that is not an id, null included: a portal that has lost the id must not issue
    a ticket for everything."""
    if name not in claims.all:
        return None
    value = claims.all[name]
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    try:
        return parse_id(value if isinstance(value, str) else "")
    except InvalidVideoError:
        raise InvalidCredentialsError(f"the ticket's {name} is not an id") from None
