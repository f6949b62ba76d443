"""A provider's keys: discovered, fetched without blocking, kept while the provider is down.

They are refreshed when they are ten minutes old, while the old ones still serve, and on a ``kid`` that is not known;
but attempts, not successes, are counted, and there is one a minute at most however many strangers' tokens come.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt
from cryptography.exceptions import UnsupportedAlgorithm

from gateway.errors import IdentityProviderError, InvalidCredentialsError
from gateway.events import CacheLookup, JwksRefresh, LogEvent
from gateway.identity.answers import read_json
from gateway.ports import Clock, Observer

_MAX_KEYS = 64
_LIFESPAN = 600.0
_COOLDOWN = 60.0
_KINDS = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("Ed",)}


@dataclass(frozen=True, slots=True)
class _Key:
    """A public key, and what the provider says that it is for. PyJWK would take a key without an ``alg`` for RS256
    alone; here it serves every algorithm of its kind, of which the configuration then pins some."""

    public: Any
    kind: str
    algorithm: str | None

    def fits(self, algorithm: str) -> bool:
        return self.algorithm in (None, algorithm) and algorithm.startswith(_KINDS[self.kind])


class JwksClient:
    """The keys of *issuer*, from *jwks_url* or else by discovery. *provider* is the name of its ``[[identity]]`` table;
    *session* bounds each fetch in time."""

    def __init__(
        self,
        provider: str,
        issuer: str,
        jwks_url: str,
        session: aiohttp.ClientSession,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self.provider = provider
        self.issuer = issuer
        self.generation = 0
        """Changes whenever the keys do."""
        self._jwks_url = jwks_url
        self._session = session
        self._clock = clock
        self._observer = observer
        self._keys: Mapping[str | None, _Key] = {}
        self._fingerprint = ""
        self._fetched_at: float | None = None
        self._attempted_at: float | None = None
        self._failed = False
        self._load: asyncio.Task[None] | None = None

    async def find(self, kid: Any, algorithm: str) -> Any:
        """The public key of that id, fit for *algorithm*. InvalidCredentialsError: the provider has none such.
        IdentityProviderError: it is not known here, and the provider could not be asked the last time."""
        if kid is not None and not isinstance(kid, str):
            raise InvalidCredentialsError("the token's kid is no text")
        key = self._known(kid)
        now = self._clock.monotonic()
        if key is None:
            self._observer.on_event(CacheLookup("jwks", self._way(now)))
            await self._refresh(now)
            key = self._known(kid)
        else:
            self._observer.on_event(CacheLookup("jwks", "hit"))
            if self._fetched_at is not None and now - self._fetched_at > _LIFESPAN:
                self._start(now)
        if key is None and self._failed:
            raise IdentityProviderError("the provider's keys cannot be fetched")
        if key is None or not key.fits(algorithm):
            raise InvalidCredentialsError("the provider has no such key")
        return key.public

    @property
    def state(self) -> str:
        """ok, stale or unknown."""
        if self._fetched_at is None:
            return "unknown"
        return "ok" if self._clock.monotonic() - self._fetched_at <= _LIFESPAN + _COOLDOWN else "stale"

    async def close(self) -> None:
        if self._load is not None:
            self._load.cancel()
            await asyncio.gather(self._load, return_exceptions=True)

    def _known(self, kid: str | None) -> _Key | None:
        if kid is None:
            # A token without a kid is clear only where there is one key.
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    def _way(self, now: float) -> str:
        """How a key that is not known will be looked for."""
        if self._load is not None:
            return "joined"
        return "loaded" if self._may_attempt(now) else "negative"

    def _may_attempt(self, now: float) -> bool:
        return self._attempted_at is None or now - self._attempted_at >= _COOLDOWN

    def _start(self, now: float) -> None:
        if self._load is None and self._may_attempt(now):
            self._attempted_at = now
            self._load = asyncio.create_task(self._fetch(), name=f"keys of {self.issuer}")

    async def _refresh(self, now: float) -> None:
        self._start(now)
        if self._load is not None:
            await asyncio.shield(self._load)

    async def _fetch(self) -> None:
        try:
            url = self._jwks_url or await self._discover()
            document = await self._json(url)
            keys, fingerprint = _read(document), json.dumps(document, sort_keys=True)
            if fingerprint != self._fingerprint:
                self.generation += 1
            self._keys, self._fingerprint, self._fetched_at = keys, fingerprint, self._clock.monotonic()
            self._failed = False
            self._observer.on_event(JwksRefresh(self.provider, "ok"))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            self._failed = True
            self._observer.on_event(JwksRefresh(self.provider, "error"))
            told = (("issuer", self.issuer), ("error", type(error).__name__))
            self._observer.on_event(LogEvent("warning", "a provider's keys could not be fetched", told))
        finally:
            self._load = None

    async def _discover(self) -> str:
        """OpenID Connect Discovery 1.0, 4.3: the issuer told must be the one asked, to the letter."""
        told = await self._json(self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        url = told.get("jwks_uri") if isinstance(told, dict) else None
        if not isinstance(told, dict) or told.get("issuer") != self.issuer:
            raise ValueError("the discovery document is another issuer's")
        if not isinstance(url, str) or url.partition("://")[0] not in ("https", self.issuer.partition("://")[0]):
            raise ValueError("the discovery document names no keys")
        return url

    async def _json(self, url: str) -> Any:
        async with self._session.get(url, allow_redirects=False) as answer:
            if answer.status != 200:
                raise ValueError("the provider did not answer 200")
            return await read_json(answer)


def _read(document: Any) -> dict[str | None, _Key]:
    """The public signature keys of a JWK set (RFC 7517); what is of another kind or use is passed over."""
    rows = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(rows, list) or len(rows) > _MAX_KEYS:
        raise ValueError("the provider's keys are not a JWK set")
    found: dict[str | None, _Key] = {}
    for row in rows:
        try:
            key = _public(row)
        except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
            continue
        if key is not None and isinstance(kid := row.get("kid"), str | None) and kid not in found:
            found[kid] = key
    if not found:
        raise ValueError("no key is fit for signatures")
    return found


def _public(row: Any) -> _Key | None:
    """One row as a key; None where it is secret, or for something else than signatures."""
    if not isinstance(row, dict) or row.get("kty") not in _KINDS or "d" in row:
        return None
    if row.get("use", "sig") != "sig" or "verify" not in row.get("key_ops", ["verify"]):
        return None
    return _Key(jwt.PyJWK(row).key, row["kty"], row.get("alg"))
