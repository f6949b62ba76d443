"""A small OpenID provider on real sockets, which can be made to fail."""

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt import algorithms

_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
"""One key for all tests: generating an RSA key takes longer than most tests."""


@dataclass(slots=True)
class SigningKey:
    """A private key, with its entry in the key set."""

    kid: str
    algorithm: str
    private: Any

    def row(self) -> dict[str, Any]:
        kind: dict[str, Any] = {
            "RS": algorithms.RSAAlgorithm,
            "ES": algorithms.ECAlgorithm,
            "Ed": algorithms.OKPAlgorithm,
        }
        public = kind[self.algorithm[:2]].to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "use": "sig"}


def signing_key(algorithm: str) -> SigningKey:
    private: Any = {
        "RS256": lambda: _RSA,
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }[algorithm]()
    return SigningKey(uuid.uuid4().hex, algorithm, private)


@dataclass
class Provider:
    """*request_counts* counts requests by path and query. While *gate* is set to an event, responses wait for it."""

    issuer: str = ""
    keys: list[SigningKey] = field(default_factory=lambda: [signing_key("EdDSA")])
    down: bool = False
    rubbish: bytes | None = None
    """The body of the response in place of the key set."""
    gate: asyncio.Event | None = None
    discovery: dict[str, Any] = field(default_factory=dict)
    """Values that replace those of the discovery document."""
    redirects: bool = False
    date_ahead: float = 0.0
    """How far its clock is ahead, in seconds, by the Date of its key set."""
    id_token: Mapping[str, Any] = field(default_factory=dict)
    """The claims of the next ID token."""
    request_counts: Counter[str] = field(default_factory=Counter)
    authorizations: list[str] = field(default_factory=list)
    """The Authorization headers of requests to the token endpoint."""

    def sign(
        self,
        claims: Mapping[str, Any],
        *,
        key: SigningKey | None = None,
        algorithm: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> str:
        key = key or self.keys[0]
        return jwt.encode(
            dict(claims), key.private, algorithm=algorithm or key.algorithm, headers={"kid": key.kid, **(headers or {})}
        )

    def rotate(self, algorithm: str = "EdDSA") -> SigningKey:
        """Replaces the keys by a new one, which is returned."""
        self.keys = [signing_key(algorithm)]
        return self.keys[0]

    def application(self) -> web.Application:
        """Returns the provider's endpoints; whoever serves them sets *issuer* to the server's URL."""
        application = web.Application()
        application.router.add_get("/.well-known/openid-configuration", self._discovery)
        application.router.add_get("/keys", self._keys)
        application.router.add_get("/elsewhere", self._keys)
        application.router.add_post("/token", self._token)
        return application

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Provider"]:
        """Serves the endpoints on a free port of loopback. In a fixture, use ``aiohttp_server`` instead."""
        async with TestServer(self.application()) as server:
            self.issuer = str(server.make_url("")).rstrip("/")
            yield self

    async def _discovery(self, request: web.Request) -> web.Response:
        await self._misbehave(request)
        document = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
        }
        return web.json_response({**document, **self.discovery})

    async def _token(self, request: web.Request) -> web.Response:
        await self._misbehave(request)
        self.authorizations.append(request.headers.get("Authorization", ""))
        tokens = {"token_type": "Bearer", "access_token": "the-access-token", "id_token": self.sign(self.id_token)}
        return web.json_response(tokens)

    async def _keys(self, request: web.Request) -> web.Response:
        await self._misbehave(request)
        if self.redirects and request.path == "/keys":
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        body = self.rubbish if self.rubbish is not None else json.dumps({"keys": [k.row() for k in self.keys]}).encode()
        date = formatdate(time.time() + self.date_ahead, usegmt=True)
        return web.Response(body=body, content_type="application/json", headers={"Date": date})

    async def _misbehave(self, request: web.Request) -> None:
        self.request_counts[request.path_qs] += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise web.HTTPServiceUnavailable
