"""The tokens in the simulated VALT's links: signed by its API, verified by its media server."""

import secrets
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.ports import Clock
from gateway.sim.knobs import Knobs

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_KID = str(uuid4())


class LinkSigner:
    """Signs and verifies the tokens in links: PS512, valid for half an hour, with no claim for a person or file."""

    def __init__(self, knobs: Knobs, clock: Clock) -> None:
        self.signed: list[str] = []
        """Every token that has been put into a link."""
        self._knobs = knobs
        self._clock = clock

    def now(self) -> float:
        return self._clock.now() + self._knobs.clock_ahead

    def sign(self, host: str, path: str) -> str:
        if self._knobs.link_not_jwt:
            return secrets.token_hex(16)
        issued = int(self.now())
        claims: dict[str, Any] = {"iat": issued, "nbf": issued}
        if not self._knobs.link_without_exp:
            claims["exp"] = int(issued + self._knobs.link_life)
        claims |= {"iss": host, "sub": host, "aud": host}
        if not self._knobs.unscoped_links:
            claims["path"] = path
        self.signed.append(jwt.encode(claims, _KEY, algorithm="PS512", headers={"kid": _KID}))
        return self.signed[-1]

    def accepts(self, token: str, path: str) -> bool:
        if self._knobs.link_not_jwt:
            return True
        try:
            claims = _claims(token)
        except jwt.PyJWTError:
            return False
        ends_at = float("inf") if self._knobs.ignore_exp else claims.get("exp", float("inf"))
        good = claims["nbf"] <= self.now() and self.now() < ends_at
        return bool(good and claims.get("path", path) == path)

    def left(self, token: str) -> float | None:
        """Returns the seconds until a valid *token* expires, None for one that does not."""
        expires = None if self._knobs.link_not_jwt else _claims(token).get("exp")
        return None if expires is None else expires - self.now()


def _claims(token: str) -> dict[str, Any]:
    """Returns the claims of a token signed here, whatever its times. Raises jwt.PyJWTError for any other."""
    claims: dict[str, Any] = jwt.decode(
        token,
        _KEY.public_key(),
        algorithms=["PS512"],
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
    )
    return claims
