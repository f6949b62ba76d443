"""Validity for tests that build the parts of an identity step themselves."""

from collections.abc import Iterable

from gateway.model import Identity, Secret
from gateway.ports import Clock, Store
from gateway.sealed import secret_id
from gateway.validity import Validity


def validity_of(
    store: Store,
    clock: Clock,
    identities: Iterable[Identity],
    *,
    lifetime: float | None = 8 * 3600.0,
    secrets: Iterable[Secret] = (),
) -> Validity:
    """Returns the check of a configuration with the providers of *identities*, and with the sealing *secrets*."""
    providers = [(identity.issuer, identity.provider) for identity in identities]
    return Validity(
        providers,
        {},
        store,
        clock,
        lifetime=lifetime,
        secrets=[secret_id(secret) for secret in secrets],
    )
