"""The public keys of a token issuer (JWK set, RFC 7517), fetched without blocking the event loop.

The keys are refreshed in the background when they are ten minutes old, and at once for an unknown ``kid``, for a wrong
signature, and after a pause without requests. Refreshes start at least a minute apart, however many forged tokens
arrive. While the provider is down the last keys stay in use, for at most 24 hours: a provider withdraws a key that was
stolen.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import jwt

from gateway.errors import IdentityProviderError, InvalidCredentialsError
from gateway.events import CacheLookup, JwksRefresh, LogEvent
from gateway.identity.claims import algorithm_of_jwk
from gateway.identity.discovery import fetch_json, fetch_metadata
from gateway.identity.refreshed import RefreshedValue
from gateway.ports import Clock, Observer

T = TypeVar("T")

_MAX_KEYS = 64
_MAX_AGE = 600.0
_COOLDOWN = 60.0
_MAX_STALE = 24 * 3600.0
"""Seconds after the last successful request in which the keys are used."""
_ALGORITHM_PREFIXES = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("Ed",)}


@dataclass(frozen=True, slots=True)
class SignatureKey:
    """A public key with its ``kty``, ``alg`` and ``kid``.

    PyJWK restricts a key without ``alg`` to one algorithm (RS256 for RSA). Here such a key serves every algorithm of
    its type, of which the configuration then allows some.
    """

    public: Any
    key_type: str
    algorithm: str | None
    kid: str | None

    def fits(self, algorithm: str) -> bool:
        return self.algorithm in (None, algorithm) and algorithm.startswith(_ALGORITHM_PREFIXES[self.key_type])


class JwksClient:
    """The keys of *issuer*, from *jwks_url* or, if that is empty, from the URL in its discovery document.

    *provider* is the name of its ``[[identity]]`` table. *session* limits the duration of each request.
    """

    def __init__(
        self,
        provider: str,
        issuer: str,
        jwks_url: str,
        session: aiohttp.ClientSession,
        clock: Clock,
        observer: Observer,
        discovery_url: str = "",
    ) -> None:
        self._discovery_url = discovery_url
        self._source = (issuer, jwks_url, discovery_url)
        self.generation = 0
        """Increases whenever the key set changes."""
        self._provider = provider
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._session = session
        self._observer = observer
        self._keys = RefreshedValue(f"keys of {issuer}", self._load, clock, cooldown=_COOLDOWN)
        self._fingerprint = ""

    async def find(self, kid: Any, algorithm: str) -> Any:
        """Returns the public key with that id, fit for *algorithm*.

        Raises InvalidCredentialsError if the provider has no such key, IdentityProviderError if the key is not cached
        and the last request to the provider failed.
        """
        if kid is not None and not isinstance(kid, str):
            raise InvalidCredentialsError("the token's kid is not a string")
        if self._keys.value is not None:
            await self._keys.refresh_if_old(_MAX_AGE)
        key = self._cached(kid, algorithm)
        if key is None:
            self._observer.on_event(CacheLookup("jwks", self._miss_result()))
            await self._keys.refresh()
            key = self._cached(kid, algorithm)
        else:
            self._observer.on_event(CacheLookup("jwks", "hit"))
        if key is None and self._keys.error is not None:
            raise IdentityProviderError(f"the provider's keys cannot be fetched: {self._keys.error}")
        if key is None:
            raise InvalidCredentialsError("the provider has no such key")
        return key.public

    async def verify(self, header: Mapping[str, Any], check: Callable[[Any], T]) -> T:
        """Returns *check* of the key that the token's *header* names. If the signature is not by that key, or by one of
        its curve, fetches the keys and tries again: a provider may replace a key under the same ``kid``, or name none.

        Raises what `find` and *check* raise.
        """
        kid, algorithm = header.get("kid"), str(header.get("alg"))
        key = await self.find(kid, algorithm)
        try:
            return check(key)
        except InvalidCredentialsError as error:
            # What the library raised says why: a token with a wrong claim needs no other key.
            if not isinstance(error.__context__, (jwt.InvalidSignatureError, jwt.InvalidKeyError)):
                raise
            await self._keys.refresh()
            replaced = await self.find(kid, algorithm)
            if replaced is key:
                raise
        return check(replaced)

    def take_over(self, previous: "JwksClient") -> None:
        """Uses the keys of *previous*, which a reload replaces, if both ask the same issuer at the same URL, until this
        client has fetched them itself: a reload must not refuse everybody while the provider is down."""
        if self._source == previous._source:
            self._keys.take_over(previous._keys)

    @property
    def state(self) -> str:
        """ok, stale or unknown."""
        if self._keys.value is None:
            return "unknown"
        return "ok" if self._keys.age <= _MAX_AGE + _COOLDOWN else "stale"

    async def close(self) -> None:
        """Cancel a running request."""
        await self._keys.close()

    def _cached(self, kid: str | None, algorithm: str) -> SignatureKey | None:
        """Returns the key with that *kid* that fits *algorithm*. If the token or the keys have none, returns the only
        key that it can be."""
        keys = () if self._keys.value is None or self._keys.age > _MAX_STALE else self._keys.value
        candidates = [key for key in keys if kid is None or key.kid == kid]
        candidates = candidates or [key for key in keys if key.kid is None]
        fitting = [key for key in candidates if key.fits(algorithm)]
        return fitting[0] if len(fitting) == 1 else None

    def _miss_result(self) -> str:
        """How an unknown kid will be resolved, as a label of the metric."""
        if self._keys.is_loading:
            return "joined"
        return "loaded" if self._keys.may_start else "negative"

    async def _load(self) -> tuple[SignatureKey, ...]:
        try:
            document = await fetch_json(self._session, self._jwks_url or await self._discover())
            keys = parse_key_set(document)
        except Exception as error:
            self._observer.on_event(JwksRefresh(self._provider, "error"))
            reason = str(error) if isinstance(error, IdentityProviderError) else type(error).__name__
            fields = (("issuer", self._issuer), ("error", reason))
            self._observer.on_event(LogEvent("warning", "a provider's keys could not be fetched", fields))
            raise
        fingerprint = json.dumps(document, sort_keys=True)
        if fingerprint != self._fingerprint:
            self._fingerprint = fingerprint
            self.generation += 1
        self._observer.on_event(JwksRefresh(self._provider, "ok"))
        return keys

    async def _discover(self) -> str:
        return (await fetch_metadata(self._session, self._issuer, self._discovery_url)).required_url("jwks_uri")


def parse_key_set(document: Any) -> tuple[SignatureKey, ...]:
    """Returns the public signature keys of a JWK set (RFC 7517); other keys are ignored. Raises
    IdentityProviderError if there are none."""
    rows = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(rows, list) or len(rows) > _MAX_KEYS:
        raise IdentityProviderError("the provider's keys are not a JWK set")
    keys: list[SignatureKey] = []
    ids: set[tuple[str, str]] = set()
    for row in rows:
        try:
            key = _parse_key(row)
        except Exception:  # noqa: S112
            # Of the many kinds that the libraries raise, each means a key that is not supported: it verifies nothing,
            # and a set without any other is an error.
            continue
        # Keys of different types may have the same kid (RFC 7517, section 4.5).
        if key is not None and (key.kid is None or (key.kid, key.key_type) not in ids):
            keys.append(key)
            ids |= {(key.kid, key.key_type)} if key.kid is not None else set()
    if not keys:
        raise IdentityProviderError("the provider's JWK set has no signature key")
    return tuple(keys)


def _parse_key(row: Any) -> SignatureKey | None:
    """Returns a public signature key, or None for a secret or private key or one with another use."""
    if not isinstance(row, dict) or row.get("kty") not in _ALGORITHM_PREFIXES or "d" in row:
        return None
    if not isinstance(row.get("kid"), str | None):
        return None
    if row.get("use", "sig") != "sig" or "verify" not in row.get("key_ops", ["verify"]):
        return None
    algorithm = algorithm_of_jwk(row)
    return SignatureKey(jwt.PyJWK(row, algorithm).key, row["kty"], algorithm, row.get("kid"))
