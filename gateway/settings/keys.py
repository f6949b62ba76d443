"""Checks of keys: whether a portal's can verify tickets and the gateway's own can sign, and which texts are one key."""

import json
from collections.abc import Iterable
from typing import Any

from gateway.settings.values import UNREAD

_RSA_BITS = 2048
HMAC_BYTES = 32
"""The shortest secret for HS256 (RFC 7518, section 3.2)."""


def _load_jwk(text: str) -> object:
    """Returns the public key of a JWK (RFC 7517). Raises ValueError if it is none, or a private one."""
    import jwt

    try:
        row = json.loads(text)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(row, dict) or "d" in row or "k" in row or not isinstance(row.get("kid"), str | None):
        raise ValueError("not a public JWK")
    operations = row.get("key_ops", ["verify"])
    if row.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("not a key of signatures")
    try:
        # By RFC 9864 that is EdDSA's name with this curve; the verification of tickets reads it so, too.
        return jwt.PyJWK(row, "EdDSA" if row.get("alg") == "Ed25519" else None).key
    except (jwt.PyJWTError, NotImplementedError, KeyError, TypeError) as error:  # what PyJWT does not know, or misses
        raise ValueError(str(error)) from None


def _load_any_jwk(text: str) -> Any:
    """Returns the key of a JWK, public, private or secret, whatever it is for. Raises ValueError if it is none."""
    import jwt

    try:
        return jwt.PyJWK({name: value for name, value in json.loads(text).items() if name != "alg"}).key
    except (jwt.PyJWTError, NotImplementedError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def essence(text: str) -> bytes:
    """Returns what of *text* is the same in every layout: of a key in PEM or of a JWK the public half in DER, of a JWK
    of a secret its bytes. Another text is returned as it is."""
    is_jwk = text.lstrip().startswith("{")
    if not is_jwk and "KEY-----" not in text:
        return text.encode()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
        load_pem_public_key,
    )

    try:
        if is_jwk:
            key = _load_any_jwk(text)
        elif "PRIVATE KEY-----" in text:
            key = load_pem_private_key(text.encode(), password=None)
        else:
            key = load_pem_public_key(text.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return text.encode()
    if isinstance(key, bytes):
        return key
    public = key.public_key() if hasattr(key, "public_key") else key
    return bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def key_fault(pem: str, algorithms: Iterable[str]) -> tuple[str, str] | None:
    """Returns reason and remedy if *pem* cannot verify signatures of any of *algorithms* (RFC 7518, section 3.1)."""
    # cryptography takes a while to load, and few configurations have a portal
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if "PRIVATE KEY" in pem:
        return "is a private key, which only the portal may have", "use its public key: openssl pkey -in KEY -pubout"
    if pem.count("-----BEGIN ") > 1:
        return "has several keys, of which one would count", "write each into a file of its own: public_key_files"
    is_jwk = pem.lstrip().startswith("{")
    try:
        key = _load_jwk(pem) if is_jwk else load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        reason = "is no JWK of a public key of signatures" if is_jwk else "is not a public key"
        return reason, "write it as PEM, which begins with -----BEGIN PUBLIC KEY-----"
    match key:
        case Ed25519PublicKey():
            usable = {"EdDSA"}
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            usable = {"ES256"}
        case RSAPublicKey() if key.key_size >= _RSA_BITS:
            usable = {"RS256", "PS256"}
        case _:
            return "is of an unsupported kind", "use Ed25519, P-256, or RSA of 2048 bits or more"
    if usable.isdisjoint(algorithms):
        return "suits none of the algorithms", f"accept its own: {' or '.join(sorted(usable))}"
    return None


def hmac_fault(secret: str) -> tuple[str, str] | None:
    """Returns reason and remedy if *secret* cannot verify signatures with HS256: it is a key in PEM or of SSH, or a JWK
    of no secret, or of a short one."""
    import jwt

    try:
        row = json.loads(secret)
    except (ValueError, RecursionError):
        row = None
    try:
        is_jwk = isinstance(row, dict) and "kty" in row
        key = jwt.PyJWK(row).key if is_jwk else jwt.get_algorithm_by_name("HS256").prepare_key(secret)
    except (jwt.PyJWTError, NotImplementedError, KeyError, TypeError):
        key = None
    if isinstance(key, bytes) and len(key) >= HMAC_BYTES:
        return None
    reason = "is a key of another kind, or a JWK of no secret of 32 bytes: it verifies no ticket"
    return reason, "share a secret with the portal: openssl rand -base64 48"


def signing_key_fault(pem: str) -> tuple[str, str] | None:
    """Returns reason and remedy if *pem* is not a private key that can sign a client's assertions."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if pem == UNREAD:
        return None
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "is not a private key without a password", "make one with: openssl genpkey -algorithm ed25519"
    match key:
        case Ed25519PrivateKey():
            return None
        case EllipticCurvePrivateKey() if isinstance(key.curve, SECP256R1):
            return None
        case RSAPrivateKey() if key.key_size >= _RSA_BITS:
            return None
    return "is of an unsupported kind", "use Ed25519, P-256, or RSA of 2048 bits or more"
