"""What the sealed cookie of a session holds of an `Identity`."""

from collections.abc import Mapping
from typing import Any

from gateway.model import Identity, IdentityKind

VERSION = 4
"""Of the claims. A session of another version is ignored."""


def to_claims(session: Identity) -> dict[str, Any]:
    """Returns what is sealed of *session*."""
    return {
        "id": session.session,
        "sub": session.subject,
        "iss": session.issuer,
        "prv": session.provider,
        "grp": sorted(session.groups),
        "sel": session.selection,
        "iat": session.issued_at,
        "lee": session.leeway,
        "exp": session.expires_at,
        "use": session.used_at,
        "rec": session.recording,
        "vid": session.video,
        "out": session.revocation_keys,
        "crs": session.cross_site,
    }


def to_identity(claims: Mapping[str, Any], secret: str, lifetime: float) -> Identity:
    """Returns the session that was sealed as *claims* by the secret with the id *secret*. It ends *lifetime* seconds
    after its start at the latest: the setting may have become shorter since."""
    ends_at = min(claims["exp"], claims["iat"] + lifetime)
    return Identity(
        subject=claims["sub"],
        issuer=claims["iss"],
        provider=claims["prv"],
        kind=IdentityKind.SESSION,
        groups=frozenset(claims["grp"]),
        issued_at=claims["iat"],
        leeway=claims["lee"],
        expires_at=ends_at,
        ends_at=ends_at,
        recording=claims["rec"],
        video=claims["vid"],
        session=claims["id"],
        used_at=claims["use"],
        revocation_keys=tuple(claims["out"]),
        sealed_by=secret,
        selection=claims["sel"],
        cross_site=claims["crs"],
    )
