"""A portal's public key: whether it is one, and whether any of the accepted algorithms fits it (RFC 7518, 3.1)."""

from collections.abc import Iterable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_RSA_BITS = 2048


def unfit(pem: str, algorithms: Iterable[str]) -> tuple[str, str] | None:
    """Reason and remedy where *pem* cannot verify what is signed by *algorithms*; None where it can."""
    if "PRIVATE KEY" in pem:
        return "is a private key, which is the portal's alone", "take its public half: openssl pkey -in KEY -pubout"
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return "is no public key", "write it as PEM, which begins with -----BEGIN PUBLIC KEY-----"
    match key:
        case Ed25519PublicKey():
            fitting = {"EdDSA"}
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            fitting = {"ES256"}
        case RSAPublicKey() if key.key_size >= _RSA_BITS:
            fitting = {"RS256", "PS256"}
        case _:
            return "is of a kind that no algorithm takes", "use Ed25519, P-256, or RSA of 2048 bits or more"
    if fitting.isdisjoint(algorithms):
        return "fits none of the algorithms", f"accept its own: {' or '.join(sorted(fitting))}"
    return None
