"""Sealed tokens: JSON objects, compressed, encrypted and authenticated, which only this gateway can make or read.

Session cookies, login state and access tokens are sealed tokens, so the gateway stores none of them and a restart
voids none. Each purpose has its own key, derived from the configured secret, so that a token of one purpose is not
accepted for another.
"""

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.model import Secret


class SealedTokens:
    """Tokens of one *purpose*, in one *version* of their content.

    The first of *secrets* seals and all of them unseal, so that secrets can be rotated without voiding tokens.
    """

    def __init__(self, secrets: Iterable[Secret], purpose: str, version: int) -> None:
        self._fernets = [(secret_id(secret), Fernet(_derive_key(secret, purpose))) for secret in secrets]
        self._version = version

    def seal(self, content: Mapping[str, Any]) -> str:
        """Returns *content* as a token of URL-safe characters."""
        text = json.dumps({"v": self._version, **content}, separators=(",", ":"), ensure_ascii=False)
        return self._fernets[0][1].encrypt(zlib.compress(text.encode())).decode()

    def unseal(self, token: str) -> dict[str, Any] | None:
        """Returns the content, or None if the token was altered, sealed by another secret or for another purpose, or
        has another version. Expiry is for the caller to check."""
        content, _ = self.unseal_with_id(token)
        return content

    def unseal_with_id(self, token: str) -> tuple[dict[str, Any] | None, str]:
        """Returns what `unseal` returns, and the id of the secret that sealed the token."""
        if token.isascii():
            for identifier, fernet in self._fernets:
                with suppress(InvalidToken):  # sealed with another secret: the next one is tried
                    return self._read(fernet.decrypt(token.encode())), identifier
        return None, ""

    def _read(self, decrypted: bytes) -> dict[str, Any] | None:
        try:
            content = json.loads(zlib.decompress(decrypted))
        except (ValueError, zlib.error):
            return None
        return content if isinstance(content, dict) and content.get("v") == self._version else None


def secret_id(secret: Secret) -> str:
    """Returns a digest that tells secrets apart. It stays in memory: a weak secret could be guessed from it."""
    return hashlib.sha256(b"valt-gateway secret id\0" + secret.reveal().encode()).hexdigest()


def keyed_digest(secret: Secret, purpose: str, text: str) -> str:
    """Returns 64 hexadecimal digits from which nobody without *secret* can guess *text* (HMAC-SHA-256)."""
    return hmac.new(
        _derive_key(secret, f"{purpose} digest"), text.encode("utf-8", "surrogatepass"), "sha256"
    ).hexdigest()


def _derive_key(secret: Secret, purpose: str) -> bytes:
    """Returns a Fernet key for *purpose*, derived from a secret of any length (HKDF, RFC 5869)."""
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"valt-gateway {purpose}".encode())
    return base64.urlsafe_b64encode(hkdf.derive(secret.reveal().encode()))
